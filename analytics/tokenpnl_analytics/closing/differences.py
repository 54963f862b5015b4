"""Why a cell of the bill differs from the traces: coverage, price, free tier, timing, unexplained; they add up."""

import polars as pl

from tokenpnl_analytics.closing.billing_cells import CELL, SERIES
from tokenpnl_analytics.frames import MONEY

DIFFERENCES = ("coverage_usd", "price_usd", "free_tier_usd", "timing_usd", "unexplained_usd")
_BILLED, _TRACED = pl.col("billed_tokens"), pl.col("traced_tokens")
_BILL, _COST = pl.col("billed_usd"), pl.col("traced_usd")
_ZERO = pl.lit(0, MONEY)


def differences(cells: pl.DataFrame) -> pl.DataFrame:
    """Return the cells with what each differs by; `billed_usd - traced_usd` is the sum of `DIFFERENCES`, exactly.

    - coverage: tokens billed and not traced, at the billed price; negative where more was traced than billed (at the
      traced price where nothing was billed).
    - price: the same tokens at another price.
    - free tier: tokens that are on the invoice for nothing.
    - timing: coverage of two adjacent days that offset, as far as the tokens lie near midnight (`timed`); none where
      the bill was spread over days, because it cannot tell one from the next.
    - unexplained: a charge that tells no tokens, of usage that was traced at another cost.

    Args:
        cells: result of `cells`.

    Returns:
        The cells, `DIFFERENCES`, `ahead_tokens` (traced on the day, billed on the next) and `back_tokens` (billed on
        the day before).
    """
    missing = (_BILLED - _TRACED).cast(MONEY)
    untold = _BILLED.is_null()
    free = (_BILLED > 0) & (_BILL == 0)
    # A row of several days without tokens was traced when any of its days was.
    seen = pl.when("spread").then(_TRACED.sum().over([*SERIES, "spread"])).otherwise(_TRACED)
    of_bill = _BILL * missing / _BILLED.clip(1).cast(MONEY)
    of_cost = _COST * missing / _TRACED.clip(1).cast(MONEY)
    coverage = (
        pl.when(untold)
        .then(pl.when(seen == 0).then(_BILL).otherwise(_ZERO))
        .when(free)
        # Tokens for nothing have no billed price; what was traced beyond them has its own.
        .then(pl.when(missing < 0).then(of_cost).otherwise(_ZERO))
        .when(_BILLED > 0)
        .then(of_bill)
        .otherwise(_BILL - _COST)
    )
    known = cells.with_columns(coverage.alias("coverage_usd"))
    rest = _BILL - _COST - pl.col("coverage_usd")
    split = known.with_columns(
        pl.when(~untold & ~free).then(rest).otherwise(_ZERO).alias("price_usd"),
        pl.when(free & ~untold).then(rest).otherwise(_ZERO).alias("free_tier_usd"),
        pl.when(untold).then(rest).otherwise(_ZERO).alias("unexplained_usd"),
    )
    return timed(split)


def timed(split: pl.DataFrame) -> pl.DataFrame:
    """Return the cells with `timing_usd` taken out of their coverage.

    A day with fewer tokens billed than traced lends to the day after, as far as that day has more and the tokens were
    traced before midnight; then to the day before, likewise. Calls that end after midnight and buckets of another time
    zone look like this.
    """
    missing = _BILLED - _TRACED
    near = _calendar(split).with_columns(
        pl.when(missing < 0, ~pl.col("spread")).then(-missing).otherwise(0).alias("over"),
        pl.when(missing > 0, ~pl.col("spread")).then(missing).otherwise(0).alias("under"),
    )
    over, under, late, early = (pl.col(name) for name in ("over", "under", "late_tokens", "early_tokens"))
    lent = near.with_columns(pl.min_horizontal(over, under.shift(-1, fill_value=0).over(SERIES), late).alias("ahead"))
    left = lent.with_columns(
        (over - pl.col("ahead")).alias("over_left"),
        (under - pl.col("ahead").shift(1, fill_value=0).over(SERIES)).alias("under_left"),
    )
    back = pl.min_horizontal("over_left", pl.col("under_left").shift(1, fill_value=0).over(SERIES), early)
    shifted = left.with_columns(back.alias("back")).with_columns(
        (pl.col("ahead") + pl.col("back")).alias("out"),
        (pl.col("ahead").shift(1, fill_value=0) + pl.col("back").shift(-1, fill_value=0)).over(SERIES).alias("in"),
    )
    moved = pl.when(over > 0).then("out").when(under > 0).then("in").otherwise(0).cast(MONEY)
    whole = pl.max_horizontal(over, under, pl.lit(1)).cast(MONEY)
    timing = (pl.col("coverage_usd") * moved / whole).alias("timing_usd")
    found = shifted.filter(pl.col("traced_tokens").is_not_null()).with_columns(timing)
    return found.select(
        *(pl.col(name) for name in split.columns if name != "coverage_usd"),
        (pl.col("coverage_usd") - pl.col("timing_usd")).alias("coverage_usd"),
        "timing_usd",
        pl.col("ahead").alias("ahead_tokens"),
        pl.col("back").alias("back_tokens"),
    ).sort(CELL, nulls_last=True)


def judged(found: pl.DataFrame) -> pl.DataFrame:
    """Return the cells as far as a day can be judged: those that were spread as one, over all their days.

    Usage is not even over the hours of a month, so that by day a spread bill differs from the traces by nothing that
    anybody did; over the days of its row it is exact.

    Args:
        found: result of `differences`.

    Returns:
        The cells, the columns that add up summed, `day` the first and `last_day` the last that each stands for.
    """
    exact = found.filter(~pl.col("spread")).with_columns(pl.col("day").alias("last_day"))
    counts = pl.col("traced_tokens", "early_tokens", "late_tokens", "unpriced_tokens", "ahead_tokens", "back_tokens")
    spread = (
        found.filter("spread")
        .group_by(*SERIES, "level", "spread")
        .agg(
            counts.sum(),
            # Untold on one day is untold for the row.
            pl.when(_BILLED.null_count() == 0).then(_BILLED.sum()).alias("billed_tokens"),
            pl.col("traced_usd", "billed_usd", *DIFFERENCES).sum(),
            pl.col("day").min(),
            pl.col("day").max().alias("last_day"),
        )
    )
    return pl.concat([exact, spread.select(exact.columns)]).sort(CELL, nulls_last=True)


def _calendar(split: pl.DataFrame) -> pl.DataFrame:
    """Return every series with a row for every day, so that the row before is the day before."""
    if split.is_empty():
        return split
    days = split.select(pl.date_range(pl.col("day").min(), pl.col("day").max(), "1d").alias("day"))
    every = split.select(SERIES).unique().join(days, how="cross")
    filled = every.join(split, on=CELL, how="left", nulls_equal=True)
    edges = pl.col("late_tokens", "early_tokens").fill_null(0)
    return filled.sort([*SERIES, "day"], nulls_last=True).with_columns(edges)
