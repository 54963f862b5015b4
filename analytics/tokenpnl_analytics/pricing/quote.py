"""What a usage costs: the same charge as in the books, for usages that somebody asks about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

import polars as pl

from tokenpnl.errors import RateNotFoundError, RefusedInputError
from tokenpnl.model import SERVER_TOOLS, UsageKind
from tokenpnl_analytics.frames import TIME
from tokenpnl_analytics.pricing.prices import token_lines
from tokenpnl_analytics.pricing.ratecard import RateCard

_MOST_TOKENS = 10**9
_LIST_LENGTH = 3
_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "attempt_id": pl.String,
    "provider": pl.String,
    "model": pl.String,
    "service_tier": pl.String,
    "deployment": pl.String,
    "region": pl.String,
    "tenant": pl.String,
    **dict.fromkeys(SERVER_TOOLS.values(), pl.Int64),
    "started_at": TIME,
    "billed": pl.Boolean,
    "flags": pl.String,
    "input_total_tokens": pl.Int64,
    **{kind.column: pl.Int64 for kind in UsageKind},
}


@dataclass(frozen=True)
class QuotedLine:
    """One priced usage kind; money is NULL where the rate card has no price."""

    usage_kind: str
    quantity: int
    usd_per_million: Decimal | None
    cost_usd: Decimal | None


@dataclass(frozen=True)
class Quote:
    """What one usage costs: `cost_usd` is NULL when any of its kinds has no price."""

    cost_usd: Decimal | None
    price_version: str
    flags: tuple[str, ...]
    lines: tuple[QuotedLine, ...]


def quote(usages: Sequence[Mapping[str, Any]], card: RateCard) -> list[Quote]:
    """Return the cost of each usage, in order.

    Args:
        usages: `provider` (or None), `model`, `at` (aware datetime or ISO text, naive means UTC), `usage` (tokens by
            disjoint kind, spelled as in `UsageKind`, with or without `_tokens`), `context` (batch, flex, priority,
            fast; None; or genai-prices' map such as `{"processing": "batch"}`), `deployment`, `region`,
            `tenant`, `web_searches` and the other columns of `SERVER_TOOLS` (counts).
        card: dated prices.

    Raises:
        RefusedInputError: when a usage is not readable; the message says which, what came and what is expected.
    """
    rows = [_row(number, usage) for number, usage in enumerate(usages)]
    lines = token_lines(pl.DataFrame(rows, schema=_SCHEMA, orient="row"), card)
    line = ("usage_kind", "quantity", "contracted_unit_usd_per_million", "cost_usd")
    wanted = (*line, "flags", "price_version", "attempt_id")
    found: list[list[tuple[Any, ...]]] = [[] for _ in usages]
    for row in lines.select(wanted).iter_rows():
        found[int(row[-1])].append(row)
    return [_quote(own, card.version) for own in found]


def explain_unpriced(provider: str | None, model: str, card: RateCard) -> RateNotFoundError:
    """Return the error that says which model has no price, and what the card knows near it."""
    by_provider = card.models_by_provider
    known = by_provider.get((provider or "").lower(), [])
    # Of an unnamed or unknown provider any model may have been meant.
    names = known or sorted({name for models in by_provider.values() for name in models})
    near = get_close_matches(model.lower(), names, _LIST_LENGTH)
    hint = f"; nearest: {', '.join(near)}" if near else ""
    of_whom = f" of {provider}; the rate card knows {len(known)} models of it" if provider else ""
    return RateNotFoundError(f"no price for {model!r}{of_whom}{hint}; check the spelling of provider and model")


def _quote(lines: list[tuple[Any, ...]], version: str) -> Quote:
    costs = [line[3] for line in lines]
    flags = sorted({flag for line in lines for flag in line[4].split(",") if flag})
    whole = None if None in costs else sum(costs, Decimal(0))
    # Of several versions in a row the one at the time of the usage decided.
    version = next((line[5] for line in lines), version)
    return Quote(whole, version, tuple(flags), tuple(QuotedLine(*line[:4]) for line in lines))


def _row(number: int, usage: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(usage, Mapping):
        raise RefusedInputError(f"usage {number + 1} needs to be a map with model, at and usage; it is {usage!r}")
    model = usage.get("model")
    if not isinstance(model, str) or not model:
        raise RefusedInputError(f"usage {number + 1} needs a model, a non-empty text; it has {model!r}")
    tokens = _tokens(number, usage.get("usage"))
    return {
        "attempt_id": str(number),
        "provider": _text(number, usage, "provider"),
        "model": model,
        "service_tier": _tier(usage.get("context")),
        **{name: _text(number, usage, name) for name in ("deployment", "region", "tenant")},
        **{name: _count(number, name, usage.get(name, 0)) for name in SERVER_TOOLS.values()},
        "started_at": _moment(number, usage.get("at")),
        "flags": "",
        "input_total_tokens": sum(n for kind, n in tokens.items() if kind.value.startswith("input_")),
        **{kind.column: n for kind, n in tokens.items()},
    }


def _tier(context: object) -> str | None:
    values = list(context.values()) if isinstance(context, Mapping) else [context]
    return str(values[0]) if values and values[0] is not None else None


def _tokens(number: int, usage: object) -> dict[UsageKind, int]:
    kinds = ", ".join(UsageKind)
    if not isinstance(usage, Mapping) or not usage:
        raise RefusedInputError(f"usage {number + 1} needs usage, a map of tokens by kind ({kinds}); it has {usage!r}")
    by_kind = {str(name).removesuffix("_tokens"): n for name, n in usage.items()}
    unknown = sorted(set(by_kind) - set(UsageKind))
    if unknown:
        raise RefusedInputError(f"usage {number + 1} has the unknown kinds {', '.join(unknown)}; known: {kinds}")
    return {UsageKind(kind): _count(number, kind, n) for kind, n in by_kind.items()}


def _count(number: int, name: str, n: object) -> int:
    if isinstance(n, bool) or not isinstance(n, int) or not 0 <= n <= _MOST_TOKENS:
        raise RefusedInputError(f"usage {number + 1}: {name} needs a whole number from 0 to {_MOST_TOKENS}, not {n!r}")
    return n


def _text(number: int, usage: Mapping[str, Any], name: str) -> str | None:
    value = usage.get(name)
    if value is not None and not isinstance(value, str):
        raise RefusedInputError(f"usage {number + 1}: {name} is a text or absent, not {value!r}")
    return value


def _moment(number: int, at: object) -> datetime:
    try:
        moment = at if isinstance(at, datetime) else datetime.fromisoformat(str(at))
    except ValueError:
        raise RefusedInputError(
            f"usage {number + 1} needs at, an ISO time such as 2026-11-24T10:00:00Z; it has {at!r}"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
