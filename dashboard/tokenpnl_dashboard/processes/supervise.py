"""Two processes kept alive: a child that dies is started again, a signal to the parent ends both."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

RESTART_PAUSE_S = (0.2, 1.0, 5.0, 15.0)
STEADY_S = 60.0
DRAIN_S = 15.0
EXIT_NOT_RESTARTED = 2


@dataclass
class Child:
    """One supervised process. `command` is its argument list, `environment` what it sees beside ours."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    deaths: int = field(default=0)

    def start(self) -> None:
        """Start the process; what it prints goes to standard error, so that standard output stays data."""
        environment = {**self.environment, **os.environ}
        self.process = subprocess.Popen(  # noqa: S603  # no shell
            self.command,
            stdout=sys.stderr,
            env=environment,
            preexec_fn=_leave_interrupts_to_the_parent,  # noqa: PLW1509  # it sets one signal and takes no lock
        )
        self.started_s = time.monotonic()

    def exit_code(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self.process.poll() if self.process else None

    def pause_s(self) -> float:
        """Return how long to wait before the next start; a child that ran steadily starts over at once."""
        if time.monotonic() - self.started_s > STEADY_S:
            self.deaths = 0
        pause = RESTART_PAUSE_S[min(self.deaths, len(RESTART_PAUSE_S) - 1)]
        self.deaths += 1
        return pause

    def stop(self, patience_s: float) -> None:
        """Ask the process to end, and kill it when it does not in time."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def noted_signals() -> list[int]:
    """Return a list into which SIGTERM and SIGINT are noted from now on, instead of interrupting what runs.

    An exception out of a signal could strike while a child is being born, and nobody would know of the child.
    """
    asked: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, note)
    return asked


def supervise(children: Sequence[Child], asked: Sequence[int], *, say: Callable[[str], None]) -> int:
    """Keep started children alive until a signal; then stop them, last first.

    Args:
        children: already started.
        asked: `noted_signals`.
        say: prints one line for the operator.

    Returns:
        0 after a signal; the child's code when it ended by refusing its own arguments.
    """
    code = 0
    while not asked and code == 0:
        time.sleep(0.2)
        for child in children:
            code = code or _revive(child, asked, say)
    for child in reversed(children):
        child.stop(DRAIN_S)
    return code


def _revive(child: Child, asked: Sequence[int], say: Callable[[str], None]) -> int:
    code = child.exit_code()
    if code is None or asked:
        return 0
    if code == EXIT_NOT_RESTARTED:
        return code
    pause = child.pause_s()
    say(f"{child.name} ended with code {code}; starting it again in {pause:g} s")
    time.sleep(pause)
    child.start()
    return 0


def _leave_interrupts_to_the_parent() -> None:
    # Ctrl-C reaches the whole group; a child that is still importing would answer with a traceback.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def python_module(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module with this interpreter."""
    return [sys.executable, "-m", module, *arguments]
