"""Why the cost moved between two periods: volume, mix, rate, waste, and workflows that began or ended.

The effective cost C of a cell (workflow w, model m) is a product of five factors, each the change of one thing:

    C = V_w x (V_wm / V_w) x (T / V_wm) x (D / T) x (C / D)

    V_w            calls of the workflow                                             calls           } volume
    T / V_wm       tokens per call, of tokens with a direct result                   tokens_per_call } volume
    V_wm / V_w     the model's share of the workflow's calls                         mix
    D / T          dollars per token; kinds of tokens, caches and tiers included     rate
    C / D          cost over its part with direct result: 1 / (1 - waste share)      waste

Volume is each workflow's own: calls of different workflows are no common unit, and a cheap workflow that grows must not
read as mix of a dear one. Tokens per call belong to volume, since what is bought is tokens, whether by more calls or by
longer ones; the parts are told apart beside. A call counts once, at the model that ended it, so that retries are waste
and not volume. Waste is cost in the categories without direct result; pending runs are none, so a young period's waste
can still grow.

The split is additive LMDI-I (Ang 2004, 2015): the effect of a factor x on a cell is L(C1, C0) ln(x1 / x0), with the
logarithmic mean L(a, b) = (a - b) / ln(a / b). It has no residual, and neither the order of factors nor of rows
matters; periods exchanged give the same amounts with the other sign. Where a factor is zero the limits of LMDI hold: a
model that came or went is mix, a price that came or went is rate. A cell whose cost lost every direct result has no
finite waste factor: what its calls do not explain is waste there. Effects are float64; each is rounded to twelve
decimals and the largest of its cell takes the remainder, so that they sum to the change exactly, in Decimal.
"""

import polars as pl

from tokenpnl.model import WITHOUT_DIRECT_RESULT, UsageKind
from tokenpnl_analytics.frames import MONEY

CELL = ("workflow", "model")
EFFECTS = ("calls", "mix", "tokens_per_call", "rate", "waste")
BARS = ("volume_usd", "mix_usd", "rate_usd", "waste_usd", "new_usd", "ended_usd")
_COUNTED = ("calls", "mix")
_PARTS = tuple(f"{name}_usd" for name in EFFECTS)
_TOKEN_KINDS = [kind.value for kind in UsageKind]
_LOST = [category.value for category in WITHOUT_DIRECT_RESULT]
_NOTHING = pl.lit(0, MONEY)
_COUNTS = ("n_calls", "direct_tokens", "tokens", "direct_lines", "n_lines", "n_unpriced_lines")
_MEASURES = (*_COUNTS, "direct_usd", "cost_usd")


def cells(sums: pl.DataFrame, calls: pl.DataFrame) -> pl.DataFrame:
    """Return one period's cells, as `bridge` compares them.

    Args:
        sums: `line_item_sums` by `workflow, model, usage_kind, cost_category` at least.
        calls: `call_sums` by `workflow, model` at least.

    Returns:
        `workflow, model, n_calls, direct_tokens, tokens, direct_lines, n_lines, n_unpriced_lines, direct_usd, cost_usd`
        (known cost; 0 where nothing is priced, which `n_unpriced_lines` tells); sorted.
    """
    is_token = pl.col("usage_kind").is_in(_TOKEN_KINDS)
    direct = ~pl.col("cost_category").is_in(_LOST)
    paid = sums.group_by(CELL).agg(
        pl.col("quantity").filter(is_token & direct).sum().alias("direct_tokens"),
        pl.col("quantity").filter(is_token).sum().alias("tokens"),
        pl.col("n_lines").filter(direct).sum().alias("direct_lines"),
        pl.col("n_lines", "n_unpriced_lines").sum(),
        pl.col("cost_usd").filter(direct).sum().alias("direct_usd"),
        pl.col("cost_usd").sum(),
    )
    counted = calls.group_by(CELL).agg(pl.col("n_calls").sum())
    joined = paid.join(counted, on=CELL, how="full", nulls_equal=True, coalesce=True)
    return joined.select(*CELL, *(pl.col(name).fill_null(0) for name in _MEASURES)).sort(CELL, nulls_last=True)


def bridge(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return the change of cost by workflow, split into its reasons.

    Args:
        before: `cells` of the earlier period.
        after: `cells` of the later one.

    Returns:
        One row per workflow, sorted: `workflow, before_usd, after_usd, change_usd`; the bars `volume_usd, mix_usd,
        rate_usd, waste_usd, new_usd, ended_usd`, which sum to the change exactly; the parts `calls_usd +
        tokens_per_call_usd` of volume; `n_calls_before, n_calls_after`; `priced_share_before, priced_share_after` (of
        lines; NULL without lines): below 1 a cost is a floor and a new price looks like a rate.
    """
    split = _with_effects(_with_factors(_side_by_side(before, after)))
    return (
        split.group_by("workflow")
        .agg(
            pl.col("cost_usd_0").sum().alias("before_usd"),
            pl.col("cost_usd_1").sum().alias("after_usd"),
            pl.col("change_usd", *_PARTS, "new_usd", "ended_usd").sum(),
            pl.col("n_calls_0").sum().alias("n_calls_before"),
            pl.col("n_calls_1").sum().alias("n_calls_after"),
            _priced_share("0").alias("priced_share_before"),
            _priced_share("1").alias("priced_share_after"),
        )
        .with_columns(
            (pl.col("calls_usd") + pl.col("tokens_per_call_usd")).alias("volume_usd"),
        )
        .select(
            *("workflow", "before_usd", "after_usd", "change_usd", *BARS),
            *("calls_usd", "tokens_per_call_usd"),
            *("n_calls_before", "n_calls_after", "priced_share_before", "priced_share_after"),
        )
        .sort("workflow", nulls_last=True)
    )


def whole(split: pl.DataFrame) -> pl.DataFrame:
    """Return the sum of all workflows of a `bridge`: one row with its columns of money and calls."""
    return split.select(pl.col(pl.Decimal).sum(), pl.col("n_calls_before", "n_calls_after").sum())


def _side_by_side(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    named = [
        frame.select(*CELL, *(pl.col(name).alias(f"{name}_{side}") for name in _MEASURES))
        for side, frame in enumerate((before, after))
    ]
    joined = named[0].join(named[1], on=CELL, how="full", nulls_equal=True, coalesce=True)
    both = [pl.col(f"{name}_{side}").fill_null(0) for name in _MEASURES for side in (0, 1)]
    there = [
        (pl.col(f"n_lines_{side}") + pl.col(f"n_calls_{side}")).sum().over("workflow").gt(0).alias(f"there_{side}")
        for side in (0, 1)
    ]
    return joined.with_columns(both).with_columns(
        *there, (pl.col("cost_usd_1") - pl.col("cost_usd_0")).alias("change_usd")
    )


def _with_factors(joined: pl.DataFrame) -> pl.DataFrame:
    """Add the five factors of both periods, float64, as `<effect>_0` and `<effect>_1`."""
    called = pl.all_horizontal(pl.col(f"n_calls_{side}").sum().over("workflow") > 0 for side in (0, 1))
    # Fees and capacity are charged without a call: they follow the calls of their workflow, piece by piece.
    without_calls = pl.all_horizontal(pl.col(f"n_calls_{side}") == 0 for side in (0, 1))
    without_tokens = pl.all_horizontal(pl.col(f"tokens_{side}") == 0 for side in (0, 1))
    framed = joined.with_columns(
        called.alias("called"),
        without_calls.alias("without_calls"),
        without_tokens.alias("without_tokens"),
        (pl.col("there_0") & pl.col("there_1")).alias("stays"),
    )
    for side in (0, 1):
        framed = framed.with_columns(_base(side).alias("base"))
        of_workflow = pl.col("base").sum().over("workflow").cast(pl.Float64)
        cell_calls = pl.when("without_calls").then(of_workflow).otherwise("base").cast(pl.Float64)
        units = pl.when("without_tokens").then(f"direct_lines_{side}").otherwise(f"direct_tokens_{side}")
        direct, cost = (pl.col(f"{name}_{side}").cast(pl.Float64) for name in ("direct_usd", "cost_usd"))
        framed = framed.with_columns(
            of_workflow.alias(f"calls_{side}"),
            (cell_calls / of_workflow).alias(f"mix_{side}"),
            (units.cast(pl.Float64) / cell_calls).alias(f"tokens_per_call_{side}"),
            (direct / units.cast(pl.Float64)).alias(f"rate_{side}"),
            (cost / direct).alias(f"waste_{side}"),
        )
    return framed


def _base(side: int) -> pl.Expr:
    """Return what counts as a call of the cell: calls, or lines where its workflow lacks calls in a period."""
    return pl.when("called").then(f"n_calls_{side}").otherwise(f"n_lines_{side}")


def _with_effects(framed: pl.DataFrame) -> pl.DataFrame:
    c0, c1 = pl.col("cost_usd_0").cast(pl.Float64), pl.col("cost_usd_1").cast(pl.Float64)
    # Where costs are nearly equal the quotient would cancel, and both means are the same to thirteen digits.
    mean = pl.when((c1 / c0 - 1).abs() < 1e-6).then((c0 + c1) / 2).otherwise((c1 - c0) / (c1 / c0).log())
    by_log = {name: mean * (pl.col(f"{name}_1") / pl.col(f"{name}_0")).log() for name in EFFECTS}
    change = c1 - c0
    paid = (c0 > 0) & (c1 > 0)
    counted = _positive(*_COUNTED)
    regular = paid & counted & _positive("tokens_per_call", "rate", "waste")
    partly = paid & counted & ~regular
    rest = change - pl.sum_horizontal(by_log[name] for name in _COUNTED)
    all_to = pl.when(regular | partly).then(pl.lit("")).otherwise(_sole_reason(counted))
    remaining = pl.when((pl.col("direct_usd_0") == 0) | (pl.col("direct_usd_1") == 0))
    rest_to = remaining.then(pl.lit("waste")).otherwise(pl.lit("rate"))
    told = framed.with_columns(
        all_to.alias("all_to"), rest_to.alias("rest_to"), regular.alias("regular"), partly.alias("partly")
    )
    stays = pl.col("stays")
    effects = [
        pl.when(~stays | (pl.col("change_usd") == 0) & ~(regular | partly))
        .then(0.0)
        .when(pl.col("all_to") == name)
        .then(change)
        .when("regular")
        .then(by_log[name])
        .when(pl.col("partly") & (name in _COUNTED))
        .then(by_log[name])
        .when(pl.col("partly") & (pl.col("rest_to") == name))
        .then(rest)
        .otherwise(0.0)
        .alias(f"{name}_usd")
        for name in EFFECTS
    ]
    moved = pl.col("change_usd")
    exact = told.with_columns(effects).with_columns(
        pl.when(pl.col("there_1") & ~pl.col("there_0")).then(moved).otherwise(_NOTHING).alias("new_usd"),
        pl.when(pl.col("there_0") & ~pl.col("there_1")).then(moved).otherwise(_NOTHING).alias("ended_usd"),
    )
    return _to_the_last_digit(exact)


def _positive(*names: str) -> pl.Expr:
    factors = (pl.col(f"{name}_{side}") for name in names for side in (0, 1))
    return pl.all_horizontal((factor.is_finite() & (factor > 0)).fill_null(value=False) for factor in factors)


def _sole_reason(counted: pl.Expr) -> pl.Expr:
    """Return the one factor that a cell's change goes to where its cost or its calls are zero in one period."""
    came_or_went = pl.any_horizontal(
        (pl.col(f"cost_usd_{side}") == 0) & (pl.col(f"n_lines_{side}") == 0) for side in (0, 1)
    )
    lost = pl.any_horizontal((pl.col(f"cost_usd_{side}") > 0) & (pl.col(f"direct_usd_{side}") == 0) for side in (0, 1))
    unused = pl.any_horizontal((pl.col(f"tokens_{side}") == 0) for side in (0, 1)) & ~pl.col("without_tokens")
    return (
        pl.when(came_or_went & ~pl.col("without_calls"))
        .then(pl.lit("mix"))
        .when(came_or_went)
        .then(pl.lit("tokens_per_call"))
        .when(~counted & lost)
        .then(pl.lit("waste"))
        .when(~counted)
        .then(pl.lit("mix"))
        .when(unused)
        .then(pl.lit("tokens_per_call"))
        .otherwise(pl.lit("rate"))
    )


def _to_the_last_digit(split: pl.DataFrame) -> pl.DataFrame:
    """Return the effects as money; the largest of each cell takes what rounding left: they sum to the change."""
    money = split.with_columns(pl.col(name).fill_nan(0.0).round(12).cast(MONEY) for name in _PARTS)
    told = pl.sum_horizontal(*_PARTS, "new_usd", "ended_usd")
    place = pl.concat_list(pl.col(name).cast(pl.Float64).abs() for name in _PARTS).list.arg_max()
    left = money.with_columns((pl.col("change_usd") - told).cast(MONEY).alias("left"), place.alias("place"))
    return left.with_columns(
        (pl.col(name) + pl.when(pl.col("place") == number).then("left").otherwise(_NOTHING)).cast(MONEY).alias(name)
        for number, name in enumerate(_PARTS)
    )


def _priced_share(side: str) -> pl.Expr:
    lines = pl.col(f"n_lines_{side}").sum()
    return 1 - pl.col(f"n_unpriced_lines_{side}").sum() / lines.replace(0, None)
