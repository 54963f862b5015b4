"""Spans as a forest: which version of a span counts, who its ancestors are, and what it inherits from them.

Rows are addressed by their position after sorting by (tenant, trace, span), so that the order of arrival decides
nothing. Ancestors are found by pointer doubling: as many rounds as the depth has binary digits, never a loop over rows.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tokenpnl.model import Flag
from tokenpnl_analytics.flags import with_flags
from tokenpnl_analytics.resolving.usage import REPORTED_COLUMNS

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]
KEY = ("tenant", "trace_id", "span_id")


@dataclass(frozen=True)
class Forest:
    """One row per span with its parent; `size` stands for "none" wherever a row number is expected.

    Args:
        spans: the counting version of each span, sorted by tenant, trace, span, with `row` and `trace` (a number).
        parent: row of the parent, or `size`; free of cycles; one more entry than there are spans.
        jumps: `parent` applied 1, 2, 4, ... times.
    """

    spans: pl.DataFrame
    parent: Rows
    jumps: tuple[Rows, ...]

    @property
    def size(self) -> int:
        """How many spans there are, and the number that stands for none."""
        return self.spans.height

    def nearest(self, mask: Mask) -> Rows:
        """Return for each row the nearest row that is marked: itself, else an ancestor, else `size`."""
        found = np.where(mask, np.arange(self.size), self.size)
        found = np.append(found, self.size)
        for jump in self.jumps:
            found = np.where(found == self.size, found[jump], found)
        return found

    def above(self, mask: Mask) -> Rows:
        """Return for each row the nearest ancestor that is marked, not the row itself, else `size`."""
        return self.nearest(mask)[self.parent]

    def mask(self, condition: pl.Expr) -> Mask:
        """Return the rows for which the condition holds; NULL counts as false."""
        return self.spans.select(condition.fill_null(value=False).alias("mask"))["mask"].to_numpy()

    def at(self, rows: Rows, *columns: str) -> pl.DataFrame:
        """Return the columns at the given rows, NULL where a row is `size`."""
        return self.spans.select(pl.col(columns).gather(self._index(rows)))

    def inherited(self, rows: Rows, *columns: str) -> pl.DataFrame:
        """Return for the given rows each column's nearest known value, their own or an ancestor's."""
        known = self.spans.select(pl.col(columns).is_not_null())
        found = {name: self._index(self.nearest(known[name].to_numpy())[rows]) for name in columns}
        return self.spans.select(pl.col(name).gather(index) for name, index in found.items())

    def _index(self, rows: Rows) -> pl.Series:
        index = pl.Series(rows, dtype=pl.Int64)
        return index.set(index == self.size, None) if (rows == self.size).any() else index


def forest(spans: pl.DataFrame) -> Forest:
    """Return the forest of the spans' counting versions.

    A parent that is absent, the span itself, or part of a cycle is no parent.
    """
    latest = counting_versions(spans).sort(KEY)
    latest = latest.with_columns(trace=pl.struct("tenant", "trace_id").rle_id()).with_row_index("row")
    latest = latest.with_columns(pl.col("row").cast(pl.Int64))
    size = latest.height
    named = latest.lazy().select("trace", parent_span_id="span_id", parent="row")
    joined = (
        latest.lazy()
        .select("trace", "parent_span_id")
        .join(named, on=["trace", "parent_span_id"], how="left", maintain_order="left")
    )
    parent = np.append(joined.collect()["parent"].fill_null(size).to_numpy(), size)
    parent, jumps = _acyclic(parent)
    return Forest(latest, parent, jumps)


def _acyclic(parent: Rows) -> tuple[Rows, tuple[Rows, ...]]:
    jumps = _jumps(parent)
    none = parent.size - 1
    lost = jumps[-1] != none
    if not lost.any():
        return parent, jumps
    # After as many steps as there are rows, whoever has not left the forest stands on a cycle.
    parent = parent.copy()
    parent[np.unique(jumps[-1][lost])] = none
    return parent, _jumps(parent)


def _jumps(parent: Rows) -> tuple[Rows, ...]:
    none = parent.size - 1
    jumps = [parent]
    while (jumps[-1] != none).any() and 2 ** (len(jumps) - 1) <= parent.size:
        jumps.append(jumps[-1][jumps[-1]])
    return tuple(jumps)


def counting_versions(spans: pl.DataFrame) -> pl.DataFrame:
    """Return one row per (tenant, trace, span).

    Of versions with different content the one that ended last counts, then the one with more usage counts, then the
    one with the greater hash; it is flagged `conflicting_versions`. Repetitions of the same content are no conflict.
    """
    repeated = spans.select(KEY).is_duplicated()
    if not repeated.any():
        return spans
    usage = pl.sum_horizontal(pl.col(REPORTED_COLUMNS).is_not_null())
    versions = spans.filter(repeated).unique([*KEY, "content_hash"], keep="any")
    ranked = versions.with_columns(_usage=usage, _versions=pl.len().over(KEY)).sort(
        *KEY, "ended_at", "_usage", "content_hash", descending=[False] * 3 + [True] * 3, nulls_last=True
    )
    winners = ranked.unique(KEY, keep="first", maintain_order=True)
    winners = with_flags(winners, {Flag.CONFLICTING_VERSIONS: pl.col("_versions") > 1})
    return pl.concat([spans.filter(~repeated), winners.select(spans.columns)])
