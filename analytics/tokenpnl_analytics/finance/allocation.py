"""Allocation: every cost gets an owner by ordered rules, shared cost is split, what nobody owns stays visible.

Shares are decided once for the whole frame and every hour is split by them, so that the days of a period add up to the
period in every time zone, for each owner. Nothing is lost or made: the parts sum to the whole in every hour.
"""

from collections.abc import Sequence
from decimal import Decimal

import polars as pl

from tokenpnl.model import UsageKind
from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.rules.allocation import LEVELS, AllocationFile, AllocationRule, Share, Split
from tokenpnl_analytics.rules.line_match import COLUMN_OF, first_match, fitting
from tokenpnl_analytics.shares import dollars, in_picodollars, split_exactly

DIRECT, UNALLOCATED = "direct", "unallocated"
NO_RULE, NOBODY, REST = "no rule fits", "nobody to share among", "rest of the fixed shares"
SCHEMA = pl.Schema(
    {
        "hour": pl.Datetime("ns", "UTC"),
        **{level: pl.String() for level in LEVELS},
        "owner": pl.String(),
        "workflow": pl.String(),
        "customer_id": pl.String(),
        "method": pl.String(),
        "rule": pl.String(),
        "shared_from": pl.String(),
        "reason": pl.String(),
        "tokens": pl.Int64(),
        "cost_usd": MONEY,
        "n_lines": pl.Int64(),
    }
)
_COST = pl.col("cost_usd")
_TOKENS = [kind.value for kind in UsageKind]


def allocate(lines: pl.DataFrame, rules: AllocationFile) -> pl.DataFrame:
    """Return who pays for the line items, hour by hour.

    Args:
        lines: table `line_items`, of the period over which shares are decided; or its sums by `hour` and everything
            that a rule may name, as the store makes them.
        rules: owners and shares in order; the first that fits a line counts.

    Returns:
        `SCHEMA`: `hour` (start, UTC), `org, team, product`, `owner` (their path; NULL: unallocated), `workflow`,
        `customer_id` (of shared cost NULL), `method` (direct, even, tokens, cost, fixed, unallocated), `rule` (its
        name), `shared_from` (the rule whose cost was shared; of unallocated remains likewise), `reason` (why it is
        unallocated), `tokens` (NULL on a share: nobody used them alone), `cost_usd`, `n_lines`. Sorted. In each hour
        `cost_usd` sums to that of the lines that have a price, to the last digit.
    """
    hourly = _hourly(lines, rules.rules)
    parts = [_direct(hourly, rules.rules), _unmatched(hourly)]
    for place, rule in enumerate(rules.rules):
        if rule.share is not None:
            mine = hourly.filter(pl.col("place") == place)
            parts.append(_shared(mine, rule, rule.share, _claims(hourly, rules.rules, rule.share)))
    conformed = [part.select(_typed(part)) for part in parts]
    return pl.concat(conformed).sort(
        "hour", "owner", "workflow", "customer_id", "method", "rule", "reason", nulls_last=True
    )


def allocated_by(allocated: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Return allocated cost summed by columns of it, the dearest first.

    Args:
        allocated: result of `allocate`, with more columns such as `period` if wanted.
        by: columns to sum by.

    Returns:
        `by`, `direct_usd + shared_usd = cost_usd`, `tokens`, `methods` (how it was given, a comma between).
    """
    shared = pl.col("shared_from").is_not_null()
    return (
        allocated.group_by(list(by))
        .agg(
            _COST.filter(~shared).sum().alias("direct_usd"),
            _COST.filter(shared).sum().alias("shared_usd"),
            _COST.sum(),
            pl.col("tokens").sum(),
            pl.col("method").unique().sort().str.join(", ").alias("methods"),
        )
        .sort("cost_usd", *by, descending=[True, *[False] * len(by)], nulls_last=True)
    )


def unallocated_share(allocated: pl.DataFrame) -> tuple[Decimal, float | None]:
    """Return what has no owner, USD, and its share of the whole (0 to 1; None where the whole is nothing)."""
    unowned = _COST.filter(pl.col("owner").is_null()).sum().alias("lost")
    lost, whole = allocated.select(unowned, _COST.sum()).row(0)
    return lost, float(lost / whole) if whole else None


def rule_hits(allocated: pl.DataFrame, rules: AllocationFile) -> pl.DataFrame:
    """Return each rule in order with what it caught, and what no rule caught.

    Returns:
        `rule, gives` (owner, or how it is shared), `n_lines, cost_usd` of the line items that it caught,
        `unallocated_usd` (what of it has no owner); the last row is `(no rule)`. A rule of 0 lines catches nothing.
    """
    caught = allocated.group_by("rule").agg(
        pl.col("n_lines").sum(), _COST.sum(), _COST.filter(pl.col("owner").is_null()).sum().alias("unallocated_usd")
    )
    told = [(rule.name, rule.owner.path if rule.owner else _spelled(rule.share)) for rule in rules.rules]
    listed = pl.DataFrame(
        [*told, (None, "stays unallocated")], schema={"rule": pl.String, "gives": pl.String}, orient="row"
    )
    zero = pl.lit(0, MONEY)
    return listed.join(caught, on="rule", how="left", nulls_equal=True, maintain_order="left").select(
        pl.col("rule").fill_null("(no rule)"),
        "gives",
        pl.col("n_lines").fill_null(0),
        _COST.fill_null(zero),
        pl.col("unallocated_usd").fill_null(zero),
    )


def flows(allocated: pl.DataFrame, *, most: int) -> pl.DataFrame:
    """Return the way of the money from what was paid to who pays: the links of a Sankey diagram.

    Args:
        allocated: result of `allocate`.
        most: how many sources to tell apart, the dearest; the others are one, `(others)`.

    Returns:
        `place` (0: from a workflow or a shared cost to a team, 1: from a team to a product), `source`, `target`, `kind`
        of the source (workflow, shared, owner) , `unowned` (the target is nobody), `cost_usd`, positive; sorted. What a
        team has without a product ends at the team. Credits make no link.
    """
    named = allocated.select(
        pl.coalesce("shared_from", "workflow", pl.lit("(no workflow)")).alias("source"),
        pl.when(pl.col("shared_from").is_null()).then(pl.lit("workflow")).otherwise(pl.lit("shared")).alias("kind"),
        pl.coalesce("team", "org", pl.lit("(unallocated)")).alias("target"),
        pl.col("owner").is_null().alias("unowned"),
        "product",
        "cost_usd",
    )
    dear = named.group_by("source", "kind").agg(_COST.sum()).sort("cost_usd", "source", descending=[True, False])
    kept = dear.head(most).select("source", "kind", pl.lit(value=True).alias("kept"))
    first = named.join(kept, on=["source", "kind"], how="left").with_columns(
        pl.when("kept").then("source").otherwise(pl.lit("(others)")).alias("source"),
        pl.lit(0).alias("place"),
    )
    second = named.drop_nulls("product").select(
        pl.col("target").alias("source"),
        pl.col("product").alias("target"),
        pl.lit("owner").alias("kind"),
        "unowned",
        "cost_usd",
        pl.lit(1).alias("place"),
    )
    keys = ["place", "source", "target", "kind", "unowned"]
    links = pl.concat([part.group_by(keys).agg(_COST.sum()) for part in (first, second)])
    return links.filter(_COST > 0).sort("place", "cost_usd", "source", "target", descending=[False, True, False, False])


def _spelled(share: Share | None) -> str:
    assert share is not None
    within = f" within {share.within}" if share.within else ""
    return f"shared: {share.split}{within}"


def _hourly(lines: pl.DataFrame, rules: Sequence[AllocationRule]) -> pl.DataFrame:
    """Return the lines summed by hour and everything that a rule may name, with the place of the rule that they fit."""
    if "n_lines" not in lines.columns:
        hour = pl.col("started_at").dt.truncate("1h").alias("hour")
        lines = lines.with_columns(hour, pl.lit(1, pl.Int64).alias("n_lines"))
    tokens = pl.col("quantity").filter(pl.col("usage_kind").is_in(_TOKENS))
    return (
        lines.group_by(pl.col("hour").cast(SCHEMA["hour"]), *COLUMN_OF.values())
        .agg(_COST.sum(), tokens.sum().alias("tokens"), pl.col("n_lines").sum())
        .with_columns(first_match(rules).alias("place"))
    )


def _direct(hourly: pl.DataFrame, rules: Sequence[AllocationRule]) -> pl.DataFrame:
    owned = [(place, rule.name, rule.owner.path) for place, rule in enumerate(rules) if rule.owner is not None]
    named = pl.DataFrame(owned, schema={"place": pl.Int64, "rule": pl.String, "owner": pl.String}, orient="row")
    keys = ["hour", "owner", "workflow", "customer_id", "rule"]
    sums = _summed(hourly.join(named, on="place"), keys)
    return sums.with_columns(pl.lit(DIRECT).alias("method"))


def _unmatched(hourly: pl.DataFrame) -> pl.DataFrame:
    sums = _summed(hourly.filter(pl.col("place").is_null()), ["hour", "workflow", "customer_id"])
    return sums.with_columns(pl.lit(UNALLOCATED).alias("method"), pl.lit(NO_RULE).alias("reason"))


def _summed(hourly: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    return hourly.group_by(keys).agg(_COST.sum(), pl.col("tokens").sum(), pl.col("n_lines").sum())


def _claims(hourly: pl.DataFrame, rules: Sequence[AllocationRule], share: Share) -> pl.DataFrame:
    """Return `owner, weight` and, where the share is within something, that: what each owner may claim."""
    if share.split is Split.FIXED:
        rest = 100 - sum(share.percent.values())
        stated = [*share.percent.items(), (None, rest)]
        weights = [(owner, float(percent)) for owner, percent in stated if percent > 0]
        return pl.DataFrame(weights, schema={"owner": pl.String, "weight": pl.Float64}, orient="row")
    owned = {place: rule.owner.path for place, rule in enumerate(rules) if rule.owner is not None}
    keys = ["owner"] if share.within is None else ["owner", share.within]
    weight = {
        Split.EVEN: pl.lit(1.0),
        Split.TOKENS: pl.col("tokens").sum().cast(pl.Float64),
        # Shares are proportions, not money; only what they split is exact.
        Split.COST: _COST.sum().cast(pl.Float64).clip(lower_bound=0),
    }[share.split]
    used = (
        hourly.filter(pl.col("place").is_in(list(owned)))
        .with_columns(pl.col("place").replace_strict(owned, return_dtype=pl.String).alias("owner"))
        .filter(fitting(pl.col("owner"), share.among))
        .group_by(keys)
        .agg(weight.alias("weight"))
        .filter(pl.col("weight") > 0)
    )
    return used.sort(keys, nulls_last=True)


def _shared(mine: pl.DataFrame, rule: AllocationRule, share: Share, claims: pl.DataFrame) -> pl.DataFrame:
    """Return the cost of one shared rule split among the claims; what nobody claims stays unallocated."""
    keys = ["hour"] if share.within is None else ["hour", share.within]
    wholes = (
        mine.group_by(keys)
        .agg(_COST.sum(), pl.col("tokens").sum(), pl.col("n_lines").sum())
        .sort(keys, nulls_last=True)
    )
    wholes = wholes.with_row_index("whole_id").with_columns(pl.col("whole_id").cast(pl.Int64))
    if share.within is None:
        claimed = wholes.join(claims, how="cross")
    else:
        claimed = wholes.join(claims, on=share.within, nulls_equal=True)
    left = wholes.join(claimed, on="whole_id", how="anti").with_columns(pl.lit(NOBODY).alias("reason"))
    split = _split(claimed).with_columns(pl.when(pl.col("owner").is_null()).then(pl.lit(REST)).alias("reason"))
    # The lines were caught once, however many share their cost: they are counted on the first part.
    once = pl.int_range(pl.len()).over("whole_id") == 0
    split = split.with_columns(pl.when(once).then("n_lines").otherwise(0).alias("n_lines")).drop("tokens")
    both = pl.concat([split, left.with_columns(pl.lit(None, pl.String).alias("owner"))], how="diagonal")
    unowned = pl.col("owner").is_null()
    return both.with_columns(
        pl.when(unowned).then(pl.lit(UNALLOCATED)).otherwise(pl.lit(share.split.value)).alias("method"),
        pl.lit(rule.name).alias("rule"),
        pl.lit(rule.name).alias("shared_from"),
    )


def _split(claimed: pl.DataFrame) -> pl.DataFrame:
    """Return the claims with `cost_usd` split exactly; a negative whole, such as a credit, keeps its sign."""
    if claimed.is_empty():
        return claimed
    claims = claimed.with_columns(in_picodollars(_COST.abs()).alias("whole"), pl.int_range(pl.len()).alias("ties"))
    part = split_exactly(claims, "whole", "weight", of="whole_id", ties="ties")
    sign = pl.when(_COST < 0).then(-1).otherwise(1)
    return claims.with_columns(part.alias("part")).with_columns((dollars("part") * sign).cast(MONEY).alias("cost_usd"))


def _typed(part: pl.DataFrame) -> list[pl.Expr]:
    """Return the columns of `SCHEMA`; the levels of the hierarchy come from the owner's path."""
    steps = pl.col("owner").str.split("/") if "owner" in part.columns else pl.lit(None, pl.List(pl.String))
    levels = {level: steps.list.get(place, null_on_oob=True) for place, level in enumerate(LEVELS)}
    made = levels | {name: pl.col(name) for name in part.columns}
    return [made.get(name, pl.lit(None)).cast(dtype).alias(name) for name, dtype in SCHEMA.items()]
