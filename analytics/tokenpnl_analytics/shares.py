"""Splitting a whole so that the parts sum to it exactly: largest remainder, in whole units of the smallest kind."""

from collections.abc import Sequence
from decimal import Decimal

import polars as pl

PICODOLLARS = 10**12
_ONE_PICODOLLAR = Decimal(1).scaleb(-12)


def split_exactly(claims: pl.DataFrame, whole: str, weight: str, *, of: str, ties: str) -> pl.Series:
    """Return each claim's part of its whole, in integers (Int128) that sum to the whole exactly.

    The exact part of every claim is rounded down; what is left over goes, one unit each, to the largest fractions,
    equal fractions in the order of `ties`. The weights are float64; the parts are not.

    Args:
        claims: one row per claim.
        whole: column with the whole to split, an integer that is not negative and equal within each group.
        weight: column of weights that are not negative; some weight of each group is positive.
        of: integer column that names the group.
        ties: integer column that orders equal claims.
    """
    weighed = claims.select(
        pl.int_range(pl.len()).alias("row"),
        pl.col(of).alias("of"),
        pl.col(ties).alias("ties"),
        pl.col(whole).cast(pl.Int128).alias("whole"),
        _in_units(pl.col(weight), pl.col(weight).sum().over(of)).alias("claim"),
        (pl.col(weight) > 0).alias("claims"),
    )
    ideal = pl.col("whole").cast(pl.Float64) * (pl.col("claim") / pl.col("claim").sum().over("of"))
    weighed = weighed.with_columns(ideal.alias("ideal"), ideal.floor().cast(pl.Int128).alias("part"))
    weighed = weighed.with_columns(
        (pl.col("whole") - pl.col("part").sum().over("of")).alias("left"),
        fraction=pl.col("ideal") - pl.col("part").cast(pl.Float64),
    )
    ranked = weighed.filter("claims").sort("of", "fraction", "ties", descending=[False, True, False])
    place = pl.int_range(pl.len()).over("of")
    n = pl.len().over("of").cast(pl.Int128)
    largest = (pl.col("part") == pl.col("part").max().over("of")) & (pl.col("part").rank("ordinal").over("of") == n)
    # Binary fractions of large wholes can be off by a unit for each claim: too little is a round for everybody, too
    # much is taken from the largest, which does not feel it.
    more = pl.col("left") // n + (place < pl.col("left") % n).cast(pl.Int128)
    less = pl.when(largest).then("left").otherwise(0)
    ranked = ranked.with_columns(part=pl.col("part") + pl.when(pl.col("left") < 0).then(less).otherwise(more))
    nothing = weighed.filter(~pl.col("claims")).select("row", pl.lit(0, pl.Int128).alias("part"))
    return pl.concat([ranked.select("row", "part"), nothing]).sort("row")["part"]


def split_money(whole: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Return parts of an amount by weight that sum to it exactly, at twelve decimals, by largest remainder.

    Args:
        whole: the amount; it may be negative.
        weights: of equal sign; all 0: equal parts.
    """
    total = sum(weights, Decimal(0))
    if not total:
        weights, total = [Decimal(1)] * len(weights), Decimal(len(weights))
    exact = [whole * weight / total for weight in weights]
    parts = [part.quantize(_ONE_PICODOLLAR, rounding="ROUND_FLOOR") for part in exact]
    left = int((whole - sum(parts, Decimal(0))) / _ONE_PICODOLLAR)
    order = sorted(range(len(parts)), key=lambda place: (parts[place] - exact[place], place))
    for place in order[:left]:
        parts[place] += _ONE_PICODOLLAR
    return parts


def _in_units(weight: pl.Expr, total: pl.Expr) -> pl.Expr:
    """Return the weights as whole numbers below 2^53: their sum is exact, so that no order of adding changes a part."""
    # Shifted, because sums often are powers of two: there the last bit of the sum would decide the unit.
    places = 51.0 - (total.log(2.0) + 0.3).ceil()
    # In two steps, because the power of a tiny sum is beyond float64.
    half = (places / 2.0).floor()
    return (weight * pl.lit(2.0) ** half * pl.lit(2.0) ** (places - half)).round()


def dollars(picodollars: str) -> pl.Expr:
    """Return an integer column of picodollars as money, exactly."""
    return pl.col(picodollars) * pl.lit(_ONE_PICODOLLAR)


def in_picodollars(money: pl.Expr) -> pl.Expr:
    """Return money as an integer number of picodollars, exactly; 64 bits would end at nine million dollars."""
    return (money * PICODOLLARS).cast(pl.Int128)
