"""What the steps from traces to invoice consist of, each named by where and when it lies and sized in dollars."""

from collections.abc import Sequence
from decimal import Decimal

import polars as pl

from tokenpnl_analytics.closing.differences import judged
from tokenpnl_analytics.frames import MONEY

NAMED_FROM = Decimal("0.005")  # smaller ones are rounding of the provider's own
FINDINGS = pl.Schema(
    {
        "step": pl.String(),  # of the waterfall
        "provider": pl.String(),
        "account": pl.String(),
        "model": pl.String(),  # null: several, or none
        "n_models": pl.Int64(),
        "first_day": pl.Date(),
        "last_day": pl.Date(),  # of timing: the day on which it was billed
        "amount_usd": MONEY,  # what it adds to the bill, with its sign
        "size_usd": MONEY,  # how large it is; of timing what moved, which may add nothing
        "tokens": pl.Int64(),  # null: not counted in tokens
        "ratio": pl.Float64(),  # of price: billed price / traced price; null: no traced price
        "detail": pl.String(),  # the invoice's words, or a currency
    }
)
_ACCOUNT = ["provider", "account"]
_KEYS = ["step", *_ACCOUNT, "first_day", "model", "detail"]
_MISSING = pl.col("billed_tokens") - pl.col("traced_tokens")


def findings(found: pl.DataFrame, charges: pl.DataFrame, in_month: pl.Expr) -> pl.DataFrame:
    """Return what makes up each step, the largest first; schema `FINDINGS`.

    Args:
        found: result of `differences`, the days around the month included.
        charges: result of `charges_of`.
        in_month: whether a row's `day` lies in the month.
    """
    inside = judged(found.filter(in_month))
    parts = [
        _coverage(inside),
        _prices(inside),
        _of_models(inside, "credits", "free_tier_usd"),
        _of_models(inside, "unexplained", "unexplained_usd"),
        _timing(found, in_month),
        _charges(charges),
    ]
    named = pl.concat([_shaped(part) for part in parts]).filter(pl.col("size_usd") >= pl.lit(NAMED_FROM, MONEY))
    return named.sort("size_usd", *_KEYS, descending=[True, *[False] * len(_KEYS)], nulls_last=True)


def _coverage(inside: pl.DataFrame) -> pl.DataFrame:
    """Name untraced and untold usage by day or by model, whichever takes fewer words."""
    ours = inside.filter(pl.col("coverage_usd") != 0).with_columns((pl.col("coverage_usd") > 0).alias("under"))
    group = [*_ACCOUNT, "under"]
    few_days = pl.col("day").n_unique().over(group) <= pl.col("model").n_unique().over(group)
    by_day = few_days & ~pl.col("spread").any().over(group)
    marked = ours.with_columns(by_day.alias("by_day"))
    keyed = [
        marked.filter("by_day").group_by(*group, "day").agg(_facts("coverage_usd")),
        marked.filter(~pl.col("by_day")).group_by(*group, "model").agg(_facts("coverage_usd")),
    ]
    return pl.concat(
        [_shaped(part.drop("model", strict=False).rename({"one_model": "model"})) for part in keyed]
    ).with_columns(pl.lit("coverage").alias("step"))


def _facts(amount: str, tokens: pl.Expr = _MISSING) -> Sequence[pl.Expr]:
    return (
        pl.when(pl.col("model").n_unique() == 1).then(pl.col("model").first()).alias("one_model"),
        pl.col("model").n_unique().cast(pl.Int64).alias("n_models"),
        pl.col("day").min().alias("first_day"),
        pl.col("last_day").max(),
        pl.col(amount).sum().alias("amount_usd"),
        pl.col(amount).sum().abs().alias("size_usd"),
        tokens.sum().alias("tokens"),
    )


def _prices(inside: pl.DataFrame) -> pl.DataFrame:
    """Name the models that were billed at another price, with the days on which they were."""
    price, traced = pl.col("price_usd").cast(pl.Float64), pl.col("traced_usd").cast(pl.Float64)
    part = (pl.col("billed_tokens") / pl.col("traced_tokens").replace(0, None)).clip(0, 1)
    at_traced = (traced * part).sum()
    ratio = (at_traced + price.sum()) / at_traced.replace(0.0, None)
    matched = pl.min_horizontal("billed_tokens", "traced_tokens")
    of_price = inside.filter(pl.col("price_usd").abs() > pl.lit(Decimal("0.000001"), MONEY))
    return _of_models(of_price, "price", "price_usd", matched, [ratio.alias("ratio")])


def _of_models(
    inside: pl.DataFrame, step: str, amount: str, tokens: pl.Expr = _MISSING, more: Sequence[pl.Expr] = ()
) -> pl.DataFrame:
    ours = inside.filter(pl.col(amount) != 0)
    summed = ours.group_by(*_ACCOUNT, "model").agg(*_facts(amount, tokens), *more)
    return summed.drop("one_model").with_columns(pl.lit(step).alias("step"))


def _timing(found: pl.DataFrame, in_month: pl.Expr) -> pl.DataFrame:
    """Name the days whose calls were billed on a neighbour of theirs."""
    return pl.concat([_moved(found, in_month, "ahead_tokens", "1d"), _moved(found, in_month, "back_tokens", "-1d")])


def _moved(found: pl.DataFrame, in_month: pl.Expr, name: str, way: str) -> pl.DataFrame:
    ours = found.filter(pl.col(name) > 0).with_columns(
        pl.col("day").dt.offset_by(way).alias("billed_on"), in_month.alias("here")
    )
    # The other half of a move lies on the neighbour; at the edge of a month only one half counts.
    there = ours.select(pl.col("billed_on").alias("day")).select(in_month.alias("there"))
    shifted = (pl.col("ahead_tokens") + pl.col("back_tokens")).cast(MONEY)
    moved = pl.col("timing_usd").abs() * pl.col(name).cast(MONEY) / shifted
    return (
        ours.with_columns(there["there"], moved.alias("moved"))
        .filter(pl.col("here") | pl.col("there"))
        .group_by(*_ACCOUNT, "day", "billed_on")
        .agg(
            pl.when(pl.col("model").n_unique() == 1).then(pl.col("model").first()).alias("model"),
            pl.col("model").n_unique().cast(pl.Int64).alias("n_models"),
            pl.col("moved").sum().alias("size_usd"),
            (pl.col("moved").filter("there").sum() - pl.col("moved").filter("here").sum()).alias("amount_usd"),
            pl.col(name).sum().alias("tokens"),
        )
        .select(pl.exclude("day", "billed_on"), pl.col("day").alias("first_day"), pl.col("billed_on").alias("last_day"))
        .with_columns(pl.lit("timing").alias("step"))
    )


def _charges(charges: pl.DataFrame) -> pl.DataFrame:
    return (
        charges.group_by(*_ACCOUNT, "step", "description")
        .agg(pl.col("booked_usd").sum().alias("amount_usd"), pl.col("booked_usd").sum().abs().alias("size_usd"))
        .rename({"description": "detail"})
    )


def _shaped(part: pl.DataFrame) -> pl.DataFrame:
    return part.select(
        (pl.col(name) if name in part.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in FINDINGS.items()
    )
