"""The process-wide settings that `init` and `tokenpnl.testing` change and every verb reads."""

import os
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from opentelemetry import trace

if TYPE_CHECKING:
    from opentelemetry._logs import Logger, LoggerProvider

SCOPE = "tokenpnl"


def _random_id() -> str:
    return str(uuid.uuid4())


def _reraise_wanted() -> bool:
    return os.environ.get("TOKENPNL_RERAISE", "").lower() in {"1", "true"}


@dataclass
class State:
    """What the verbs need to know about this process.

    `provider` and `logger_provider` are None until `init`; spans then go to the global provider and outcomes that are
    told outside of their run are lost (and said so, once). `clock` gives UTC nanoseconds.
    """

    provider: trace.TracerProvider | None = None
    logger_provider: "LoggerProvider | None" = None
    clock: Callable[[], int] = time.time_ns
    new_id: Callable[[], str] = _random_id
    fingerprint_key: bytes | None = None
    reraise: bool = field(default_factory=_reraise_wanted)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _kept: tuple[trace.TracerProvider, trace.Tracer] | None = field(default=None, init=False, compare=False)

    def tracer(self) -> trace.Tracer:
        """Return the tracer of our scope, from the provider that `init` chose, else from the global one."""
        provider = self.provider or trace.get_tracer_provider()
        # Asking a provider for its tracer costs as much as starting a span.
        if self._kept is None or self._kept[0] is not provider:
            self._kept = (provider, provider.get_tracer(SCOPE))
        return self._kept[1]

    def logger(self) -> "Logger | None":
        """Return the OTLP logger that carries outcomes told later, or None before `init`."""
        if self.logger_provider is None:
            return None
        return self.logger_provider.get_logger(SCOPE)


state = State()
