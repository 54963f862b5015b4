"""The rate card: genai-prices flattened once into dated prices per million tokens of each usage kind.

One *slot* is one price list in force: a model, a context, a span of dates, a window of the day (off-peak prices) and a
tier of the request's whole input. One *rate* is the price of one usage kind in one slot. Prices are resolved by
genai-prices' own `get_prices`, so that dated prices and variants mean here what they mean there. What contracts and
other files say over it is laid on in `layered`.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache, cached_property
from importlib.metadata import version
from itertools import pairwise
from typing import Any

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

from tokenpnl.model import SERVER_TOOLS, ChargeKind, UsageKind
from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.pricing.rulebook import BEGIN_NS, DAY_NS, END_NS, Layers, Rulebook
from tokenpnl_analytics.rules.prices import STANDARD_TIER

STANDARD = STANDARD_TIER
REQUEST_KIND = ChargeKind.REQUEST.value  # a price per request, which some search models ask for beside their tokens
CONTEXTS: dict[str, dict[str, str]] = {
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "fast": {"service_tier": "fast", "speed": "fast"},
}
KINDS: tuple[str, ...] = (*(kind.value for kind in UsageKind), REQUEST_KIND, *(kind.value for kind in SERVER_TOOLS))
KIND_CODES = {kind: code for code, kind in enumerate(KINDS)}
MORE_TOKENS = 2**62

_MICRO = Decimal("0.000001")
_MILLION = 1_000_000

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
    ChargeKind.WEB_SEARCH.value: {"family": "tool_calls", "tool_type": "web_search"},
    ChargeKind.SOCIAL_SEARCH.value: {"family": "tool_calls", "tool_type": "social_search"},
    ChargeKind.STORAGE_SEARCH.value: {"family": "tool_calls", "tool_type": "storage_search"},
    ChargeKind.CODE_EXECUTION.value: {"family": "tool_calls", "tool_type": "code_execution"},
    ChargeKind.RERANK_SEARCH.value: {"family": "rerank"},
    ChargeKind.DOCUMENT_PAGE.value: {"family": "document_pages", "direction": "input"},
    ChargeKind.ANNOTATED_PAGE.value: {"family": "document_pages", "direction": "input", "page_type": "annotated"},
}
UNCACHED_TWIN = {
    kind: (UsageKind.INPUT_AUDIO if kind == UsageKind.INPUT_AUDIO_CACHE_READ else UsageKind.INPUT_UNCACHED).value
    for kind in KINDS
    if kind.startswith("input_") and "cache_" in kind
}

# Where a price list is silent about a kind, it costs what this one costs.
PARENTS = {
    **{kind.value: UsageKind.INPUT_UNCACHED.value for kind in UsageKind if kind.value.startswith("input_")},
    **{kind.value: UsageKind.OUTPUT_TEXT.value for kind in UsageKind if kind.value.startswith("output_")},
    UsageKind.INPUT_AUDIO_CACHE_READ.value: UsageKind.INPUT_AUDIO.value,
}
del PARENTS[UsageKind.INPUT_UNCACHED.value], PARENTS[UsageKind.OUTPUT_TEXT.value]

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
    "standard_usd_per_million": MONEY,
    "rounded": pl.Boolean,
    "exact": pl.String,
    "inherits": pl.String,
}


@dataclass(frozen=True)
class Listed:
    """The published price of one usage kind in one slot, USD per million."""

    usd: Decimal
    exact: Decimal
    standard_usd: Decimal | None
    inherits: str | None


@dataclass(frozen=True)
class Section:
    """A span of event time [from_ns, until_ns) and the card in force in it."""

    from_ns: int
    until_ns: int
    card: "RateCard" = field(repr=False)


@dataclass(frozen=True)
class RateCard:
    """Dated prices, ready to be joined.

    Attributes:
        slots: one row per published price list in force; `card_key` names (model, context), `[from_ns, until_ns)` its
            dates, `[day_from_ns, day_until_ns)` its window of the UTC day, `(input_above, input_up_to]` its tier.
        rates: one row per slot and priced usage kind: `usd_per_million` (6 decimals), `uncached_usd_per_million`
            (the same tokens outside the cache), `standard_usd_per_million` (in the standard context, where this is
            another one), `rounded` when the source held more decimals (then `exact` has them), `inherits` the kind
            whose price it takes because the list has none for it.
        keys: (provider id, model id, context) -> `card_key`.
        version: source, version and hash of the prices; stored on every line item.
        layers: contract, override, aliases and imported lists over it.
        sections: where versions of prices follow each other in event time: the cards in force; else empty.
    """

    slots: pl.DataFrame = field(repr=False)
    rates: pl.DataFrame = field(repr=False)
    keys: dict[tuple[str, str, str], int] = field(repr=False)
    version: str
    snapshot: DataSnapshot = field(repr=False)
    layers: Layers = field(default=Layers(), repr=False)
    sections: tuple[Section, ...] = field(default=(), repr=False)

    @property
    def in_force(self) -> tuple[Section, ...]:
        """The cards in force by event time; a card without sections is in force for ever."""
        return self.sections or (Section(BEGIN_NS, END_NS, self),)

    @cached_property
    def rulebook(self) -> Rulebook:
        """The rules of the layers, in order."""
        return Rulebook.of(self.layers)

    @cached_property
    def resolved(self) -> dict[Any, Any]:
        """What was resolved before: prices of served models, kept for the life of the card."""
        return {}

    @cached_property
    def slots_by_key(self) -> dict[int, list[dict[str, Any]]]:
        """The slots of each card key."""
        found: dict[int, list[dict[str, Any]]] = {}
        for slot in self.slots.iter_rows(named=True):
            found.setdefault(slot["card_key"], []).append(slot)
        return found

    @cached_property
    def listed_by_rate(self) -> dict[int, dict[str, Listed]]:
        """The published prices of each slot, by usage kind."""
        found: dict[int, dict[str, Listed]] = {}
        wanted = ("rate_id", "usage_kind", "usd_per_million", "standard_usd_per_million", "exact", "inherits")
        for rate_id, kind, usd, standard, exact, inherits in self.rates.select(wanted).iter_rows():
            listed = Listed(usd, usd if exact is None else Decimal(exact), standard, inherits)
            found.setdefault(rate_id, {})[kind] = listed
        return found

    @cached_property
    def joinable_rates(self) -> pl.DataFrame:
        """The published rates by `rate_key`: slot times number of kinds plus the kind's code."""
        return self.rates.select(
            (pl.col("rate_id") * len(KINDS) + pl.col("usage_kind").replace_strict(KIND_CODES)).alias("rate_key"),
            "usd_per_million",
            "uncached_usd_per_million",
            "standard_usd_per_million",
            "rounded",
        )

    @cached_property
    def models_by_provider(self) -> dict[str, list[str]]:
        """The model ids that each provider has a price for, sorted."""
        found: dict[str, list[str]] = {}
        for provider, model, context in sorted(self.keys):
            if context == STANDARD:
                found.setdefault(provider, []).append(model)
        return found


def without_prices(card: RateCard) -> RateCard:
    """Return a card that knows the models and has no price for any."""
    return RateCard(card.slots.clear(), card.rates.clear(), {}, "none", card.snapshot)


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
                name = (provider.id, model.id, context)
                key = keys.setdefault(name, len(keys))
                for when, prices, standard in _price_lists(model, context):
                    matched = context == STANDARD or standard is not None
                    for above, up_to in _tiers(prices, *([standard] if standard else [])):
                        slots.append((key, len(slots), *name, *when, above, up_to, matched))
                        free = model.id.endswith(":free")
                        rates.extend((len(slots) - 1, *rate) for rate in _rates(prices, standard, above, free=free))
    card_rates = pl.DataFrame(rates, schema=_RATE_SCHEMA, orient="row")
    digest = hashlib.sha256(repr((slots, rates)).encode()).hexdigest()[:12]
    card_slots = pl.DataFrame(slots, schema=_SLOT_SCHEMA, orient="row")
    return RateCard(card_slots, card_rates, keys, f"{source} sha256:{digest}", snapshot)


def _contexts(model: ModelInfo) -> list[str]:
    """Return the contexts that the model has ever had a price for, standard first."""
    whens = [variant.when for variant in model.price_variants or ()]
    return [STANDARD, *(name for name, ctx in CONTEXTS.items() if any(when.items() <= ctx.items() for when in whens))]


def _price_lists(
    model: ModelInfo, context: str
) -> Iterator[tuple[tuple[int, int, int, int], ModelPrice, ModelPrice | None]]:
    """Yield (dates and window of the day), prices, and the standard ones where the context has prices of its own."""
    conditional = [] if isinstance(model.prices, ModelPrice) else model.prices
    wanted = CONTEXTS.get(context)
    variants = [v for v in model.price_variants or () if wanted and v.when.items() <= wanted.items()]
    for from_ns, until_ns, day in _date_spans(conditional, variants):
        for opens, closes in _day_windows(conditional, variants):
            moment = datetime.combine(day, time(), UTC) + timedelta(microseconds=opens // 1000)
            own = any(v.constraint is None or v.constraint.active(moment) for v in variants)
            standard = model.get_prices(moment) if own else None
            yield (from_ns, until_ns, opens, closes), model.get_prices(moment, wanted), standard


def _date_spans(conditional: list[ConditionalPrice], variants: list[PriceVariant]) -> Iterator[tuple[int, int, date]]:
    """Yield [from, until) in nanoseconds, and a day inside, between the dates at which any price changes."""
    items: list[ConditionalPrice | PriceVariant] = [*conditional, *variants]
    constraints = [item.constraint for item in items]
    dates = sorted({c.start_date for c in constraints if isinstance(c, StartDateConstraint)})
    starts = [_day_ns(day) for day in dates]
    days = [dates[0] - timedelta(days=1) if dates else date(2020, 1, 1), *dates]
    yield from zip([BEGIN_NS, *starts], [*starts, END_NS], days, strict=True)


def _day_ns(day: date) -> int:
    return (day - date(1970, 1, 1)).days * DAY_NS


def _day_windows(conditional: list[ConditionalPrice], variants: list[PriceVariant]) -> list[tuple[int, int]]:
    """Return the windows of the UTC day, in nanoseconds, between the times at which any price changes."""
    edges = {0, DAY_NS}
    items: list[ConditionalPrice | PriceVariant] = [*conditional, *variants]
    for item in items:
        if isinstance(item.constraint, TimeOfDateConstraint):
            edges |= {_time_ns(item.constraint.start_time), _time_ns(item.constraint.end_time)}
    ordered = sorted(edges)
    return list(pairwise(ordered))


def _time_ns(moment: time) -> int:
    utc = datetime.combine(date(1970, 1, 2), moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    return ((utc.hour * 60 + utc.minute) * 60 + utc.second) * 1_000_000_000


def _tiers(*lists: ModelPrice) -> list[tuple[int, int]]:
    """Return the (above, up to] bounds of the request's whole input, cache included, at which any price jumps."""
    tiered = [value for prices in lists for value in prices.__dict__.values() if isinstance(value, TieredPrices)]
    bounds = sorted({tier.start for value in tiered for tier in value.tiers})
    return list(zip([-1, *bounds], [*bounds, MORE_TOKENS], strict=True))


def _rates(
    prices: ModelPrice, standard: ModelPrice | None, above: int, *, free: bool
) -> list[tuple[str, Decimal, Decimal, Decimal | None, bool, str | None, str | None]]:
    """Return kind, USD per million, uncached, standard, whether rounding changed it, the exact price, inherits from."""
    exact = _exact_prices(prices, above)
    if not exact and free:
        # genai-prices lists the free variants of hosted models with an empty price list.
        return [(kind.value, Decimal(0), Decimal(0), None, False, None, None) for kind in UsageKind]
    usual = {} if standard is None else _exact_prices(standard, above)
    chosen = _price_keys(_priced(prices))
    found = []
    for kind, price in exact.items():
        usd = quantised(price)
        twin = exact.get(UNCACHED_TWIN.get(kind, kind), price)
        parent = PARENTS.get(kind)
        inherits = parent if parent and chosen.get(parent) == chosen[kind] else None
        normal = quantised(usual[kind]) if kind in usual else None
        found.append((kind, usd, quantised(twin), normal, usd != price, str(price) if usd != price else None, inherits))
    return found


def quantised(usd_per_million: Decimal) -> Decimal:
    """Return a price per million at six decimals, half-even: every line item is then exact at twelve."""
    return usd_per_million.quantize(_MICRO, ROUND_HALF_EVEN)


def _exact_prices(prices: ModelPrice, above: int) -> dict[str, Decimal]:
    """Return the USD per million of each priced kind for requests with more input than `above`."""
    return {
        kind: _reached(getattr(prices, key), above) * _MILLION / _unit_sizes()[key]
        for kind, key in _price_keys(_priced(prices)).items()
    }


def _priced(prices: ModelPrice) -> frozenset[str]:
    return frozenset(key for key, value in prices.__dict__.items() if value is not None)


def _reached(price: Decimal | TieredPrices, above: int) -> Decimal:
    if not isinstance(price, TieredPrices):
        return price
    reached = [tier.price for tier in price.tiers if tier.start <= above]
    return reached[-1] if reached else price.base


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
