"""Where one collector keeps everything, who holds it, and how clients find the holder."""

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import platformdirs

from tokenpnl.errors import ConfigurationError, StoreHeldError

HOME_VARIABLE = "TOKENPNL_HOME"
CONFIG_VARIABLE = "TOKENPNL_CONFIG"
CONTROL_VARIABLE = "TOKENPNL_CONTROL"
LOOPBACK = "127.0.0.1"
GRPC_PORT, HTTP_PORT = 4317, 4318  # as OTLP has them
_PRIVATE = 0o077
_HOLD_PATIENCE_S = 1.0


@dataclass(frozen=True)
class Running:
    """A collector that serves a home: its process and the addresses it listens on."""

    pid: int
    http: str
    grpc: str


@dataclass(frozen=True)
class Home:
    """The folder of one store. All files are readable by their owner alone."""

    path: Path

    @classmethod
    def at(cls, path: str | Path | None = None) -> "Home":
        """Return the home at `path`, else at $TOKENPNL_HOME, else in the user's data folder; create it when absent.

        Raises:
            ConfigurationError: the folder cannot be made.
        """
        home = cls.meant(path)
        os.umask(os.umask(_PRIVATE) | _PRIVATE)
        try:
            home.journal.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"no store can be kept at {home.path}: {error.strerror}; name a folder that you may write, "
                f"by --home or ${HOME_VARIABLE}"
            ) from error
        return home

    @classmethod
    def meant(cls, path: str | Path | None = None) -> "Home":
        """Return the home that `at` gives, and make nothing: it may not be there."""
        chosen = path or os.environ.get(HOME_VARIABLE) or platformdirs.user_data_path("tokenpnl", appauthor=False)
        return cls(Path(chosen).expanduser().resolve())

    @property
    def journal(self) -> Path:
        """The folder of accepted batches."""
        return self.path / "journal"

    @property
    def database(self) -> Path:
        """The DuckDB file: an index over the journal, rebuildable."""
        return self.path / "tokenpnl.duckdb"

    @property
    def config(self) -> Path:
        """The folder of the YAML files that finance edits: $TOKENPNL_CONFIG, else `config` in the home."""
        return Path(os.environ.get(CONFIG_VARIABLE) or self.path / "config").expanduser()

    @property
    def control_url(self) -> str:
        """The database of versions, closes and sign-offs: $TOKENPNL_CONTROL, else SQLite in the home."""
        return os.environ.get(CONTROL_VARIABLE) or f"sqlite:///{self.path / 'control.sqlite'}"

    @property
    def decided(self) -> bool:
        """Whether a control store is there: something was booked, priced or signed here."""
        own = os.environ.get(CONTROL_VARIABLE) or (self.path / "control.sqlite").exists()
        return bool(own) and self.path.is_dir()

    @property
    def closed(self) -> Path:
        """The folder of closed months, a folder each; never changed after the close."""
        return self.path / "closed"

    @property
    def collector_file(self) -> Path:
        """Pid and addresses of the collector that serves this home."""
        return self.path / "collector.json"

    def secret(self) -> bytes:
        """Return the key of this home's fingerprints, made on first use and never changed."""
        file = self.path / "secret"
        if not file.exists():
            # Linked into place whole: another process that starts at this moment must not read half a key.
            draft = file.with_name(f"secret.{secrets.token_hex(8)}.tmp")
            with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as sink:
                sink.write(secrets.token_bytes(32))
                sink.flush()
                os.fsync(sink.fileno())
            with suppress(FileExistsError):
                os.link(draft, file)
            draft.unlink()
        return file.read_bytes()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the store for this process as long as the block runs.

        Raises:
            StoreHeldError: another process holds it; the message names its pid and address.
        """
        descriptor = os.open(self.path / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            self._lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _lock(self, descriptor: int) -> None:
        # A client that looks who holds the lock has it for a moment itself, hence the patience.
        give_up = time.monotonic() + _HOLD_PATIENCE_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < give_up:
                    time.sleep(0.02)
                    continue
                holder = self._announced()
                who = f"pid {holder.pid} at {holder.http}" if holder else "another process"
                raise StoreHeldError(
                    f"{self.path} is held by {who}; talk to that collector, stop it, or give another --home"
                ) from None
            else:
                return

    def announce(self, running: Running) -> None:
        """Write `collector.json`, whole or not at all."""
        draft = self.collector_file.with_suffix(f".{os.getpid()}.tmp")
        draft.write_text(json.dumps(asdict(running)) + "\n")
        draft.replace(self.collector_file)

    def withdraw(self) -> None:
        """Remove `collector.json`; for the holder to call before it lets go."""
        self.collector_file.unlink(missing_ok=True)

    def _announced(self) -> Running | None:
        try:
            return Running(**json.loads(self.collector_file.read_text()))
        except (OSError, ValueError, TypeError):
            return None


def running_collector(home: Home) -> Running | None:
    """Return the collector that holds the home now, or None when nobody does (open the store in process then).

    None is also the answer in the moment between a collector's start and its first address.
    """
    try:
        descriptor = os.open(home.path / "lock", os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return home._announced()  # noqa: SLF001 - same module, one reader of the file
    finally:
        os.close(descriptor)
    return None
