"""The accrual of a soft close: what is owed for the month and not invoiced yet."""

import polars as pl

from tokenpnl.model import AttemptStatus, ChargeKind
from tokenpnl_analytics.frames import MONEY, known_sum

CONTRACTED, TERMS = "contracted", "volume_terms"
TIMEOUTS, COVERAGE = "unbilled_timeouts", "untraced_usage"
INVOICES = pl.Schema({"provider": pl.String(), "month": pl.String(), "settled": pl.Boolean(), "traced_usd": MONEY,
                      "untraced_usd": MONEY})  # fmt: skip
"""Reconciliations: one row per provider, account and month; `untraced_usd` is the coverage step of the waterfall."""

_SAME = ["tenant", "provider", "model", "step"]
_UNKNOWN_END = (AttemptStatus.TIMEOUT.value, AttemptStatus.CANCELLED.value)


def accrual(line_items: pl.DataFrame, attempts: pl.DataFrame, invoices: pl.DataFrame, *, month: str) -> pl.DataFrame:
    """Return what to accrue for the month, one row per provider and kind of accrual, sorted.

    Contracted and volume terms add up to the cost of the month. A NULL provider stands for what no model provider
    bills, such as the fee of a tool.

    Args:
        line_items: table `line_items` of the month. Usage counts at its effective cost: as contracted, what a
            commitment serves at the commitment's amortised fee. Of other lines only settled volume terms count.
        attempts: table `attempts` of the month.
        invoices: as `INVOICES`. Where every account of a provider is settled for the month, its accrual is reversed;
            its newest earlier month tells how much of an invoice the traces do not see.
        month: such as `2026-10`.

    Returns:
        `provider`, `accrual` (contracted, volume_terms, unbilled_timeouts, untraced_usage), `accrued_usd` (NULL: cannot
        be estimated), `reversed_usd` (its negative once the invoice is matched, else 0), `net_usd`, `estimated`, `n`
        (what the figure rests on: lines, timeouts, or reconciliations), `method`.
    """
    usage = line_items.filter(pl.col("charge_category") == "Usage")
    contracted = _contracted(usage, CONTRACTED, "priced line items")
    settled = line_items.filter(pl.col("usage_kind") == ChargeKind.TRUE_UP.value)
    terms = _contracted(settled, TERMS, "volume terms, settled")
    rows = pl.concat([contracted, terms, _timeouts(usage, attempts), _coverage(contracted, invoices, month)])
    this_month = invoices.filter(pl.col("month") == month)
    matched = this_month.group_by("provider").agg(pl.col("settled").all()).filter("settled")["provider"]
    is_matched = pl.col("provider").is_in(matched.implode())
    accrued = pl.col("accrued_usd")
    backwards = pl.when(is_matched).then(-accrued).otherwise(pl.lit(0, MONEY)).cast(MONEY)
    return (
        rows.with_columns(backwards.alias("reversed_usd"))
        .with_columns((accrued + pl.col("reversed_usd")).alias("net_usd"))
        .select("provider", "accrual", "accrued_usd", "reversed_usd", "net_usd", "estimated", "n", "method")
        .sort("provider", "accrual", nulls_last=True)
    )


def unbilled_timeouts(line_items: pl.DataFrame, attempts: pl.DataFrame) -> pl.DataFrame:
    """Return what timeouts and cancellations without usage may cost: an estimate that stands beside the traced cost.

    Each is taken for the median attempt of its tenant, provider, model and step whose usage and price are known;
    without one the estimate is NULL. Attempts that are certainly not billed are left out.

    Returns:
        `tenant, provider, model, step`, `n_timeouts`, `estimated_tokens`, `estimated_usd` (float64, of all of them),
        `low_usd, high_usd` (all at the 10th and at the 90th percentile of the known ones), `n` (known attempts),
        `method`; sorted.
    """
    paid = (
        line_items.filter(pl.col("attempt_id").is_not_null())
        .group_by(*_SAME, "attempt_id")
        .agg(
            # The one place where a known cost becomes a float: what follows is an estimate.
            pl.col("cost_usd").sum().cast(pl.Float64).alias("usd"),
            pl.col("quantity").filter(pl.col("usage_kind").str.contains("^(?:input|output)_")).sum().alias("tokens"),
            pl.col("cost_usd").is_not_null().all().alias("priced"),
        )
        .filter("priced")
    )
    usual = paid.group_by(_SAME).agg(
        pl.col("usd").median(),
        pl.col("tokens").median(),
        pl.col("usd").quantile(0.1, "linear").alias("low"),
        pl.col("usd").quantile(0.9, "linear").alias("high"),
        pl.len().cast(pl.Int64).alias("n"),
    )
    lost = attempts.filter(
        pl.col("usage_missing") & pl.col("status").is_in(_UNKNOWN_END) & pl.col("billed").fill_null(value=True)
    )
    many = pl.col("n_timeouts")
    return (
        lost.group_by(_SAME)
        .agg(pl.len().cast(pl.Int64).alias("n_timeouts"))
        .join(usual, on=_SAME, how="left", nulls_equal=True)
        .sort(_SAME, nulls_last=True)
        .select(
            *_SAME,
            many,
            (many * pl.col("tokens")).alias("estimated_tokens"),
            (many * pl.col("usd")).alias("estimated_usd"),
            (many * pl.col("low")).alias("low_usd"),
            (many * pl.col("high")).alias("high_usd"),
            pl.col("n").fill_null(0),
            pl.when(pl.col("n") > 0).then(pl.lit("median of the same model and step")).alias("method"),
        )
    )


def _contracted(lines: pl.DataFrame, name: str, method: str) -> pl.DataFrame:
    return lines.group_by("provider").agg(
        pl.lit(name).first().alias("accrual"),
        known_sum(pl.col("cost_usd")).alias("accrued_usd"),
        pl.lit(value=False).first().alias("estimated"),
        pl.len().cast(pl.Int64).alias("n"),
        pl.lit(method).first().alias("method"),
    )


def _timeouts(usage: pl.DataFrame, attempts: pl.DataFrame) -> pl.DataFrame:
    each = unbilled_timeouts(usage, attempts)
    lacking = pl.col("estimated_usd").is_null()
    return each.group_by("provider").agg(
        pl.lit(TIMEOUTS).first().alias("accrual"),
        known_sum(pl.col("estimated_usd"), lacking).round(12).cast(MONEY).alias("accrued_usd"),
        pl.lit(value=True).first().alias("estimated"),
        pl.col("n_timeouts").sum().alias("n"),
        pl.format(
            "median of the same model and step; {} of {} have one",
            pl.col("n_timeouts").filter(~lacking).sum(),
            pl.col("n_timeouts").sum(),
        ).alias("method"),
    )


def _coverage(contracted: pl.DataFrame, invoices: pl.DataFrame, month: str) -> pl.DataFrame:
    """Return the cost of usage that no trace shows, at the share that the last reconciled month had."""
    known_share = pl.col("untraced_usd").is_not_null() & (pl.col("traced_usd") > 0)
    earlier = invoices.filter((pl.col("month") < month) & pl.col("settled") & known_share)
    newest = earlier.filter(pl.col("month") == pl.col("month").max().over("provider"))
    known = newest.group_by("provider").agg(
        pl.col("untraced_usd").sum(),
        pl.col("traced_usd").sum(),
        pl.len().cast(pl.Int64).alias("n"),
        pl.format("untraced per traced dollar of {}", pl.col("month").first()).alias("method"),
    )
    beyond = (pl.col("accrued_usd") * pl.col("untraced_usd") / pl.col("traced_usd")).cast(MONEY)
    return (
        contracted.select("provider", "accrued_usd")
        .join(known, on="provider")
        .select(
            "provider",
            pl.lit(COVERAGE).alias("accrual"),
            beyond.alias("accrued_usd"),
            pl.lit(value=True).alias("estimated"),
            "n",
            "method",
        )
    )
