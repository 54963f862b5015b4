"""Usage that only a parent tells: an agent, chain or workflow span with more than the calls below it.

A parent fills the gap, never more: its whole usage where nothing below reports any, the remainder where parent and
children come from the same emitter and no count would become negative, otherwise nothing.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from tokenpnl_analytics.resolving.bill import Bearers
from tokenpnl_analytics.resolving.forest import Forest, Rows

COUNTS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")


@dataclass(frozen=True)
class Gaps:
    """What parents know beyond their children.

    Args:
        filled: `unit`, COUNTS and `parent`: calls without usage that take the parent's (the remainder of it).
        added: `parent` and COUNTS: parents that are the only witness of a call.
        repeated: `parent`, `unit`: parents whose usage is told by the calls below; `unit` is the last of these.
    """

    filled: pl.DataFrame
    added: pl.DataFrame
    repeated: pl.DataFrame


def gaps(trees: Forest, roles: Bearers, members: pl.DataFrame, units: pl.DataFrame) -> Gaps:
    """Return what the aggregates of the trees add to the calls below them.

    Args:
        trees: the spans.
        roles: who speaks of which call.
        members: `row`, `unit`, `scope_name` of every record that describes a call.
        units: one row per call: `unit`, COUNTS, `started_at`, `status_code`.
    """
    nothing = {"parent": pl.Int64, "unit": pl.Int64, **dict.fromkeys(COUNTS, pl.Int64)}
    empty = pl.DataFrame(schema=nothing)
    if not roles.aggregate.any():
        return Gaps(empty, empty.drop("unit"), empty.select("parent", "unit"))
    upper = trees.above(roles.aggregate)
    parents = _parents(trees, np.flatnonzero(roles.aggregate), upper)
    open_items = _calls_below(trees, members, units, upper)
    done = []
    for depth in range(int(parents["depth"].max() or 0), -1, -1):  # type: ignore[arg-type]
        level = parents.filter(pl.col("depth") == depth)
        settled = _settle(level, open_items)
        done.append(settled)
        rest = open_items.join(level, on="parent", how="anti")
        open_items = pl.concat([rest, _passed_on(settled)])
    return _verdicts(pl.concat(done))


def _parents(trees: Forest, rows: Rows, upper: Rows) -> pl.DataFrame:
    depth, above = np.zeros(rows.size, dtype=np.int64), upper[rows]
    while (above != trees.size).any():
        depth += above != trees.size
        above = upper[above]
    frame = trees.at(rows, "scope_name", *COUNTS)
    return frame.with_columns(
        pl.col("scope_name").fill_null(""), parent=pl.Series(rows), above=pl.Series(upper[rows]), depth=pl.Series(depth)
    )


def _calls_below(trees: Forest, members: pl.DataFrame, units: pl.DataFrame, upper: Rows) -> pl.DataFrame:
    """Return one row per call below an aggregate: the nearest `parent`, and the scopes that describe the call."""
    below = members.select(
        "unit", pl.col("scope_name").fill_null(""), parent=pl.Series(upper[members["row"].to_numpy()])
    )
    below = below.filter(pl.col("parent") != trees.size)
    grouped = below.group_by("unit").agg(pl.col("parent").min(), scopes=pl.col("scope_name").unique().sort())
    told = pl.sum_horizontal("input_tokens", "output_tokens") > 0
    facts = units.select(
        "unit",
        "started_at",
        *(pl.col(name).fill_null(0) for name in COUNTS),
        used=told,
        hungry=~told & (pl.col("status_code") != "error").fill_null(value=True),
    )
    return grouped.join(facts, on="unit")


def _settle(level: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    here = items.join(level.select("parent", scope="scope_name"), on="parent").sort("started_at", "unit")
    sums = here.group_by("parent", maintain_order=True).agg(
        *(pl.col(name).sum().alias(f"{name}_below") for name in COUNTS),
        told=pl.col("used").any(),
        kin=pl.col("scopes").list.contains(pl.col("scope")).filter("used").all(),
        last_used=pl.col("unit").filter("used").last(),
        last_hungry=pl.col("unit").filter("hungry").last(),
        last_start=pl.col("started_at").max(),
    )
    joined = level.join(sums, on="parent", how="left").with_columns(
        pl.col("told").fill_null(value=False), *(pl.col(f"{name}_below").fill_null(0) for name in COUNTS)
    )
    rest = {f"{name}_rest": pl.col(name) - pl.col(f"{name}_below") for name in COUNTS}
    joined = joined.with_columns(**rest)
    fits = pl.all_horizontal((pl.col(name) >= 0).fill_null(value=True) for name in rest)
    more = pl.sum_horizontal("input_tokens_rest", "output_tokens_rest") > 0
    return joined.with_columns(counts=more & (~pl.col("told") | (pl.col("kin") & fits)))


def _passed_on(settled: pl.DataFrame) -> pl.DataFrame:
    """Return what each settled parent stands for, as one item below the aggregate above it."""
    return settled.filter(pl.col("told") | pl.col("counts")).select(
        unit=pl.coalesce("last_used", "last_hungry", "parent"),
        parent="above",
        scopes=pl.when(pl.col("kin").fill_null(value=True)).then(pl.concat_list("scope_name")).otherwise(pl.lit([""])),
        started_at="last_start",
        **{name: pl.when("counts").then(pl.col(name).fill_null(0)).otherwise(f"{name}_below") for name in COUNTS},
        used=pl.lit(value=True),
        hungry=pl.lit(value=False),
    )


def _verdicts(settled: pl.DataFrame) -> Gaps:
    rest = {name: pl.when("told").then(f"{name}_rest").otherwise(name) for name in COUNTS}
    counting = settled.filter("counts")
    return Gaps(
        filled=counting.filter(pl.col("last_hungry").is_not_null()).select("parent", unit="last_hungry", **rest),
        added=counting.filter(pl.col("last_hungry").is_null()).select("parent", **rest),
        repeated=settled.filter(~pl.col("counts") & pl.col("told")).select("parent", unit="last_used"),
    )
