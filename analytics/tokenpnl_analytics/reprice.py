"""What another rate card would change: the same usage at old and new prices, exact, without pricing call by call.

Prices are linear between the moments and bounds at which any of them changes. So the tokens of all calls in one such
cell are summed first, and only the sums are priced: the result equals pricing every call, at a fraction of the work.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import polars as pl

from tokenpnl.model import CostSource, UsageKind
from tokenpnl_analytics.frames import MONEY, known_sum
from tokenpnl_analytics.lookup import lookup
from tokenpnl_analytics.prices import N_REQUESTS, requests_asked, token_lines, whole_input
from tokenpnl_analytics.ratecard import RateCard
from tokenpnl_analytics.rulebook import BEGIN_NS, DAY_NS, END_NS

_SERVED = ("provider", "model", "service_tier", "deployment", "region", "tenant", "billed")
_COUNTS = (*(kind.column for kind in UsageKind), "web_searches", N_REQUESTS)


def preview(attempts: pl.DataFrame, old: RateCard, new: RateCard) -> pl.DataFrame:
    """Return what the usage costs by both cards.

    Args:
        attempts: table `attempts`, or a frame with its usage kinds, `started_at`, `billed`, `provider`, `model`,
            `service_tier`, `deployment`, and `input_total_tokens`, `region`, `tenant`, `web_searches` where known.
        old: card in force.
        new: card to compare.

    Returns:
        `month` (UTC, 2026-11), `provider`, `model`, `usage_kind`, `n_calls`, `quantity`, `old_usd`, `new_usd`,
        `difference_usd` (new minus old; NULL: one of them has no price), `old_unpriced_quantity`,
        `new_unpriced_quantity`; sorted. Costs are effective ones.
    """
    usage = usage_sums(attempts, (old, new))
    keys = ["month", "provider", "model", "usage_kind"]
    before, after = (_costs(usage, card, keys) for card in (old, new))
    return (
        before.join(after, on=keys, how="full", coalesce=True, nulls_equal=True, suffix="_new")
        .select(
            *keys,
            pl.coalesce("n_calls", "n_calls_new").alias("n_calls"),
            pl.coalesce("quantity", "quantity_new").alias("quantity"),
            pl.col("usd").alias("old_usd"),
            pl.col("usd_new").alias("new_usd"),
            (pl.col("usd_new") - pl.col("usd")).alias("difference_usd"),
            pl.col("unpriced_quantity").alias("old_unpriced_quantity"),
            pl.col("unpriced_quantity_new").alias("new_unpriced_quantity"),
        )
        .sort(keys, nulls_last=True)
    )


def changes(attempts: pl.DataFrame, old: RateCard, new: RateCard) -> pl.DataFrame:
    """Return the rows of `preview` whose cost or whose being priced would change."""
    moved = pl.col("old_usd").ne_missing(pl.col("new_usd"))
    priced = pl.col("old_unpriced_quantity").ne_missing(pl.col("new_unpriced_quantity"))
    return preview(attempts, old, new).filter(moved | priced)


def usage_sums(attempts: pl.DataFrame, cards: Sequence[RateCard]) -> pl.DataFrame:
    """Return attempts summed within the cells in which no card changes any price.

    Returns:
        One row per cell and `month`: the columns that decide a price, `started_at` and `input_total_tokens` of one
        attempt of the cell, the summed usage kinds, `web_searches` and `n_requests`, `n_calls`; sorted.
    """
    served = [name for name in _SERVED if name in attempts.columns]
    models = attempts.select(name for name in served if name != "billed").unique()
    edges = _Edges.of(cards, models)
    at_ns = attempts["started_at"].to_physical().to_numpy()
    total = attempts.select(whole_input()).to_series().fill_null(0).to_numpy()
    cells = pl.Series("cell", edges.cells(at_ns, total))
    counts = [
        (pl.col(name) if name in attempts.columns else pl.lit(None, pl.Int64)).sum().alias(name)
        for name in _COUNTS
        if name != N_REQUESTS
    ]
    month = pl.col("started_at").dt.strftime("%Y-%m")
    return (
        attempts.with_columns(cells, whole_input().alias("input_total_tokens"))
        .group_by([*served, "cell"])
        .agg(
            pl.col("started_at").min(),
            pl.col("input_total_tokens").min(),
            *counts,
            requests_asked().sum().cast(pl.Int64).alias(N_REQUESTS),
            pl.len().cast(pl.Int64).alias("n_calls"),
        )
        .with_columns(month.alias("month"))
        .sort([*served, "cell"], nulls_last=True)
        .drop("cell")
    )


@dataclass(frozen=True)
class _Edges:
    """Where prices change: moments, times of the day, sizes of input; each sorted, without the ends of the scale."""

    moments: list[int]
    times_of_day: list[int]
    inputs: list[int]

    @classmethod
    def of(cls, cards: Sequence[RateCard], models: pl.DataFrame) -> "_Edges":
        """Return the edges of all prices that the cards have for the models, months included."""
        sections = [section for card in cards for section in card.in_force]
        slots = [_slots(section.card, models) for section in sections]
        bounds = [bound for section in sections for bound in (section.from_ns, section.until_ns)]
        moments = {*bounds, *_values(slots, "from_ns"), *_values(slots, "until_ns")} - {BEGIN_NS, END_NS}
        times = {*_values(slots, "day_from_ns"), *_values(slots, "day_until_ns")} - {0, DAY_NS}
        # A tier begins with the first token above its bound.
        return cls(sorted(moments), sorted(times), sorted({above + 1 for above in _values(slots, "input_above")} - {0}))

    def cells(self, at_ns: np.ndarray, total: np.ndarray) -> np.ndarray:
        """Return the number of the cell of each attempt; cells of different months differ."""
        months = _month_starts(at_ns)
        parts = [
            (at_ns, sorted({*self.moments, *months})),
            (at_ns % DAY_NS, self.times_of_day),
            (total, self.inputs),
        ]
        sizes = [len(edges) + 1 for _, edges in parts]
        weights = [1, *accumulate(sizes[:-1], lambda product, size: product * size)]
        cells = np.zeros(len(at_ns), dtype=np.int64)
        for (values, edges), weight in zip(parts, weights, strict=True):
            if edges:
                cells += weight * np.searchsorted(np.array(edges, dtype=np.int64), values, side="right")
        return cells


def _slots(card: RateCard, models: pl.DataFrame) -> pl.DataFrame:
    found = lookup(card, models)
    return found.slots.join(found.known.select("card_key").unique(), on="card_key", how="semi")


def _values(frames: Iterable[pl.DataFrame], column: str) -> list[int]:
    return [value for frame in frames for value in frame[column].unique().to_list()]


def _month_starts(at_ns: np.ndarray) -> list[int]:
    if not len(at_ns):
        return []
    first, last = (np.datetime64(int(moment), "ns").astype("datetime64[M]") for moment in (at_ns.min(), at_ns.max()))
    starts = np.arange(first, last + 2).astype("datetime64[ns]").astype(np.int64)
    return [int(start) for start in starts]


def _costs(usage: pl.DataFrame, card: RateCard, keys: list[str]) -> pl.DataFrame:
    numbered = usage.with_row_index("number").with_columns(
        pl.col("number").cast(pl.String).alias("attempt_id"), pl.lit("").alias("flags")
    )
    lines = token_lines(numbered.drop("n_calls", "month"), card)
    named = numbered.select("attempt_id", "month", "n_calls")
    unpriced = pl.col("cost_source") == CostSource.UNPRICED.value
    return (
        lines.select("attempt_id", "provider", "model", "usage_kind", "quantity", "cost_usd", "cost_source")
        .join(named, on="attempt_id", how="left")
        .group_by(keys)
        .agg(
            pl.col("n_calls").sum(),
            pl.col("quantity").sum(),
            known_sum(pl.col("cost_usd")).cast(MONEY).alias("usd"),
            pl.col("quantity").filter(unpriced).sum().alias("unpriced_quantity"),
        )
    )
