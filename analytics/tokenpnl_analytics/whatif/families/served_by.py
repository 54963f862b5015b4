"""Another model behind the same calls: who sells it, how many tokens it needs for the same text."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy import stats

from tokenpnl.model import UsageKind
from tokenpnl_analytics.pricing.matching import SELF_HOSTED_DEPLOYMENTS, SELF_HOSTED_SERVERS
from tokenpnl_analytics.resolving.usage import KIND_NAMES
from tokenpnl_analytics.rules.scenario_families import Target, TokenRatio
from tokenpnl_analytics.unit_cost.intervals import CONFIDENCE, ratio_interval

FEWEST_PAIRS = 20
FEWEST_CALLS = 30
SELF_HOSTED = (
    pl.col("deployment").is_in(SELF_HOSTED_DEPLOYMENTS) | pl.col("provider").is_in(SELF_HOSTED_SERVERS)
).fill_null(value=False)
"""Whether a row runs on accelerators of one's own."""
TOKENS_KNOWN = pl.col("input_total_tokens").is_not_null() & pl.col("output_total_tokens").is_not_null()
"""Whether a row's tokens are known on both sides, without which no other model can be priced for it."""
STEP = ["workflow", "step"]
_SEED = 20261124
_Z = float(stats.norm.ppf(0.5 + CONFIDENCE / 2))
_SIDES = {"input": "input_total_tokens", "output": "output_total_tokens"}


def seller_of(target: Target, attempts: pl.DataFrame) -> str | None:
    """Return who shall serve a model: the provider that is named, else the one that served it most in the baseline."""
    if target.provider is not None:
        return target.provider
    known = attempts.filter((pl.col("model") == target.model) & ~SELF_HOSTED & pl.col("provider").is_not_null())
    if known.is_empty():
        return None
    counted = known.group_by("provider").len().sort("len", "provider", descending=[True, False])
    return str(counted["provider"][0])


def sold_by(seller: str | None) -> pl.Expr:
    """Return the provider of rows that another model serves; NULL where one's own server ran them and nobody sells it.

    Tokens on one's own server have no price of their own, so they would seem to be free there.
    """
    if seller is not None:
        return pl.lit(seller)
    return pl.when(~SELF_HOSTED).then(pl.col("provider"))


def still_paid(rows: pl.DataFrame) -> tuple[str, ...]:
    """Return a sentence where rows ran on capacity that is paid by the hour, whether they are made there or not."""
    paid = rows["capacity_usd"].sum()
    if not paid:
        return ()
    told = f"${float(paid):,.2f} of what these calls cost is capacity paid by the hour"
    return (f"{told}: it is counted on, until somebody gives the capacity back.",)


def token_ratios(baseline_attempts: pl.DataFrame, rows: pl.DataFrame, model: str) -> pl.DataFrame:
    """Return how many tokens a model needs for what others read and wrote, a row per workflow and step of the rows.

    Measured on prompts (equal `prompt_hash`) that both answered in the step, where there are 20 or more; else on the
    means of the step, where each has 30 calls or more; else not measured.

    Returns:
        `workflow, step, basis` (`prompts`, `step`, or NULL: not measured), `n`, and for `input` and `output` the ratio
        with its 95% interval: `input_ratio, input_low, input_high, output_ratio, output_low, output_high` (float64).
        Sorted.
    """
    usable = baseline_attempts.filter(TOKENS_KNOWN)
    found = []
    for (workflow, step), mine in rows.group_by(STEP, maintain_order=True):
        here = usable.filter(pl.col("workflow").eq_missing(pl.lit(workflow)) & (pl.col("step") == step))
        present = here.filter(pl.col("model").is_in(mine["model"].unique().implode()) & (pl.col("model") != model))
        theirs = here.filter(pl.col("model") == model)
        found.append((workflow, step, *_measured(present, theirs)))
    schema = {
        "workflow": pl.String,
        "step": pl.String,
        "basis": pl.String,
        "n": pl.Int64,
        **{f"{side}_{what}": pl.Float64 for side in _SIDES for what in ("ratio", "low", "high")},
    }
    return pl.DataFrame(found, schema=schema, orient="row").sort(STEP, nulls_last=True)


def _measured(present: pl.DataFrame, theirs: pl.DataFrame) -> Sequence[object]:
    pairs = _per_prompt(present).join(_per_prompt(theirs), on="prompt_hash", suffix="_theirs").sort("prompt_hash")
    if pairs.height >= FEWEST_PAIRS:
        sides = [_paired(pairs, side) for side in _SIDES]
        return ("prompts", pairs.height, *sides[0], *sides[1])
    n = min(present.height, theirs.height)
    if n >= FEWEST_CALLS:
        sides = [_of_means(present[column], theirs[column]) for column in _SIDES.values()]
        return ("step", n, *sides[0], *sides[1])
    return (None, n, *[None] * 6)


def _per_prompt(rows: pl.DataFrame) -> pl.DataFrame:
    means = [pl.col(column).mean().alias(side) for side, column in _SIDES.items()]
    return rows.filter(pl.col("prompt_hash").is_not_null()).group_by("prompt_hash").agg(means)


def _paired(pairs: pl.DataFrame, side: str) -> tuple[float | None, float | None, float | None]:
    theirs, ours = pairs[f"{side}_theirs"].to_numpy(), pairs[side].to_numpy()
    if ours.sum() == 0 or theirs.sum() == 0:
        return None, None, None
    each = np.arange(len(pairs), dtype=np.int64)
    interval = ratio_interval(theirs, ours, each, chance=np.random.default_rng(_SEED))
    return float(theirs.sum() / ours.sum()), interval.low, interval.high


def _of_means(ours: pl.Series, theirs: pl.Series) -> tuple[float | None, float | None, float | None]:
    """Return the ratio of two independent means with its log-delta interval."""
    a, b = theirs.cast(pl.Float64).to_numpy(), ours.cast(pl.Float64).to_numpy()
    if a.mean() == 0 or b.mean() == 0:
        return None, None, None
    ratio = float(a.mean() / b.mean())
    spread = _Z * np.sqrt(a.var(ddof=1) / len(a) / a.mean() ** 2 + b.var(ddof=1) / len(b) / b.mean() ** 2)
    return ratio, float(ratio * np.exp(-spread)), float(ratio * np.exp(spread))


def ratios_in_force(measured: pl.DataFrame, stated: TokenRatio | None) -> pl.DataFrame:
    """Return the ratios to replay with: stated ones, else measured ones, else 1 with the usual range; none is NULL.

    Returns:
        `workflow, step, basis` (stated, prompts, step or assumed), `n`, ratios and ranges as `token_ratios` has them.
    """
    said = stated or TokenRatio()
    unknown = pl.lit(value=True) if stated else pl.col("basis").is_null()
    columns = []
    for side in _SIDES:
        ratio = float(getattr(said, side))
        for what, value in (("ratio", ratio), ("low", ratio * said.low), ("high", ratio * said.high)):
            name = f"{side}_{what}"
            columns.append(pl.when(unknown).then(value).otherwise(pl.coalesce(name, pl.lit(value))).alias(name))
    basis = pl.lit("stated") if stated else pl.col("basis").fill_null("assumed")
    return measured.with_columns(*columns, basis.alias("basis"))


def served_by(
    frame: pl.DataFrame, meant: pl.Expr, target: Target, seller: str | None, ratios: pl.DataFrame, *, at: str = "ratio"
) -> pl.DataFrame:
    """Return the frame with another model behind the rows that are meant.

    Args:
        frame: a replayed frame.
        meant: which rows; those that the model serves already, by that seller, stay as they are.
        target: the model.
        seller: its provider; None keeps each row's own, and leaves it unknown where that is a server of one's own.
        ratios: result of `ratios_in_force`; every usage kind is multiplied by its side's ratio and rounded half up.
        at: `ratio`, `low` or `high`: which end of the range.
    """
    provider = sold_by(seller)
    as_now = pl.col("provider").eq_missing(pl.lit(seller)) if seller else pl.lit(value=True)
    same = (pl.col("model") == target.model).fill_null(value=False) & as_now
    factors = ratios.select(*STEP, *(pl.col(f"{side}_{at}").alias(f"{side}_factor") for side in _SIDES))
    moves = pl.col("moves")
    scaled = [_scaled(name, moves) for name in KIND_NAMES]
    return (
        frame.with_columns((meant & ~same).alias("moves"))
        .join(factors, on=STEP, how="left", nulls_equal=True, maintain_order="left")
        .with_columns(
            pl.when(moves).then(pl.lit(target.model)).otherwise("model").alias("model"),
            pl.when(moves).then(provider).otherwise("provider").alias("provider"),
            pl.when(moves & SELF_HOSTED).then(pl.lit("managed_api")).otherwise("deployment").alias("deployment"),
            *scaled,
            *(_total(column, side, moves) for side, column in _SIDES.items()),
            (pl.col("changed") | moves).alias("changed"),
        )
        .drop("moves", *(f"{side}_factor" for side in _SIDES))
    )


def _scaled(name: str, moves: pl.Expr) -> pl.Expr:
    side = "input" if name.startswith("input_") else "output"
    return pl.when(moves).then(_times(name, side)).otherwise(name).alias(name)


def _total(column: str, side: str, moves: pl.Expr) -> pl.Expr:
    kinds = [kind.column for kind in UsageKind if kind.value.startswith(f"{side}_")]
    whole = pl.sum_horizontal(_times(name, side).fill_null(0) for name in kinds)
    return pl.when(moves & pl.col(column).is_not_null()).then(whole).otherwise(column).alias(column)


def _times(name: str, side: str) -> pl.Expr:
    return (pl.col(name) * pl.col(f"{side}_factor") + 0.5).floor().cast(pl.Int64)
