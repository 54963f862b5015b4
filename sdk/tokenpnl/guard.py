"""The promise to the host program: a fault of ours is logged once and never raised into it.

This is the one place of the SDK where a broad ``except Exception`` stands. What the host's own code raises inside a
``with tokenpnl...`` block always passes through untouched.
"""

import functools
import logging
from collections.abc import Callable
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from tokenpnl.state import state

_P = ParamSpec("_P")
_R = TypeVar("_R")

log = logging.getLogger("tokenpnl")
_reported: set[tuple[str, str]] = set()


def report(what: str, error: Exception) -> None:
    """Log a fault of ours: with its traceback the first time, at debug level after that.

    Args:
        what: what we were doing, as the end of "tokenpnl could not ...".
        error: what went wrong.
    """
    key = (what, type(error).__qualname__)
    if key in _reported:
        log.debug("tokenpnl could not %s again: %s", what, type(error).__qualname__)
        return
    _reported.add(key)
    log.warning("tokenpnl could not %s (said once; the program goes on)", what, exc_info=error)


class Shield:
    """Keeps a fault of ours from the host: ``with Shield("record usage"): ...`` logs instead of raising.

    Under `tokenpnl.testing.reraise` the error is raised, so that a test sees it. Only `Exception` is held back.
    """

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception) or state.reraise:
            return False
        report(self._what, error)
        return True


def guarded(what: str, default: _R) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Return a decorator that turns a fault of ours into one log line and `default`.

    Args:
        what: as for `report`.
        default: what the function answers when it failed.
    """

    def decorate(function: Callable[_P, _R]) -> Callable[_P, _R]:
        @functools.wraps(function)
        def shielded(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            with Shield(what):
                return function(*args, **kwargs)
            return default

        return shielded

    return decorate
