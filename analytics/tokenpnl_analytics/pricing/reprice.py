"""What another rate card would change: the same usage at old and new prices, exact, without pricing call by call.

Prices are linear between the moments and bounds at which any of them changes. So the tokens of all calls in one such
cell are summed first, and only the sums are priced: the result equals pricing every call, at a fraction of the work.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from tokenpnl.model import SERVER_TOOLS, CostSource, UsageKind
from tokenpnl_analytics.frames import MONEY, known_sum
from tokenpnl_analytics.pricing.lookup import lookup
from tokenpnl_analytics.pricing.prices import N_REQUESTS, requests_asked, token_lines, whole_input
from tokenpnl_analytics.pricing.ratecard import RateCard
from tokenpnl_analytics.pricing.rulebook import BEGIN_NS, DAY_NS, END_NS

_SERVED = ("provider", "model", "service_tier", "deployment", "region", "tenant", "billed")
_MOST_DENSE = 4_000_000  # cells that are counted in place; more are numbered first
_EXACT_IN_FLOAT64 = 2**53
_TOOLS = frozenset(SERVER_TOOLS.values())
_COUNTS = (*(kind.column for kind in UsageKind), *SERVER_TOOLS.values(), N_REQUESTS)


def preview(attempts: pl.DataFrame, old: RateCard, new: RateCard) -> pl.DataFrame:
    """Return what the usage costs by both cards.

    Args:
        attempts: table `attempts`, or a frame with its usage kinds, `started_at`, `billed`, `provider`, `model`,
            `service_tier`, `deployment`, and `input_total_tokens`, `region`, `tenant`, the counts of
            `SERVER_TOOLS` where known.
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
        attempt of the cell, the summed usage kinds, the counts of `SERVER_TOOLS` and `n_requests`, `n_calls`; sorted.
        Usage kinds that no attempt has are NULL.
    """
    served = [name for name in _SERVED if name in attempts.columns]
    codes, n_codes = _codes(attempts, served)
    edges = _Edges.of(cards, attempts.select(name for name in served if name != "billed").unique())
    total = _whole_inputs(attempts)
    cells, n_cells = edges.cells(attempts["started_at"].to_physical().to_numpy(), total.fill_null(0).to_numpy())
    groups = codes * n_cells + cells
    if n_codes * n_cells > _MOST_DENSE:
        groups = np.unique(groups, return_inverse=True)[1]
    n_calls = np.bincount(groups)
    present = np.flatnonzero(n_calls)
    member = np.zeros(len(n_calls), dtype=np.int64)
    member[groups] = np.arange(len(groups))
    known = [name for name in _COUNTS if name in attempts.columns and attempts[name].null_count() < attempts.height]
    asked = attempts.select(requests_asked(name for name in known if name not in _TOOLS).alias(N_REQUESTS))
    sums = [sums_by_cell(counts, groups, present) for counts in (*attempts.select(known), *asked)]
    absent = [pl.lit(None, pl.Int64).alias(name) for name in _COUNTS if name not in {*known, N_REQUESTS}]
    return (
        attempts.select(*served, "started_at", total.alias("input_total_tokens"))[member[present]]
        .with_columns(*sums, *absent, pl.Series("n_calls", n_calls[present], pl.Int64))
        .with_columns(pl.col("started_at").dt.strftime("%Y-%m").alias("month"))
        .sort([*served, "started_at", "input_total_tokens"], nulls_last=True)
    )


def _whole_inputs(attempts: pl.DataFrame) -> pl.Series:
    stated = attempts["input_total_tokens"]
    return attempts.select(whole_input()).to_series() if stated.null_count() else stated


def _codes(attempts: pl.DataFrame, served: Sequence[str]) -> tuple[np.ndarray, int]:
    """Return a number for every distinct combination of the columns, and an upper bound of them."""
    codes, n_codes = np.zeros(attempts.height, dtype=np.int64), 1
    for name in served:
        values = attempts[name]
        if values.null_count() == len(values):
            continue
        known = values.cast(pl.Int64) if values.dtype == pl.Boolean else values.cast(pl.Categorical).to_physical()
        n_values = int(known.cast(pl.Int64).max()) + 2  # type: ignore[arg-type]  # not all are NULL
        codes = codes * n_values + known.cast(pl.Int64).fill_null(n_values - 1).to_numpy()
        n_codes *= n_values
    return codes, n_codes


def sums_by_cell(counts: pl.Series, groups: np.ndarray, present: np.ndarray) -> pl.Series:
    """Return exact sums of counts by group, in the order of the groups that are present.

    Args:
        counts: tokens, not negative; NULL counts as none.
        groups: number of the group of each count.
        present: groups to return.
    """
    values = (counts.fill_null(0) if counts.null_count() else counts).to_numpy()
    if int(values.max(initial=0)) * len(values) < _EXACT_IN_FLOAT64:
        summed = np.bincount(groups, weights=values)[present].astype(np.int64)
    else:
        sums = np.zeros(int(groups.max()) + 1, dtype=np.int64)
        np.add.at(sums, groups, values)
        summed = sums[present]
    return pl.Series(counts.name, summed, pl.Int64)


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

    def cells(self, at_ns: np.ndarray, total: np.ndarray) -> tuple[np.ndarray, int]:
        """Return the number of the cell of each attempt, and how many there are; cells of two months differ."""
        months = _month_starts(at_ns)
        parts = [
            (at_ns, sorted({*self.moments, *months})),
            (at_ns % DAY_NS, self.times_of_day),
            (total, self.inputs),
        ]
        cells, n_cells = np.zeros(len(at_ns), dtype=np.int64), 1
        for values, edges in parts:
            if edges:
                cells += n_cells * np.searchsorted(np.array(edges, dtype=np.int64), values, side="right")
                n_cells *= len(edges) + 1
        return cells, n_cells


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
