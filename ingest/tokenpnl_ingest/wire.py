"""What both encodings of OTLP share: the bounds of a value, the checks of an id, and what a request turns into."""

from dataclasses import dataclass, field
from typing import Any

from tokenpnl.model import Flag
from tokenpnl_ingest.quarantine import Reason, entry
from tokenpnl_ingest.raw import RawLog, RawPoint, RawSpan

MAX_DEPTH = 16
MAX_KEY_CHARS = 256
KINDS = ("", "internal", "server", "client", "producer", "consumer")
STATUSES = ("unset", "ok", "error")
TEMPORALITIES = (None, "delta", "cumulative")
LAST_TIME_NS = 2**63 - 1
TOO_DEEP = "[nested too deep]"
NO_FLAGS: frozenset[Flag] = frozenset()


@dataclass(slots=True)
class Received:
    """The records of one request, each with the flags that reading it raised."""

    spans: list[tuple[RawSpan, frozenset[Flag]]] = field(default_factory=list)
    logs: list[tuple[RawLog, frozenset[Flag]]] = field(default_factory=list)
    quarantined: list[dict[str, Any]] = field(default_factory=list)
    points: list[RawPoint] = field(default_factory=list)
    metric_points: int = 0
    refused: int = 0

    def refuse(self, reason: Reason, signal: str, detail: str, ids: tuple[str, str] = ("", "")) -> None:
        """Count a record that is not stored and keep the reason."""
        self.refused += 1
        self.quarantined.append(entry(reason, signal, detail, refused=True, ids=ids))

    def flag(self, reason: Reason, signal: str, detail: str, ids: tuple[str, str]) -> None:
        """Keep the reason why a stored record deserves a look."""
        self.quarantined.append(entry(reason, signal, detail, refused=False, ids=ids))


def clean(text: str) -> str:
    """Return the text as every engine can hold it: NUL and lone surrogates become U+FFFD, nothing is cut."""
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def short_key(key: str, flags: set[Flag]) -> str:
    """Return the key within its limit; a longer one is cut and flagged."""
    if len(key) > MAX_KEY_CHARS:
        flags.add(Flag.VALUE_TRUNCATED)
        key = key[:MAX_KEY_CHARS]
    return clean(key)


def id_problem(trace_id: str, span_id: str) -> tuple[Reason, str] | None:
    """Return why a span with these hex ids cannot be kept, or None when both are good."""
    if len(trace_id) != 32 or not trace_id.strip("0"):
        return (
            Reason.TRACE_ID_INVALID,
            f"expected a trace id of 16 bytes, not zero; got {trace_id[:64] or 'none'!r}",
        )
    if len(span_id) != 16 or not span_id.strip("0"):
        return Reason.SPAN_ID_INVALID, f"expected a span id of 8 bytes, not zero; got {span_id[:64] or 'none'!r}"
    return None


def parent_of(parent: str, span_id: str, flags: set[Flag]) -> str | None:
    """Return the parent's id, None for a root; a span that names itself becomes a root and is flagged."""
    if parent == span_id:
        flags.add(Flag.SELF_PARENT)
        return None
    return parent if len(parent) == 16 and parent.strip("0") else None
