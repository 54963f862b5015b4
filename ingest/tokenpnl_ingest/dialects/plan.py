"""What to do with an attribute, looked up once by its name: map it, drop it as content, or keep it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What one attribute name means.

    `column` None: not mapped. `rank`: smaller wins. `content` None: may be kept. `counts`: looks like token usage.
    """

    column: str | None = None
    rank: int = 0
    convert: Callable[[Any], Any] = convert.text
    content: Content | None = None
    counts: bool = False


def _mapped() -> dict[str, Plan]:
    plans: dict[str, Plan] = {}
    for column, names in ALIASES.items():
        default = _BY_COLUMN.get(column) or _BY_TYPE[SPANS[column].type]
        for rank, entry in enumerate(names):
            name, _, unit = entry.partition("|")
            plans[name] = Plan(column, rank, convert.CONVERTERS.get(unit, default))
    return plans


PLANS: dict[str, Plan] = _mapped()


def plan_for(key: str) -> Plan:
    """Return the plan of a name that is not mapped, and remember it while there is room."""
    content = content_of(key)
    low = key.lower()
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
