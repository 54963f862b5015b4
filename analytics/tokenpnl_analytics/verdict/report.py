"""The whole verdict of a window: classes, evidence, dollars, causes, and the headline, from frames."""

from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
import polars as pl

from tokenpnl_analytics.rules.labels import LabelsFile
from tokenpnl_analytics.verdict.answers import answers
from tokenpnl_analytics.verdict.causes import causes, named
from tokenpnl_analytics.verdict.classes import STEP, StepClass, classes, evidence, held
from tokenpnl_analytics.verdict.comparisons import comparisons, same_success
from tokenpnl_analytics.verdict.headline import Verdict, verdict
from tokenpnl_analytics.verdict.measured import MEASURED
from tokenpnl_analytics.verdict.shares import dollars
from tokenpnl_analytics.verdict.signs import SIGN

_RUN = ["tenant", "run_id"]
SEED = 20261124
LABEL_COLUMNS = {
    "attempts": (
        *("tenant", "attempt_id", "run_id", "trace_id", "span_id", "customer_id", "session_id", "workflow", "step"),
        *("operation", "evaluation", "started_at", "status", "looped", "superseded", "rejected", "output_valid"),
        *("prompt_hash", "output_total_tokens", "finish_reason"),
    ),
    "line_items": ("tenant", "attempt_id", "cost_usd"),
}
"""Columns of the tables that a class needs."""


@dataclass(frozen=True)
class Traffic:
    """What a verdict is about.

    Attributes:
        attempts: table `attempts` of the window.
        details: result of `call_details` of their spans.
        lines: their `line_items`, capacity among them.
        runs: result of `cohort` of the window: production, settled or not.
    """

    attempts: pl.DataFrame
    details: pl.DataFrame
    lines: pl.DataFrame
    runs: pl.DataFrame


@dataclass(frozen=True)
class Report:
    """A verdict with what it rests on.

    Attributes:
        verdict: headline and shares.
        steps: result of `dollars` with `signs_say` (the class by the signs of the whole window), `n_families`,
            `n_reasoning`, `n_known`, `contradicted`, `since` and `to_log` (what would classify it).
        evidence: result of `evidence`.
        causes: result of `causes`.
        cause_of: result of `named`: the calls behind them.
        compared: result of `same_success`.
        traffic: what it is about.
    """

    verdict: Verdict
    steps: pl.DataFrame = field(repr=False)
    evidence: pl.DataFrame = field(repr=False)
    causes: pl.DataFrame = field(repr=False)
    cause_of: pl.DataFrame = field(repr=False)
    compared: pl.DataFrame = field(repr=False)
    traffic: Traffic = field(repr=False)


@dataclass(frozen=True)
class _Classed:
    ours: pl.DataFrame
    answers: pl.DataFrame
    compared: pl.DataFrame
    evidence: pl.DataFrame
    steps: pl.DataFrame


def reported(traffic: Traffic, labels: LabelsFile) -> Report:
    """Return the verdict of a window.

    Args:
        traffic: what happened; the runs decide what counts.
        labels: what people said of steps.
    """
    chance = np.random.default_rng(SEED)
    of = _classed(traffic, labels, chance)
    steps = dollars(traffic.lines, of.ours, traffic.runs, of.steps).join(
        of.steps.drop("class"), on=list(STEP), how="left", maintain_order="left"
    )
    steps = steps.join(_missing(of.evidence), on=list(STEP), how="left", maintain_order="left")
    doubted = steps.filter(pl.col("unclassified_usd") > 0).sort("unclassified_usd", descending=True).head(1)
    compared = same_success(of.compared)
    calls = named(of.ours, traffic.runs, traffic.details, of.answers, compared)
    return Report(
        verdict(steps, traffic.runs, MEASURED, to_log=_next(doubted, steps["total_usd"].sum()), chance=chance),
        steps,
        of.evidence,
        causes(traffic.lines, calls),
        calls,
        compared,
        traffic,
    )


def labelled(traffic: Traffic, labels: LabelsFile) -> dict[str, str]:
    """Return `labels_of` the verdict's steps without its dollars, causes and intervals.

    Args:
        traffic: as of `reported`; of attempts and line items `LABEL_COLUMNS` will do.
        labels: what people said of steps.
    """
    of = _classed(traffic, labels, np.random.default_rng(SEED))
    settled = of.ours.join(traffic.runs.filter("settled").select(_RUN), on=_RUN, how="semi")
    return labels_of(of.steps.join(settled, on=list(STEP), how="semi", nulls_equal=True))


def _classed(traffic: Traffic, labels: LabelsFile, chance: np.random.Generator) -> _Classed:
    ours = traffic.attempts.join(traffic.runs.select(_RUN), on=_RUN, how="semi")
    given = answers(ours, traffic.details)
    compared = comparisons(_routed(traffic, ours), chance=chance)
    found = evidence(given, compared, labels)
    weekly = classes(evidence(given, compared, labels, (*STEP, "week")), (*STEP, "week"))
    steps = (
        classes(found)
        .rename({"class": "signs_say"})
        .join(held(weekly), on=list(STEP), how="left")
        .with_columns(pl.coalesce("held", "signs_say").alias("class"))
        .drop("held")
    )
    return _Classed(ours, given, compared, found, steps)


def labels_of(steps: pl.DataFrame) -> dict[str, str]:
    """Return `workflow/step` -> glue or reasoning; steps that nobody could classify are absent."""
    known = steps.filter(pl.col("class") != StepClass.UNCLASSIFIED.value).sort(*STEP)
    return {f"{workflow}/{step}": name for workflow, step, name in known.select(*STEP, "class").iter_rows()}


def _routed(traffic: Traffic, ours: pl.DataFrame) -> pl.DataFrame:
    cost = traffic.lines.group_by("tenant", "attempt_id").agg(pl.col("cost_usd").sum())
    cluster = pl.coalesce("customer_id", "session_id", "run_id").rank("dense").cast(pl.Int64) - 1
    settled = traffic.runs.filter("settled").select(*_RUN, "outcome")
    return (
        ours.join(
            traffic.details.select("trace_id", "span_id", "route_arm", "route_propensity"), on=["trace_id", "span_id"]
        )
        .join(settled, on=_RUN)
        .join(cost, on=["tenant", "attempt_id"], how="left")
        .with_columns(cluster.alias("cluster"))
    )


def _missing(found: pl.DataFrame) -> pl.DataFrame:
    """Return of each step what to record for the signs that could not be measured."""
    logs = {name: sign.to_log for name, sign in SIGN.items()}
    unknown = found.filter(pl.col("holds").is_null() & pl.col("sign").is_in(list(logs)))
    told = unknown.with_columns(pl.col("sign").replace_strict(logs, return_dtype=pl.String).alias("to_log"))
    return told.group_by(list(STEP)).agg(pl.col("to_log").unique(maintain_order=True).str.join("; ")).sort(list(STEP))


def _next(doubted: pl.DataFrame, whole_usd: float | Decimal) -> str | None:
    if doubted.is_empty() or not whole_usd:
        return None
    row = doubted.row(0, named=True)
    name = f"{row['workflow']}/{row['step']}"
    part = f"{float(row['unclassified_usd']) / float(whole_usd):.0%} of the cost"
    line = f"{{workflow: {row['workflow']}, step: {row['step']}, label: reasoning, reviewer: NAME, n_seen: 20}}"
    return (
        f"let a person read 20 answers of {name} ({part}) and add what it is to labels.yaml: `labels: [{line}]` (or "
        "label: glue)"
    )
