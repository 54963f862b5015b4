"""Real processes: one that dies is started again, a signal ends all."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tokenpnl_dashboard.processes.supervise import EXIT_NOT_RESTARTED, Child, python_module, supervise

PROGRAM = """
import sys, time
from pathlib import Path
from tokenpnl_dashboard.processes.supervise import Child, noted_signals, supervise
note = "from pathlib import Path; import os, sys, time; Path(sys.argv[1], str(os.getpid())).touch(); time.sleep(60)"
child = Child("worker", [sys.executable, "-c", note, sys.argv[1]])
child.start()
sys.exit(supervise([child], noted_signals(), say=lambda line: print(line, flush=True)))
"""


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def started(folder: Path) -> list[int]:
    return [int(path.name) for path in folder.iterdir()]


def test_a_child_that_is_killed_is_started_again_and_a_signal_ends_it(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM, tmp_path], stdout=subprocess.PIPE, text=True) as parent:
        wait_for(lambda: len(started(tmp_path)) == 1)
        (first,) = started(tmp_path)
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: len(started(tmp_path)) == 2)
        (second,) = set(started(tmp_path)) - {first}
        parent.send_signal(signal.SIGTERM)
        said, _ = parent.communicate(timeout=20)
    assert parent.returncode == 0
    assert "worker ended with code -9" in said
    wait_for(lambda: not Path(f"/proc/{second}").exists())


def test_a_child_that_refuses_its_arguments_ends_everything() -> None:
    child = Child("picky", [sys.executable, "-c", f"raise SystemExit({EXIT_NOT_RESTARTED})"])
    child.start()
    assert supervise([child], [], say=print) == EXIT_NOT_RESTARTED


def test_restarts_that_follow_each_other_wait_longer() -> None:
    child = Child("worker", [])
    child.started_s = time.monotonic()
    assert [child.pause_s() for _ in range(5)] == [0.2, 1.0, 5.0, 15.0, 15.0]


def test_a_child_that_does_not_listen_is_killed() -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    child = Child("deaf", [sys.executable, "-c", deaf])
    child.start()
    time.sleep(0.5)
    stopper = threading.Thread(target=child.stop, args=(0.3,))
    stopper.start()
    stopper.join(20)
    assert child.exit_code() == -signal.SIGKILL


def test_a_module_runs_with_this_interpreter() -> None:
    assert python_module("pkg.mod", "--x") == [sys.executable, "-m", "pkg.mod", "--x"]
