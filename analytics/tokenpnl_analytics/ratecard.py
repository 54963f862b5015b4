"""The rate card: genai-prices flattened once into dated prices per million tokens of each usage kind.

One *slot* is one price list in force: a model, a context, a span of dates, a window of the day (off-peak prices) and a
tier of the request's whole input. One *rate* is the price of one usage kind in one slot. Prices are resolved by
genai-prices' own `get_prices`, so that dated prices and variants mean here what they mean there.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache, cached_property
from importlib.metadata import version
from itertools import pairwise

import polars as pl
from genai_prices.data_snapshot import DataSnapshot, get_snapshot
from genai_prices.data_units import unit_data
from genai_prices.types import (
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from tokenpnl.model import UsageKind
from tokenpnl_analytics.frames import MONEY

STANDARD = "standard"
REQUEST_KIND = "request"  # a price per request, which some search models ask for beside their tokens
CONTEXTS: dict[str, dict[str, str]] = {
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "fast": {"service_tier": "fast", "speed": "fast"},
}
KINDS: tuple[str, ...] = (*(kind.value for kind in UsageKind), REQUEST_KIND)

_MICRO = Decimal("0.000001")
_MILLION = 1_000_000
_DAY_NS = 86_400_000_000_000
_BEGIN_NS = -(2**62)
_END_NS = 2**62
_MORE_TOKENS = 2**62

_SIDE = {"family": "tokens", "direction": "input"}
_OUT = {"family": "tokens", "direction": "output"}
# What genai-prices calls each of our kinds: the price is that of the most specific priced unit above it.
_DIMENSIONS: dict[str, dict[str, str]] = {
    UsageKind.INPUT_UNCACHED.value: _SIDE | {"modality": "text"},
    UsageKind.INPUT_CACHE_READ.value: _SIDE | {"modality": "text", "token_type": "cache_read"},
    UsageKind.INPUT_CACHE_WRITE_5M.value: _SIDE | {"modality": "text", "token_type": "cache_write", "cache_ttl": "5m"},
    UsageKind.INPUT_CACHE_WRITE_30M.value: _SIDE | {"modality": "text", "token_type": "cache_write"},
    UsageKind.INPUT_CACHE_WRITE_1H.value: _SIDE | {"modality": "text", "token_type": "cache_write", "cache_ttl": "1h"},
    UsageKind.INPUT_CACHE_WRITE_12H.value: _SIDE | {"modality": "text", "token_type": "cache_write"},
    UsageKind.INPUT_AUDIO.value: _SIDE | {"modality": "audio"},
    UsageKind.INPUT_AUDIO_CACHE_READ.value: _SIDE | {"modality": "audio", "token_type": "cache_read"},
    UsageKind.INPUT_IMAGE.value: _SIDE | {"modality": "image"},
    UsageKind.INPUT_VIDEO.value: _SIDE | {"modality": "video"},
    UsageKind.OUTPUT_TEXT.value: _OUT | {"modality": "text"},
    UsageKind.OUTPUT_REASONING.value: _OUT | {"token_type": "reasoning"},
    UsageKind.OUTPUT_AUDIO.value: _OUT | {"modality": "audio"},
    UsageKind.OUTPUT_IMAGE.value: _OUT | {"modality": "image"},
    REQUEST_KIND: {"family": "requests"},
}
_UNCACHED_TWIN = {
    kind: (UsageKind.INPUT_AUDIO if kind == UsageKind.INPUT_AUDIO_CACHE_READ else UsageKind.INPUT_UNCACHED).value
    for kind in KINDS
    if kind.startswith("input_") and "cache_" in kind
}

# genai-prices lists the free variants of hosted models with an empty price list.
FREE = [(kind.value, Decimal(0), Decimal(0), False) for kind in UsageKind]

_SLOT_SCHEMA: dict[str, type[pl.DataType]] = {
    "card_key": pl.Int64,
    "rate_id": pl.Int64,
    "provider": pl.String,
    "model": pl.String,
    "context": pl.String,
    "from_ns": pl.Int64,
    "until_ns": pl.Int64,
    "day_from_ns": pl.Int64,
    "day_until_ns": pl.Int64,
    "input_above": pl.Int64,
    "input_up_to": pl.Int64,
    "context_matched": pl.Boolean,
}
_RATE_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "rate_id": pl.Int64,
    "usage_kind": pl.String,
    "usd_per_million": MONEY,
    "uncached_usd_per_million": MONEY,
    "rounded": pl.Boolean,
}


@dataclass(frozen=True)
class RateCard:
    """Dated prices, ready to be joined.

    Attributes:
        slots: one row per price list in force; `card_key` names (model, context), `[from_ns, until_ns)` its dates,
            `[day_from_ns, day_until_ns)` its window of the UTC day, `(input_above, input_up_to]` its tier.
        rates: one row per slot and priced usage kind: `usd_per_million` (6 decimals), `uncached_usd_per_million`
            (the same tokens outside the cache), `rounded` when the source held more decimals.
        keys: (provider id, model id, context) -> `card_key`.
        version: source, version and hash of the prices; stored on every line item.
    """

    slots: pl.DataFrame = field(repr=False)
    rates: pl.DataFrame = field(repr=False)
    keys: dict[tuple[str, str, str], int] = field(repr=False)
    version: str
    snapshot: DataSnapshot = field(repr=False)

    @cached_property
    def models_by_provider(self) -> dict[str, list[str]]:
        """The model ids that each provider has a price for, sorted."""
        found: dict[str, list[str]] = {}
        for provider, model, context in sorted(self.keys):
            if context == STANDARD:
                found.setdefault(provider, []).append(model)
        return found


@cache
def default_rate_card() -> RateCard:
    """Return the dated prices of the installed genai-prices release, flattened once per process."""
    return flatten(get_snapshot(), source=f"genai-prices {version('genai-prices')}")


def flatten(snapshot: DataSnapshot, *, source: str) -> RateCard:
    """Return the rate card of a genai-prices snapshot; `source` begins its version string."""
    slots: list[tuple[object, ...]] = []
    rates: list[tuple[object, ...]] = []
    keys: dict[tuple[str, str, str], int] = {}
    for provider in snapshot.providers:
        for model in provider.models:
            for context in _contexts(model):
                key = keys.setdefault((provider.id, model.id, context), len(keys))
                for when, prices, matched in _price_lists(model, context):
                    for above, up_to in _tiers(prices):
                        name = (provider.id, model.id, context)
                        slots.append((key, len(slots), *name, *when, above, up_to, matched))
                        listed = _rates(prices, above) or (FREE if model.id.endswith(":free") else [])
                        rates.extend((len(slots) - 1, *rate) for rate in listed)
    card_rates = pl.DataFrame(rates, schema=_RATE_SCHEMA, orient="row")
    digest = hashlib.sha256(repr((slots, rates)).encode()).hexdigest()[:12]
    card_slots = pl.DataFrame(slots, schema=_SLOT_SCHEMA, orient="row")
    return RateCard(card_slots, card_rates, keys, f"{source} sha256:{digest}", snapshot)


def _contexts(model: ModelInfo) -> list[str]:
    """Return the contexts that the model has ever had a price for, standard first."""
    whens = [variant.when for variant in model.price_variants or ()]
    return [STANDARD, *(name for name, ctx in CONTEXTS.items() if any(when.items() <= ctx.items() for when in whens))]


def _price_lists(model: ModelInfo, context: str) -> Iterator[tuple[tuple[int, int, int, int], ModelPrice, bool]]:
    """Yield price lists in one context: (dates and window of the day), prices, whether the context had one."""
    conditional = [] if isinstance(model.prices, ModelPrice) else model.prices
    wanted = CONTEXTS.get(context)
    variants = [v for v in model.price_variants or () if wanted and v.when.items() <= wanted.items()]
    for from_ns, until_ns, day in _date_spans(conditional, variants):
        for opens, closes in _day_windows(conditional, variants):
            moment = datetime.combine(day, time(), UTC) + timedelta(microseconds=opens // 1000)
            matched = wanted is None or any(v.constraint is None or v.constraint.active(moment) for v in variants)
            yield (from_ns, until_ns, opens, closes), model.get_prices(moment, wanted), matched


def _date_spans(conditional: list[ConditionalPrice], variants: list[PriceVariant]) -> Iterator[tuple[int, int, date]]:
    """Yield [from, until) in nanoseconds, and a day inside, between the dates at which any price changes."""
    items: list[ConditionalPrice | PriceVariant] = [*conditional, *variants]
    constraints = [item.constraint for item in items]
    dates = sorted({c.start_date for c in constraints if isinstance(c, StartDateConstraint)})
    starts = [_day_ns(day) for day in dates]
    days = [dates[0] - timedelta(days=1) if dates else date(2020, 1, 1), *dates]
    yield from zip([_BEGIN_NS, *starts], [*starts, _END_NS], days, strict=True)


def _day_ns(day: date) -> int:
    return (day - date(1970, 1, 1)).days * _DAY_NS


def _day_windows(conditional: list[ConditionalPrice], variants: list[PriceVariant]) -> list[tuple[int, int]]:
    """Return the windows of the UTC day, in nanoseconds, between the times at which any price changes."""
    edges = {0, _DAY_NS}
    items: list[ConditionalPrice | PriceVariant] = [*conditional, *variants]
    for item in items:
        if isinstance(item.constraint, TimeOfDateConstraint):
            edges |= {_time_ns(item.constraint.start_time), _time_ns(item.constraint.end_time)}
    ordered = sorted(edges)
    return list(pairwise(ordered))


def _time_ns(moment: time) -> int:
    utc = datetime.combine(date(1970, 1, 2), moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    return ((utc.hour * 60 + utc.minute) * 60 + utc.second) * 1_000_000_000


def _tiers(prices: ModelPrice) -> list[tuple[int, int]]:
    """Return the (above, up to] bounds of the request's whole input, cache included, at which any price jumps."""
    tiered = [value for value in prices.__dict__.values() if isinstance(value, TieredPrices)]
    bounds = sorted({tier.start for value in tiered for tier in value.tiers})
    return list(zip([-1, *bounds], [*bounds, _MORE_TOKENS], strict=True))


def _rates(prices: ModelPrice, above: int) -> list[tuple[str, Decimal, Decimal, bool]]:
    """Return kind, USD per million, uncached USD per million and whether rounding changed the price."""
    priced = frozenset(key for key, value in prices.__dict__.items() if value is not None)
    chosen = _price_keys(priced)
    quantised = {kind: _usd_per_million(getattr(prices, key), above, key) for kind, key in chosen.items()}
    uncached = {kind: quantised.get(_UNCACHED_TWIN.get(kind, kind), price)[0] for kind, price in quantised.items()}
    return [(kind, usd, uncached[kind], rounded) for kind, (usd, rounded) in quantised.items()]


def _usd_per_million(price: Decimal | TieredPrices, above: int, key: str) -> tuple[Decimal, bool]:
    if isinstance(price, TieredPrices):
        reached = [tier.price for tier in price.tiers if tier.start <= above]
        price = reached[-1] if reached else price.base
    exact = price * _MILLION / _unit_sizes()[key]
    usd = exact.quantize(_MICRO, ROUND_HALF_EVEN)
    return usd, usd != exact


@cache
def _unit_sizes() -> dict[str, int]:
    return {unit["price_key"]: unit["per"] for unit in unit_data.values()}


@cache
def _price_keys(priced: frozenset[str]) -> dict[str, str]:
    """Return the price key that genai-prices bills each usage kind by: the most specific priced ancestor."""
    units = [(unit["price_key"], unit["dimensions"]) for unit in unit_data.values() if unit["price_key"] in priced]
    chosen = {}
    for kind, wanted in _DIMENSIONS.items():
        above = [(len(dims), key) for key, dims in units if dims.items() <= wanted.items()]
        if above:
            chosen[kind] = max(above)[1]
    return chosen
