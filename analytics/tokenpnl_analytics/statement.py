"""The statement: the cost ladder, effective cost by category, memo lines, stated value, successes.

Everything here is a sum over line items, so it reads sums of line items just as well: a page asks the store for grouped
sums and never for the lines. `line_item_sums` says what such a frame looks like.
"""

from collections.abc import Sequence

import polars as pl

from tokenpnl.model import WITHOUT_DIRECT_RESULT, ChargeKind, CostCategory, CostSource, OutcomeStatus, ServedReason
from tokenpnl_analytics.frames import MONEY, known_sum
from tokenpnl_analytics.unit_cost.units import RUN_DIMENSIONS, unit_costs

VALUE_COVERAGE_FLOOR = 0.95
GRAINS = {"hour": "1h", "day": "1d", "week": "1w", "month": "1mo"}
MEASURES = (
    "quantity",
    "list_cost_usd",
    "contracted_cost_usd",
    "cost_usd",
    "uncached_cost_usd",
    "primary_cost_usd",
    "standard_cost_usd",
)

_ZERO = pl.lit(0, MONEY)
_COST = pl.col("cost_usd")
_CONTRACTED = pl.col("contracted_cost_usd")
_RESERVED = pl.col("usage_kind") == ChargeKind.COMMITMENT.value
_ALL = pl.lit(value=True)
_LOST = [category.value for category in WITHOUT_DIRECT_RESULT]


def in_periods(frame: pl.DataFrame, grain: str, zone: str = "UTC", *, at: str = "started_at") -> pl.DataFrame:
    """Return the frame with `period`: the start of the hour, day, week (Monday) or month in the zone.

    Args:
        frame: rows with a UTC time.
        grain: one of `GRAINS`.
        zone: IANA name; days add up in every zone, as money is bucketed by the hour or finer.
        at: column that holds the time; an hour's start does for sums.

    Raises:
        ValueError: for another grain.
    """
    if grain not in GRAINS:
        raise ValueError(f"a grain is one of {', '.join(GRAINS)}, not {grain!r}")
    local = pl.col(at).dt.convert_time_zone(zone)
    begun = local.dt.truncate(GRAINS[grain])
    if grain == "hour":
        return frame.with_columns(begun.alias("period"))
    # Where clocks are turned at midnight a day has two midnights or none; it is one day all the same.
    midnight = local.dt.replace_time_zone(None).dt.truncate(GRAINS[grain])
    first = midnight.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return frame.with_columns(first.fill_null(begun).alias("period"))


def line_item_sums(line_items: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Return line items summed by the dimensions, usage kind, category and served reason.

    Returns:
        `by`, `usage_kind, cost_category, served_reason`, the sums of `MEASURES` (`fallback_cost_usd`: cost of the lines
        that know a primary's price; `tiered_cost_usd`: contracted cost of those that know the standard tier's),
        `n_lines`, `n_unpriced_lines`; sorted.
    """
    if "n_lines" in line_items.columns:
        return line_items
    keys = list(dict.fromkeys([*by, "usage_kind", "cost_category", "served_reason"]))
    return (
        line_items.group_by(keys)
        .agg(
            *(known_sum(pl.col(name)) for name in MEASURES),
            _COST.filter(pl.col("primary_cost_usd").is_not_null()).sum().alias("fallback_cost_usd"),
            _CONTRACTED.filter(pl.col("standard_cost_usd").is_not_null()).sum().alias("tiered_cost_usd"),
            pl.len().cast(pl.Int64).alias("n_lines"),
            (pl.col("cost_source") == CostSource.UNPRICED.value).sum().cast(pl.Int64).alias("n_unpriced_lines"),
        )
        .sort(keys, nulls_last=True)
    )


def statement(lines: pl.DataFrame, by: Sequence[str] = (), *, runs: pl.DataFrame | None = None) -> pl.DataFrame:
    """Return the P&L, one row per value of the dimensions, sorted by them; one row when there are none.

    Args:
        lines: line items, or sums of them as `line_item_sums` makes them, with the dimensions as columns.
        by: any columns of the lines, `period` of `in_periods` included.
        runs: result of `cohort`, with the same `period`; value and successes then stand beside the cost, where every
            dimension is one of a run.

    Returns:
        The dimensions, then the ladder: `list_usd - discount_usd = contracted_usd`, and `contracted_usd - covered_usd
        (usage that a commitment paid for) + commitment_usd (its amortised fee, used and idle) = effective_usd`;
        `<category>_usd` for every cost category, which sum to `effective_usd`; `without_result_usd`; the memo columns
        of `memo_lines`; `n_lines`, `priced_share`. With runs also `n_runs, successes, value_usd, value_coverage,
        contribution_usd` (value less all cost of those runs, capacity included; NULL below 95% coverage),
        `usd_per_success` (settled) and `outcome_coverage`. Money is NULL where there are lines that lack a price and
        none that has one; else it is the sum over those that have one.
    """
    sums = line_item_sums(lines, by)
    rows = _grouped(sums, by, [*_ladder(), *_categories(), *_memos(sums), *_quality()]).with_columns(
        (pl.col("list_usd") - pl.col("contracted_usd")).alias("discount_usd")
    )
    if runs is None or not set(by) <= {*RUN_DIMENSIONS, "period"}:
        return rows
    return _with_value(rows, runs, by)


def memo_lines(lines: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Return what was saved or paid extra, never to be added in.

    Returns:
        The dimensions, `cache_savings_usd` (reads at the uncached price minus what was paid), `cache_write_premium_usd`
        (writes: what was paid beyond the uncached price), `cache_net_usd` (may be negative), `batch_savings_usd`
        (other tiers against the standard one), `fallback_premium_usd`.
    """
    sums = line_item_sums(lines, by)
    return _grouped(sums, by, _memos(sums))


def with_app_cache(rows: pl.DataFrame, calls: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Return the statement with the memo of what answers of the application's cache would have cost.

    Args:
        rows: result of `statement` by the same dimensions.
        calls: calls that the application's cache answered: the dimensions and `cache_avoided_usd`.
        by: the dimensions.

    Returns:
        The rows in order with `app_cache_avoided_usd`: 0 where the cache answered nothing, NULL where nobody knows.
    """
    return _with_memo(rows, calls.rename({"cache_avoided_usd": "app_cache_avoided_usd"}), by, "app_cache_avoided_usd")


def with_over_limit(rows: pl.DataFrame, lines: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Return the statement with the memo of what ran past the limits of agents' contracts.

    Args:
        rows: result of `statement` by the same dimensions.
        lines: line items past a limit: the dimensions and `over_limit_usd`.
        by: the dimensions.

    Returns:
        The rows in order with `over_limit_usd`: 0 where nothing ran past, NULL where none of what did has a price.
    """
    return _with_memo(rows, lines, by, "over_limit_usd")


def _with_memo(rows: pl.DataFrame, told: pl.DataFrame, by: Sequence[str], name: str) -> pl.DataFrame:
    amount = known_sum(pl.col(name))
    if not by:
        return rows.with_columns(told.select(amount))
    found = told.group_by(list(by)).agg(amount, pl.len().alias("n_told"))
    joined = rows.join(found, on=list(by), how="left", nulls_equal=True, maintain_order="left")
    none = pl.when(pl.col("n_told").is_null()).then(_ZERO).otherwise(name)
    return joined.with_columns(none.alias(name)).drop("n_told")


def cost_by_category(lines: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Return `by, cost_category, cost_usd, n_lines` in the order of the rules; absent categories have no row."""
    order = {category.value: place for place, category in enumerate(CostCategory)}
    keys = [*by, "cost_category"]
    return (
        line_item_sums(lines, by)
        .group_by(keys)
        .agg(_known(_COST), pl.col("n_lines").sum())
        .sort(*by, pl.col("cost_category").replace_strict(order), nulls_last=True)
    )


def _grouped(sums: pl.DataFrame, by: Sequence[str], measures: list[pl.Expr]) -> pl.DataFrame:
    if not by:
        return sums.select(measures)
    return sums.group_by(list(by)).agg(measures).sort(list(by), nulls_last=True)


def _known(amounts: pl.Expr, where: pl.Expr = _ALL) -> pl.Expr:
    """Return the sum over the sums where the condition holds; lines without a price of tokens may lack none."""
    return known_sum(amounts.filter(where), (pl.col("n_unpriced_lines") > 0).filter(where))


def _ladder() -> list[pl.Expr]:
    # A commitment's own lines are its fee; it has no list price beside the usage that it covers.
    priced = ~_RESERVED
    return [
        _known(pl.col("list_cost_usd"), priced).alias("list_usd"),
        _known(_CONTRACTED, priced).alias("contracted_usd"),
        _known(_CONTRACTED - _COST, priced).alias("covered_usd"),
        _known(_COST, _RESERVED).alias("commitment_usd"),
        _known(_COST).alias("effective_usd"),
    ]


def _categories() -> list[pl.Expr]:
    category = pl.col("cost_category")
    each = [_known(_COST, category == name.value).alias(f"{name.value}_usd") for name in CostCategory]
    return [*each, _known(_COST, category.is_in(_LOST)).alias("without_result_usd")]


def _memos(sums: pl.DataFrame) -> list[pl.Expr]:
    kind = pl.col("usage_kind")
    saved = pl.col("uncached_cost_usd") - _COST
    savings = _known(saved, kind.str.ends_with("cache_read"))
    premium = _known(-saved, kind.str.contains("cache_write", literal=True))
    memos = [
        savings.alias("cache_savings_usd"),
        premium.alias("cache_write_premium_usd"),
        (savings - premium).alias("cache_net_usd"),
        _batch_savings(sums),
    ]
    if "fallback_cost_usd" not in sums.columns:
        return [*memos, pl.lit(None, MONEY).alias("fallback_premium_usd")]
    on_fallback = pl.col("served_reason") == ServedReason.FALLBACK.value
    paid_extra = pl.col("fallback_cost_usd") - pl.col("primary_cost_usd")
    return [*memos, known_sum(paid_extra.filter(on_fallback)).alias("fallback_premium_usd")]


def _batch_savings(sums: pl.DataFrame) -> pl.Expr:
    """Return what the tokens of another tier would have cost more in the standard one; negative for a dearer tier."""
    if not {"standard_cost_usd", "tiered_cost_usd"} <= set(sums.columns):
        return pl.lit(None, MONEY).alias("batch_savings_usd")
    saved = pl.col("standard_cost_usd") - pl.col("tiered_cost_usd")
    return known_sum(saved.filter(pl.col("standard_cost_usd").is_not_null())).alias("batch_savings_usd")


def _quality() -> list[pl.Expr]:
    n_lines = pl.col("n_lines").sum()
    share = 1 - pl.col("n_unpriced_lines").sum() / n_lines.replace(0, None)
    return [n_lines.alias("n_lines"), share.alias("priced_share")]


def _with_value(rows: pl.DataFrame, runs: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    value = _grouped(
        runs,
        by,
        [
            pl.len().cast(pl.Int64).alias("n_runs"),
            pl.col("succeeded").sum().cast(pl.Int64).alias("successes"),
            pl.col("value_usd").sum(),
            (pl.col("unit_cost_usd") + pl.col("offline_evaluation_usd").fill_null(_ZERO)).sum().alias("runs_usd"),
            (pl.col("value_usd").is_not_null() & (pl.col("outcome") == OutcomeStatus.SUCCESS.value))
            .sum()
            .alias("n_valued"),
        ],
    )
    keys = list(by) or ["whole"]
    whole = [] if by else [pl.lit(value=True).alias("whole")]
    units = unit_costs(runs.with_columns(whole), keys).select(
        *keys, pl.col("settled_usd").alias("usd_per_success"), "outcome_coverage"
    )
    joined = rows.with_columns(whole)
    for part in (value.with_columns(whole), units):
        joined = joined.join(part, on=keys, how="left", nulls_equal=True, maintain_order="left")
    coverage = pl.col("n_valued") / pl.col("successes").replace(0, None)
    contribution = pl.when(coverage >= VALUE_COVERAGE_FLOOR).then(pl.col("value_usd") - pl.col("runs_usd"))
    return joined.with_columns(coverage.alias("value_coverage"), contribution.alias("contribution_usd")).drop(
        "n_valued", "runs_usd", *([] if by else ["whole"])
    )
