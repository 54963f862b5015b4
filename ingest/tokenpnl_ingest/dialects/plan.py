"""What to do with an attribute, looked up once by its name: map it, drop it as content, or keep it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tokenpnl.model import SERVER_TOOLS
from tokenpnl.schema import Type
from tokenpnl.tables import REPORTED_USAGE, SPANS
from tokenpnl_ingest.content import Content, content_of
from tokenpnl_ingest.dialects import convert
from tokenpnl_ingest.dialects.aliases import ALIASES, IGNORED_USAGE

USAGE_COLUMNS = frozenset(column.name for column in REPORTED_USAGE)
_MAX_REMEMBERED = 20_000
_USAGE_WORDS = ("token", "usage")
# Settings, rates, limits and aggregates name tokens without counting what one call used.
_NOT_USAGE = (
    "max",
    "budget",
    "limit",
    "per_",
    "avg",
    "aggregated",
    ".details.",
    "ratio",
    "type",
    "hash",
    "block",
    "speed",
)
_BY_TYPE: dict[Type, Callable[[Any], Any]] = {
    Type.TEXT: convert.text,
    Type.INT: convert.whole,
    Type.FLOAT: convert.real,
    Type.BOOL: convert.truth,
    Type.MONEY: convert.usd,
}
_BY_COLUMN: dict[str, Callable[[Any], Any]] = {
    "finish_reason": convert.first,
    "http_status": convert.http_status,
    **dict.fromkeys(USAGE_COLUMNS, convert.tokens),
    **dict.fromkeys(("cache_avoided_input_tokens", "cache_avoided_output_tokens"), convert.tokens),
    **dict.fromkeys(SERVER_TOOLS.values(), convert.tokens),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What one attribute name means.

    Attributes:
        column: column it is mapped to, None when it is not.
        rank: of several names for one column the smallest wins.
        convert: reads a value of another type than `native`.
        content: what kind of content it holds; None when it may be kept.
        counts: whether it looks like token usage.
        native: type whose values are taken as they are, str or int.
        words: whether every candidate is needed, because the column is folded from words.
    """

    column: str | None = None
    rank: int = 0
    convert: Callable[[Any], Any] = convert.text
    content: Content | None = None
    counts: bool = False
    native: type | None = None
    words: bool = False


_WORD_COLUMNS = ("provider", "operation_name")
_NATIVE: dict[Callable[[Any], Any], type] = {convert.text: str, convert.tokens: int}


def _mapped() -> dict[str, Plan]:
    plans: dict[str, Plan] = {}
    for column, names in ALIASES.items():
        default = _BY_COLUMN.get(column) or _BY_TYPE[SPANS[column].type]
        for rank, entry in enumerate(names):
            name, _, unit = entry.partition("|")
            reader = convert.CONVERTERS.get(unit, default)
            words = column in _WORD_COLUMNS
            plans[name] = Plan(column, rank, reader, native=None if words else _NATIVE.get(reader), words=words)
    return plans


PLANS: dict[str, Plan] = _mapped()


def plan_for(key: str) -> Plan:
    """Return the plan of a name that is not mapped, and remember it while there is room."""
    content = content_of(key)
    # Our own prefix spells "token" without counting any.
    low = key.lower().removeprefix("tokenpnl.")
    counts = (
        content is not Content.CREDENTIAL
        and key not in IGNORED_USAGE
        and any(word in low for word in _USAGE_WORDS)
        and ("token" in low or low.startswith(("gen_ai.usage.", "llm.usage.")))
        and not any(word in low for word in _NOT_USAGE)
    )
    plan = Plan(content=content, counts=counts)
    if len(PLANS) < _MAX_REMEMBERED:
        PLANS[key] = plan
    return plan
