"""A collector in a process of its own, for tests that kill it."""

import subprocess
import sys
import time
from pathlib import Path

from tokenpnl_ingest.home import Home, Running, running_collector


class CollectorProcess:
    """A collector's module on free ports, by default the bare one; `log` is what it wrote."""

    def __init__(self, home: Home, module: str = "tokenpnl_ingest") -> None:
        self.home = home
        self.log_file = home.path.with_suffix(".log")
        command = [sys.executable, "-m", module, "--home", str(home.path)]
        command += ["--grpc-port", "0", "--http-port", "0"]
        with self.log_file.open("ab") as sink:
            self.process = subprocess.Popen(command, stdout=sink, stderr=sink)

    def wait_until_served(self, timeout: float = 60.0) -> Running:
        """Return the addresses once the collector listens."""
        give_up = time.monotonic() + timeout
        while time.monotonic() < give_up and self.process.poll() is None:
            found = running_collector(self.home)
            if found is not None and found.pid == self.process.pid:
                return found
            time.sleep(0.02)
        raise AssertionError(f"the collector does not listen: {self.log}")

    @property
    def log(self) -> str:
        return Path(self.log_file).read_text()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def terminate(self, timeout: float = 20.0) -> int:
        self.process.terminate()
        return self.process.wait(timeout)
