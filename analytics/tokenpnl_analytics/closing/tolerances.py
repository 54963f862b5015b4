"""Whether an invoice and the traces agree: the tolerances of a month, for each provider and account."""

from decimal import Decimal

import polars as pl

from tokenpnl_analytics.closing.differences import DIFFERENCES, judged
from tokenpnl_analytics.frames import MONEY

ACCOUNT = ["provider", "account"]
RESIDUAL_USD, RESIDUAL_SHARE = Decimal(50), Decimal("0.005")
PARTS = ("told_tokens", "matched_tokens", "usage_billed", "matched_billed", "price_apart")
DAILY_SHARE = Decimal("0.02")
UNEXPLAINED_SHARE = Decimal("0.005")
_RESIDUAL = pl.sum_horizontal([name for name in DIFFERENCES if name != "free_tier_usd"])


def verdicts(found: pl.DataFrame, waterfall: pl.DataFrame) -> pl.DataFrame:
    """Return whether each provider-account-month is within the tolerances, and what that rests on.

    The residual is what usage was billed beyond what was traced: coverage, price, timing and unexplained. It passes
    when |residual| <= max($50, 0.5% of the bill) and the sum of |residual| by day and model <= 2% of the usage billed;
    more than 0.5% of the bill unexplained (gross) closes the month only with a signed reason. What was spread over the
    days of its row is judged over those days as one: by day it is no measurement (`spread_usd` says how much that is).

    Args:
        found: result of `differences`, the days of the month only.
        waterfall: result of `waterfall`.

    Returns:
        `provider, account, traced_usd, billed_usd, residual_usd, tolerance_usd, daily_residual_usd,
        daily_tolerance_usd, unexplained_usd` (gross), `unexplained_limit_usd`, `passed`, `needs_reason`, `level` (the
        coarsest at which cells were matched), `coverage_share` (of the billed tokens that are told), `matched_share`
        (of the usage billed, for tokens on both sides), `price_accuracy` (1 - sum of |price difference| / bill of the
        matched tokens), `spread_usd` (of the usage billed), and `PARTS`, which they are made of; shares are float64 and
        null where there is nothing to share; sorted.
    """
    ends = waterfall.group_by(ACCOUNT).agg(
        _at("traced", "net_usd").alias("traced_usd"),
        _at("billed", "net_usd").alias("billed_usd"),
        _at("unexplained", "gross_usd").alias("unexplained_usd"),
    )
    by_model = judged(found).group_by(*ACCOUNT, "spread", "day", "model").agg(_RESIDUAL.sum().abs().alias("daily"))
    daily = by_model.group_by(ACCOUNT).agg(pl.col("daily").sum().alias("daily_residual_usd"))
    sums = found.group_by(ACCOUNT).agg(
        _RESIDUAL.sum().alias("residual_usd"),
        pl.col("billed_usd").sum().alias("usage_usd"),
        _level().alias("level"),
        pl.col("billed_usd").filter("spread").sum().alias("spread_usd"),
        *_parts(),
    )
    limit = pl.col("billed_usd").abs()
    rows = (
        ends.join(sums, on=ACCOUNT, how="left")
        .join(daily, on=ACCOUNT, how="left")
        .with_columns(
            pl.col("residual_usd", "daily_residual_usd", "usage_usd", "spread_usd").fill_null(pl.lit(0, MONEY))
        )
        .with_columns(
            pl.max_horizontal(pl.lit(RESIDUAL_USD, MONEY), limit * pl.lit(RESIDUAL_SHARE, MONEY)).alias(
                "tolerance_usd"
            ),
            (pl.col("usage_usd").abs() * pl.lit(DAILY_SHARE, MONEY)).alias("daily_tolerance_usd"),
            (limit * pl.lit(UNEXPLAINED_SHARE, MONEY)).alias("unexplained_limit_usd"),
        )
        .with_columns(
            (
                (pl.col("residual_usd").abs() <= pl.col("tolerance_usd"))
                & (pl.col("daily_residual_usd") <= pl.col("daily_tolerance_usd"))
            ).alias("passed"),
            (pl.col("unexplained_usd") > pl.col("unexplained_limit_usd")).alias("needs_reason"),
        )
        .drop("usage_usd")
    )
    return shares(rows).sort(ACCOUNT)


def residual_by_day(found: pl.DataFrame) -> pl.DataFrame:
    """Return the residual of each provider, account and day.

    Returns:
        `provider, account, day, residual_usd` (signed), `billed_usd` (usage), `spread_usd` (part of it that was spread
        over the days of its row, so that the day's residual is no measurement); sorted.
    """
    spread = pl.col("billed_usd").filter("spread").sum().alias("spread_usd")
    sums = found.group_by(*ACCOUNT, "day").agg(
        _RESIDUAL.sum().alias("residual_usd"), pl.col("billed_usd").sum(), spread
    )
    return sums.sort(*ACCOUNT, "day")


def _at(step: str, measure: str) -> pl.Expr:
    return pl.col(measure).filter(pl.col("step") == step).sum()


def _level() -> pl.Expr:
    levels = pl.col("level")
    by_model = pl.when((levels == "model").any()).then(pl.lit("model"))
    return pl.when((levels == "day").any()).then(pl.lit("day")).otherwise(by_model.otherwise(pl.lit("kind")))


def _parts() -> list[pl.Expr]:
    """Return what the shares are made of, so that providers can be taken together; dollars as float64: they are shared.

    `told_tokens` are billed and counted on the invoice, `matched_tokens` were traced too.
    """
    billed, traced = pl.col("billed_tokens"), pl.col("traced_tokens")
    bill = pl.col("billed_usd").cast(pl.Float64)
    matched = pl.min_horizontal(billed, traced).filter(billed.is_not_null())
    return [
        billed.sum().alias("told_tokens"),
        matched.sum().alias("matched_tokens"),
        bill.sum().alias("usage_billed"),
        (bill * matched_part()).sum().alias("matched_billed"),
        pl.col("price_usd").cast(pl.Float64).abs().sum().alias("price_apart"),
    ]


def matched_part() -> pl.Expr:
    """Return the share of a cell's billed tokens that were traced, float64; 0 where the bill tells none."""
    billed, traced = pl.col("billed_tokens"), pl.col("traced_tokens")
    return (pl.min_horizontal(billed, traced) / billed.replace(0, None)).fill_null(0.0)


def shares(parts: pl.DataFrame) -> pl.DataFrame:
    """Return how much of the bill was traced and how well it was priced, for each row of parts.

    Args:
        parts: `PARTS`, of one provider and account a row, or summed over several.

    Returns:
        The rows and `coverage_share, matched_share, price_accuracy`; null where there is nothing to share.
    """
    return parts.with_columns(
        (pl.col("matched_tokens") / pl.col("told_tokens").replace(0, None)).alias("coverage_share"),
        (pl.col("matched_billed") / pl.col("usage_billed").replace(0.0, None)).alias("matched_share"),
        (1 - pl.col("price_apart") / pl.col("matched_billed").replace(0.0, None)).alias("price_accuracy"),
    )
