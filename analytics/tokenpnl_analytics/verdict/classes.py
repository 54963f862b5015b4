"""What a step is: glue by two independent signs, reasoning by positive evidence, else unclassified."""

from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise

import polars as pl

from tokenpnl_analytics.rules.labels import LabelsFile
from tokenpnl_analytics.verdict.comparisons import MARGIN, same_success
from tokenpnl_analytics.verdict.signs import Thresholds, measures

STEP = ("workflow", "step")
LEAST_FAMILIES = 2
_HOLDS = pl.col("holds").fill_null(value=False)


class StepClass(StrEnum):
    """What a step's productive dollars bought."""

    REASONING = "reasoning"
    GLUE = "glue"
    UNCLASSIFIED = "unclassified"


def evidence(
    answers: pl.DataFrame,
    comparisons: pl.DataFrame,
    labels: LabelsFile,
    by: Sequence[str] = STEP,
    thresholds: Thresholds | None = None,
) -> pl.DataFrame:
    """Return every sign and every piece of positive evidence of every step, one row each.

    Args:
        answers: result of `answers`.
        comparisons: result of `comparisons`.
        labels: what people said.
        by: `workflow, step`, and `week` for a history; comparisons and labels hold for every week.
        thresholds: when a number is a sign.

    Returns:
        As `measures`, with `speaks_for`: `glue` or `reasoning`; sorted by the dimensions.
    """
    measured = measures(answers, by, thresholds).with_columns(pl.lit(StepClass.GLUE.value).alias("speaks_for"))
    steps = measured.select(by).unique().sort(list(by))
    said = pl.concat([_compared(comparisons), _labelled(labels)])
    more = steps.join(said, on=list(STEP), how="inner").select(measured.columns)
    return pl.concat([measured, more]).sort(list(by), maintain_order=True)


def classes(found: pl.DataFrame, by: Sequence[str] = STEP) -> pl.DataFrame:
    """Return what each step is.

    Args:
        found: result of `evidence`.
        by: its dimensions.

    Returns:
        The dimensions, `class`, `n_families` (independent signs of glue that hold), `n_reasoning` (pieces of positive
        evidence), `n_known` (measures that could be taken), `contradicted` (two signs of glue and positive evidence:
        unclassified), sorted.
    """
    for_glue = _HOLDS & (pl.col("speaks_for") == StepClass.GLUE.value)
    for_reasoning = _HOLDS & (pl.col("speaks_for") == StepClass.REASONING.value)
    glue = pl.col("n_families") >= LEAST_FAMILIES
    reasoning = pl.col("n_reasoning") > 0
    return (
        found.group_by(list(by))
        .agg(
            pl.col("family").filter(for_glue).n_unique().cast(pl.Int64).alias("n_families"),
            for_reasoning.sum().cast(pl.Int64).alias("n_reasoning"),
            pl.col("holds").is_not_null().sum().cast(pl.Int64).alias("n_known"),
        )
        .with_columns(
            pl.when(glue & ~reasoning)
            .then(pl.lit(StepClass.GLUE.value))
            .when(reasoning & ~glue)
            .then(pl.lit(StepClass.REASONING.value))
            .otherwise(pl.lit(StepClass.UNCLASSIFIED.value))
            .alias("class"),
            (glue & reasoning).alias("contradicted"),
        )
        .sort(list(by))
    )


def held(weekly: pl.DataFrame) -> pl.DataFrame:
    """Return the class that each step holds at the end: it changes only after two consecutive weeks that agree.

    Args:
        weekly: result of `classes` by workflow, step and week; weeks without a single known measure say nothing.

    Returns:
        `workflow, step, held, since` (Monday of the week that decided it), sorted; no row where no week says anything.
    """
    rows = []
    told = weekly.filter(pl.col("n_known") > 0).sort(*STEP, "week")
    for (workflow, step), weeks in told.group_by(list(STEP), maintain_order=True):
        said = list(weeks.select("week", "class").iter_rows())
        since, state = said[0]
        for (_, before), (week, now) in pairwise(said):
            if now == before != state:
                state, since = now, week
        rows.append((workflow, step, state, since))
    schema = {"workflow": pl.String(), "step": pl.String(), "held": pl.String(), "since": weekly.schema["week"]}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _compared(rows: pl.DataFrame) -> pl.DataFrame:
    judged = same_success(rows)
    same = judged.with_columns(
        pl.lit("cheaper_same").alias("sign"),
        pl.col("low").alias("value"),
        pl.lit(-MARGIN).alias("threshold"),
        pl.col("same").alias("holds"),
        pl.lit(StepClass.GLUE.value).alias("speaks_for"),
    )
    worse = judged.with_columns(
        pl.lit("cheaper_worse").alias("sign"),
        pl.col("high").alias("value"),
        pl.lit(0.0).alias("threshold"),
        pl.col("worse").alias("holds"),
        pl.lit(StepClass.REASONING.value).alias("speaks_for"),
    )
    return pl.concat([same, worse]).select(
        *STEP, "sign", pl.lit("cheaper").alias("family"), "value", "n", "threshold", "holds", "speaks_for"
    )


def _labelled(labels: LabelsFile) -> pl.DataFrame:
    newest = {(one.workflow, one.step): one for one in labels.labels}
    rows = [
        (workflow, step, "label", "label", 1.0, one.n_seen, 1.0, True, one.label)
        for (workflow, step), one in newest.items()
    ]
    names = (*STEP, "sign", "family", "value", "n", "threshold", "holds", "speaks_for")
    types = (pl.String, pl.String, pl.String, pl.String, pl.Float64, pl.Int64, pl.Float64, pl.Boolean, pl.String)
    return pl.DataFrame(rows, schema=dict(zip(names, types, strict=True)), orient="row")
