"""The replay: which recorded attempts a change touches, and what the changed ones cost on the frozen prices.

A *replayed frame* is the baseline's attempts, in order, with more rows at its end if the change adds some, and

- `kept`: False where the attempt would no longer be made;
- `changed`: True where it is priced again, because its model, tier or tokens differ;
- `added`: True for an attempt that the baseline did not have; it is always priced;
- `extra_usd`: Decimal, what the change costs or saves outside tokens: a GPU's hour, a verifier, a lookup;
- `answered`: Decimal from 0 to 1, share of the row's tokens that in expectation need no model, as a cache answers;
- `priced_by`: NULL, or the name of the rate card in `Replayed.cards` by which a row is priced;
- `touched_by`: NULL, or the name of the last scenario that touched the row.

What a pool or a commitment costs (`capacity_usd`) is paid by the hour, whether a call is made or not. So a call that is
saved on it saves nothing until somebody gives the capacity back: only hosting scenarios do, by a negative `extra_usd`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias

import polars as pl

from tokenpnl.model import CostSource
from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.pricing.prices import token_lines
from tokenpnl_analytics.pricing.ratecard import RateCard
from tokenpnl_analytics.resolving.usage import KIND_NAMES
from tokenpnl_analytics.rules.scenario_families import CallMatch
from tokenpnl_analytics.whatif.baseline import Baseline
from tokenpnl_analytics.whatif.result import Estimate, Evidence

_ZERO = pl.lit(0, MONEY)
_PRICED_BY = (
    *("tenant", "provider", "model", "service_tier", "deployment", "region", "started_at", "billed"),
    *("input_total_tokens", "web_searches", *KIND_NAMES),
)


@dataclass(frozen=True)
class Replayed:
    """What a family made of the frame that it was given.

    Attributes:
        attempts: the replayed frame; where `refused_because` is set, the frame as it was given.
        evidence: of the saving.
        success_evidence: of what happens to success.
        success: change of the share of successful runs, of those that it may touch, where the family can tell; else
            None.
        saving_range: saving in USD over the window, float64, if the assumptions were at their ends: low and high;
            None: they have no range.
        saving_by_assumption: the same for each assumption alone, the others as stated: its name to (low, high).
        assumptions: what must hold, one sentence each.
        falsified_by: what one would see if an assumption were wrong, one sentence each.
        to_log: what to record to move up one class.
        caveats: what else the reader must know.
        measured: what the family measured on the traffic, one frame by name, to be shown beside the result.
        cards: rate cards that `priced_by` names.
        refused_because: why nothing was replayed, in one sentence.
    """

    attempts: pl.DataFrame = field(repr=False)
    evidence: Evidence
    success_evidence: Evidence
    success: Estimate | None = None
    saving_range: tuple[float, float] | None = None
    saving_by_assumption: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()
    falsified_by: tuple[str, ...] = ()
    to_log: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    measured: Mapping[str, pl.DataFrame] = field(default_factory=dict, repr=False)
    cards: Mapping[str, RateCard] = field(default_factory=dict, repr=False)
    refused_because: str | None = None


Replay: TypeAlias = Callable[[Baseline, pl.DataFrame, object], Replayed]
"""A family: baseline, the frame to start from, the scenario's model."""


def begun(baseline: Baseline) -> pl.DataFrame:
    """Return the baseline's attempts as a replayed frame in which nothing has changed."""
    return baseline.attempts.with_columns(
        pl.lit(value=True).alias("kept"),
        pl.lit(value=False).alias("changed"),
        pl.lit(value=False).alias("added"),
        _ZERO.alias("extra_usd"),
        _ZERO.alias("answered"),
        pl.lit(None, pl.String).alias("priced_by"),
        pl.lit(None, pl.String).alias("touched_by"),
    )


def touched(where: CallMatch) -> pl.Expr:
    """Return whether a row of a replayed frame is one that a scenario may touch: meant, and still made."""
    return pl.col("kept") & where.expr()


def freed_pools(baseline: Baseline, moving: pl.DataFrame) -> list[str]:
    """Return the pools that serve none of the baseline's attempts once these rows have moved, sorted.

    Args:
        baseline: whose attempts use pools.
        moving: rows of a replayed frame that will be served elsewhere.
    """
    left = baseline.attempts.join(moving.select("tenant", "attempt_id"), on=["tenant", "attempt_id"], how="anti")
    used = set(left["pool"].drop_nulls())
    return sorted(set(moving["pool"].drop_nulls()) - used)


def given_back(frame: pl.DataFrame, pools: Sequence[str]) -> pl.DataFrame:
    """Return the frame without the cost of these pools, their idle time included: nothing uses them any more.

    Its rows name no pool any more, so that none is given back twice.
    """
    theirs = pl.col("pool").is_in(list(pools)).fill_null(value=False)
    freed = pl.when(theirs & ~pl.col("added")).then("capacity_usd").otherwise(_ZERO)
    return frame.with_columns(
        (pl.col("extra_usd") - freed).alias("extra_usd"),
        pl.when(theirs).then(None).otherwise("pool").alias("pool"),
    )


def refused(frame: pl.DataFrame, because: str, *, to_log: tuple[str, ...] = ()) -> Replayed:
    """Return the refusal to replay: nothing changes, and why."""
    unknown = Evidence.NOT_IDENTIFIABLE
    return Replayed(frame, unknown, unknown, to_log=to_log, refused_because=because)


def repriced(frame: pl.DataFrame, card: RateCard, cards: Mapping[str, RateCard] | None = None) -> pl.DataFrame:
    """Return a replayed frame with its costs after the change in place of the recorded ones.

    Args:
        frame: a replayed frame; its `token_usd` and `capacity_usd` are the recorded ones.
        card: the baseline's frozen prices.
        cards: other rate cards by the names in `priced_by`.

    Returns:
        The frame, rows in order, with `token_usd` (recorded where the row is not changed; 0 where it is not made; by
        the card where it is changed or added, NULL where a part of it has no price there; less the share that is
        `answered`) and `cost_usd`: that, plus
        `capacity_usd` (not of added rows), plus `extra_usd`. Tokens on accelerators of one's own have no price: where a
        change put them there they cost 0, and its `extra_usd` says what the accelerators do; where they were there
        before, the recorded cost stays. Decimal, exact.
    """
    numbered = frame.with_row_index("row")
    again = numbered.filter(pl.col("kept") & (pl.col("changed") | pl.col("added")))
    parts = [_priced(rows, card if name is None else (cards or {})[str(name)]) for (name,), rows in _by_card(again)]
    priced = pl.concat(parts) if parts else pl.DataFrame(schema={"row": pl.UInt32, "new_usd": MONEY})
    due = pl.col("changed") | pl.col("added")
    capacity = pl.when("added").then(_ZERO).otherwise(pl.col("capacity_usd"))
    return (
        numbered.join(priced, on="row", how="left", maintain_order="left")
        .with_columns(
            pl.when(~pl.col("kept")).then(_ZERO).when(due).then("new_usd").otherwise("token_usd").alias("token_usd")
        )
        .with_columns((pl.col("token_usd") - (pl.col("token_usd") * pl.col("answered")).cast(MONEY)).alias("token_usd"))
        .with_columns((pl.col("token_usd") + capacity + pl.col("extra_usd")).alias("cost_usd"))
        .drop("row", "new_usd")
    )


def _by_card(rows: pl.DataFrame) -> list[tuple[tuple[object, ...], pl.DataFrame]]:
    return list(rows.group_by("priced_by", maintain_order=True))


def _priced(rows: pl.DataFrame, card: RateCard) -> pl.DataFrame:
    """Return `row, new_usd`: the effective cost of each row's tokens; NULL where a part of it has no price."""
    columns = [name for name in _PRICED_BY if name in rows.columns]
    asked = rows.select(*columns, pl.col("row").cast(pl.String).alias("attempt_id"), pl.lit("").alias("flags"))
    unpriced = pl.col("cost_source") == CostSource.UNPRICED.value
    found = (
        token_lines(asked, card)
        .group_by("attempt_id")
        .agg(pl.when(~unpriced.any()).then(pl.col("cost_usd").sum()).alias("new_usd"))
        .select(pl.col("attempt_id").cast(pl.UInt32).alias("row"), "new_usd", pl.lit(value=True).alias("used"))
    )
    return (
        rows.select("row", "usage_missing")
        .join(found, on="row", how="left", maintain_order="left")
        .select(
            "row",
            # A row without tokens costs nothing; a row whose tokens nobody knows costs what nobody knows.
            pl.when("used").then("new_usd").when(~pl.col("usage_missing")).then(_ZERO).alias("new_usd"),
        )
    )


def ends(
    before: pl.DataFrame,
    low: pl.DataFrame,
    high: pl.DataFrame,
    card: RateCard,
    cards: Mapping[str, RateCard] | None = None,
) -> tuple[float, float]:
    """Return the saving in USD with the assumption at either end, lower first, over rows whose price is known.

    Args:
        before: the frame that the family was given.
        low: the replayed frame at one end.
        high: the replayed frame at the other end.
        card: the frozen prices.
        cards: other rate cards by the names in `priced_by`.
    """
    start = repriced(before, card, cards)
    found = [float(_saved(start, repriced(after, card, cards))) for after in (low, high)]
    return min(found), max(found)


def _saved(before: pl.DataFrame, after: pl.DataFrame) -> Decimal:
    """Return cost before minus cost after, over rows whose cost is known on both sides."""
    both = (
        after.select("tenant", "attempt_id", pl.col("cost_usd").alias("after_usd"))
        .with_row_index("row")
        .join(before.select("cost_usd", pl.lit(value=True).alias("there")).with_row_index("row"), on="row", how="left")
    )
    # Rows that a family adds stand at the end, and cost nothing before.
    was = pl.when(pl.col("there").is_null()).then(_ZERO).otherwise("cost_usd")
    known = was.is_not_null() & pl.col("after_usd").is_not_null()
    # What is added to an attempt belongs to it: where the attempt has no price, neither counts.
    whole = known.all().over("tenant", "attempt_id")
    saving: Decimal = both.filter(whole).select((was - pl.col("after_usd")).sum()).item()
    return saving
