"""The prices of a set of usages as frames to join: the slots of each served model, the price of each kind in them."""

from dataclasses import dataclass

import polars as pl

from tokenpnl.model import PriceSource
from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.pricing.cells import Price
from tokenpnl_analytics.pricing.layered import LaidSlot, laid_slots
from tokenpnl_analytics.pricing.matching import match, released_ns
from tokenpnl_analytics.pricing.ratecard import KIND_CODES, KINDS, RateCard
from tokenpnl_analytics.pricing.rulebook import Served

N_KINDS = len(KINDS)
_SERVED = ("provider", "model", "service_tier", "deployment")
_SLOTS: dict[str, type[pl.DataType]] = {
    "card_key": pl.Int64,
    "rate_id": pl.Int64,
    "from_ns": pl.Int64,
    "until_ns": pl.Int64,
    "day_from_ns": pl.Int64,
    "day_until_ns": pl.Int64,
    "input_above": pl.Int64,
    "input_up_to": pl.Int64,
    "context_matched": pl.Boolean,
}
# What only rules say; where none does, list, contracted and effective price are the published one.
RULED: dict[str, pl.DataType | type[pl.DataType]] = {
    "contracted_usd_per_million": MONEY,
    "effective_usd_per_million": MONEY,
    "price_source": pl.String,
    "price_reason": pl.String,
    "currency": pl.String,
    "native_unit_per_million": MONEY,
    "rule_pool": pl.String,
}
_RATES: dict[str, pl.DataType | type[pl.DataType]] = {
    "rate_key": pl.Int64,
    "usd_per_million": MONEY,
    "uncached_usd_per_million": MONEY,
    "standard_usd_per_million": MONEY,
    "rounded": pl.Boolean,
    **RULED,
}


@dataclass(frozen=True)
class Lookup:
    """Prices ready to be joined.

    Attributes:
        by: columns of a usage that decide its price.
        known: one row per distinct `by`: `card_key` (NULL: no price), `never` (its tier never had a price), `undated`
            (priced as its undated model), `released_ns` (date in the model's name).
        slots: price lists in force by `card_key`; `rate_id` names one.
        rates: prices by `rate_key` (`rate_id` times the number of kinds, plus the kind's code), USD per million.
        ruled: `rates` has the columns of `RULED`.
    """

    by: tuple[str, ...]
    known: pl.DataFrame
    slots: pl.DataFrame
    rates: pl.DataFrame
    ruled: bool


def lookup(card: RateCard, usages: pl.DataFrame) -> Lookup:
    """Return the prices of usages by a card without sections; absent columns of `by` count as unknown."""
    asked = [
        name for name, wanted in (("region", card.rulebook.by_region), ("tenant", card.rulebook.by_tenant)) if wanted
    ]
    by = tuple(name for name in (*_SERVED, *asked) if name in usages.columns)
    models = usages.select(by).unique(maintain_order=True)
    served = [Served(**row) for row in models.iter_rows(named=True)]
    laid = [laid_slots(card, one) if card.layers else None for one in served]
    first_key = len(card.keys)
    keys, never, undated = [], [], []
    for number, (one, slots) in enumerate(zip(served, laid, strict=True)):
        found = match(card, one.provider, one.model, one.service_tier, one.deployment)
        keys.append(found.card_key if slots is None else first_key + number)
        never.append(found.context_unmatched and slots is None)
        undated.append(found.undated if slots is None else any(slot.undated for slot in slots))
    known = models.with_columns(
        pl.Series("card_key", keys, pl.Int64),
        pl.Series("never", never, pl.Boolean),
        pl.Series("undated", undated, pl.Boolean),
        pl.Series("released_ns", [released_ns(one.model) if one.model else None for one in served], pl.Int64),
    )
    own = {key: slots for key, slots in zip(keys, laid, strict=True) if key is not None and slots is not None}
    published = card.slots.select(*_SLOTS)
    if not own:
        return Lookup(by, known, published, card.joinable_rates, ruled=False)
    laid_slot_rows, laid_rates = _laid_frames(own, first_rate=card.slots.height)
    below = published.filter(pl.col("card_key").is_in(keys))
    rates = pl.concat([_published_rates(card, below), laid_rates])
    return Lookup(by, known, pl.concat([below, laid_slot_rows]), rates, ruled=True)


def as_ruled(rates: pl.DataFrame) -> pl.DataFrame:
    """Return published rates with the columns that rules would fill."""
    priced = pl.col("usd_per_million").is_not_null()
    nothing = ("price_reason", "currency", "native_unit_per_million", "rule_pool")
    return rates.with_columns(
        pl.col("usd_per_million").alias("contracted_usd_per_million"),
        pl.col("usd_per_million").alias("effective_usd_per_million"),
        pl.when(priced).then(pl.lit(PriceSource.GENAI_PRICES.value)).alias("price_source"),
        *(pl.lit(None, RULED[name]).alias(name) for name in nothing),
    )


def _published_rates(card: RateCard, slots: pl.DataFrame) -> pl.DataFrame:
    rates = card.joinable_rates.filter((pl.col("rate_key") // N_KINDS).is_in(slots["rate_id"].to_list()))
    return as_ruled(rates).select(*_RATES)


def _laid_frames(own: dict[int, tuple[LaidSlot, ...]], *, first_rate: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    slots: list[tuple[object, ...]] = []
    rates: list[tuple[object, ...]] = []
    for key, laid in own.items():
        for slot in laid:
            rate_id = first_rate + len(slots)
            when = (slot.from_ns, slot.until_ns, slot.day_from_ns, slot.day_until_ns)
            slots.append((key, rate_id, *when, slot.input_above, slot.input_up_to, slot.context_matched))
            rates.extend(_rate(rate_id * N_KINDS + KIND_CODES[price.kind], price) for price in slot.prices)
    return (
        pl.DataFrame(slots, schema=_SLOTS, orient="row"),
        pl.DataFrame(rates, schema=_RATES, orient="row"),
    )


def _rate(rate_key: int, price: Price) -> tuple[object, ...]:
    return (
        rate_key,
        price.list_usd,
        price.uncached_usd,
        price.standard_usd,
        price.rounded,
        price.contracted_usd,
        price.effective_usd,
        price.source,
        price.reason,
        price.currency,
        price.native,
        price.pool,
    )
