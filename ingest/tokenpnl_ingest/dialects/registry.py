"""Which dialect reads a span: by its instrumentation scope, else by the attribute names that give an emitter away."""

from tokenpnl_ingest.dialects.generic import GENERIC
from tokenpnl_ingest.dialects.reading import Dialect
from tokenpnl_ingest.raw import RawSpan

# Scope name or its beginning (ending in a dot) to dialect.
SCOPES: dict[str, Dialect] = {}
# An attribute name that only this family writes, in order.
MARKS: tuple[tuple[str, Dialect], ...] = ()

_MAX_REMEMBERED = 10_000
_known: dict[str, Dialect | None] = {}


def dialect_of(span: RawSpan) -> Dialect:
    """Return the dialect that reads the span; the generic one when nothing gives the emitter away."""
    scope = span.scope_name
    if scope in _known:
        named = _known[scope]
    else:
        named = _by_scope(scope)
        if len(_known) < _MAX_REMEMBERED:
            _known[scope] = named
    if named is not None:
        return named
    attributes = span.attributes
    for mark, dialect in MARKS:
        if mark in attributes:
            return dialect
    return GENERIC


def _by_scope(scope: str) -> Dialect | None:
    if scope in SCOPES:
        return SCOPES[scope]
    starts = [start for start in SCOPES if start.endswith(".") and scope.startswith(start)]
    return SCOPES[max(starts, key=len)] if starts else None
