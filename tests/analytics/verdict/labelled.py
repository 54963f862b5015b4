"""A label set that we generate ourselves, hence a unit test and called so: answers of steps whose class is known.

216 steps of 24 workflows in the shapes of six emitters, which differ in what they log. Hard cases among them: short
answers that took hard reasoning, long text that is mechanical, long agents that send their context again.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from tokenpnl_analytics.rules.labels import LabelsFile
from tokenpnl_analytics.verdict.classes import classes, evidence
from tokenpnl_analytics.verdict.comparisons import SCHEMA
from tokenpnl_analytics.verdict.headline import Confusion
from tokenpnl_analytics.verdict.signs import Thresholds

SEED = 20261124
N_WORKFLOWS = 24
N_ANSWERS = 120
EMITTERS = {
    "tokenpnl": {"hashes", "form", "blocks", "validity", "route"},
    "otel_genai": {"form", "hashes"},
    "openinference": {"form", "hashes", "route"},
    "traceloop": {"form", "hashes", "validity"},
    "vercel": {"hashes", "blocks", "form"},
    "litellm": {"hashes", "route", "form"},
}


@dataclass(frozen=True)
class Kind:
    """One kind of step, as the generator draws it.

    Attributes:
        truth: glue or reasoning.
        distinct_inputs: distinct inputs per answer.
        labels: how many different answers there are; 0: as many as inputs.
        tokens: median tokens of an answer, reasoning included.
        shaped: share of answers in a schema at temperature 0.
        near: typical overlap with the step's input before.
        context: typical overlap with the call before.
        copied: share of answers that are copied forward.
        repair: share of answers after an invalid one.
        noise: share of repeated inputs that get another answer.
        gap: success of a cheaper model less that of this one, where a router told.
    """

    truth: str
    distinct_inputs: float = 1.0
    labels: int = 0
    tokens: float = 400
    shaped: float = 0.0
    near: float = 0.3
    context: float = 0.3
    copied: float = 0.0
    repair: float = 0.0
    noise: float = 0.0
    gap: float = 0.0


KINDS = {
    "classify": Kind("glue", distinct_inputs=0.3, labels=6, tokens=6, shaped=1.0),
    "extract": Kind("glue", tokens=220, shaped=1.0, near=0.9),
    "repair_json": Kind("glue", tokens=180, shaped=1.0, repair=0.8, copied=0.6),
    "long_mechanical": Kind("glue", tokens=2500, near=0.92, context=0.9, copied=0.7),
    "short_hard": Kind("reasoning", labels=2, tokens=700, shaped=0.5, gap=-0.15),
    "short_hard_terse": Kind(
        "reasoning", distinct_inputs=0.97, labels=9, tokens=240, shaped=0.95, gap=-0.12, noise=0.3
    ),
    "yes_no_hard": Kind("reasoning", labels=2, tokens=8, shaped=1.0, near=0.85, gap=-0.08),
    "plan": Kind("reasoning", tokens=1800, context=0.85, gap=-0.2),
    "long_reasoning": Kind("reasoning", tokens=4000, near=0.5, context=0.6, gap=-0.1),
}


@dataclass(frozen=True)
class Labelled:
    """The set: answers, comparisons and the true class of each step."""

    answers: pl.DataFrame
    comparisons: pl.DataFrame
    truth: pl.DataFrame


def label_set(chance: np.random.Generator) -> Labelled:
    """Return the set: every kind of step in every workflow, the emitters in turn."""
    answers, compared, truth = [], [], []
    emitters = list(EMITTERS)
    for number in range(N_WORKFLOWS):
        emitter = emitters[number % len(emitters)]
        for step, kind in KINDS.items():
            workflow = f"{emitter}_{number:02}"
            answers.append(_answers(workflow, step, kind, EMITTERS[emitter], chance))
            truth.append((workflow, step, number, kind.truth))
            if "route" in EMITTERS[emitter]:
                compared.append(_compared(workflow, step, kind, chance))
    return Labelled(
        pl.concat(answers),
        pl.DataFrame(compared, schema=SCHEMA, orient="row"),
        pl.DataFrame(truth, schema=["workflow", "step", "number", "truth"], orient="row"),
    )


def half(whole: Labelled, odd: int) -> Labelled:
    """Return the workflows with even or odd numbers in pairs of the emitters' rounds: every emitter is in both."""
    kept = whole.truth.filter((pl.col("number") // len(EMITTERS)) % 2 == odd)
    names = kept["workflow"].unique().to_list()
    mine = pl.col("workflow").is_in(names)
    return Labelled(whole.answers.filter(mine), whole.comparisons.filter(mine), kept)


def judged(part: Labelled, thresholds: Thresholds | None = None) -> pl.DataFrame:
    """Return the steps with `truth` and `class`."""
    found = classes(evidence(part.answers, part.comparisons, LabelsFile(), thresholds=thresholds))
    return part.truth.join(found, on=["workflow", "step"], how="left", maintain_order="left")


def confusion(steps: pl.DataFrame) -> Confusion:
    """Return how often the classification was right among the steps that it classified."""

    def n(truth: str, said: str) -> int:
        return steps.filter((pl.col("truth") == truth) & (pl.col("class") == said)).height

    return Confusion(n("glue", "glue"), n("glue", "reasoning"), n("reasoning", "reasoning"), n("reasoning", "glue"))


def _answers(workflow: str, step: str, kind: Kind, logs: set[str], chance: np.random.Generator) -> pl.DataFrame:
    n = N_ANSWERS
    # No workflow is like another: what is typical of a kind varies between workflows, more than within one.
    vary = lambda share: float(np.clip(share + chance.normal(0, 0.08), 0, 1)) if 0 < share < 1 else share  # noqa: E731
    pool = max(1, round(n * vary(kind.distinct_inputs)))
    inputs = np.arange(n) if kind.distinct_inputs == 1 else chance.integers(0, pool, n)
    labels = kind.labels or n
    outputs = np.where(chance.random(n) < kind.noise, chance.integers(0, labels, n), inputs * 7 % labels)
    near, context = (np.clip(chance.normal(vary(share), 0.05, n), 0, 1) for share in (kind.near, kind.context))
    shaped = chance.random(n) < vary(kind.shaped)
    known = lambda name, values: values if name in logs else [None] * n  # noqa: E731
    start = datetime(2026, 10, 5, tzinfo=UTC)
    return pl.DataFrame(
        {
            "workflow": [workflow] * n,
            "step": [step] * n,
            "tenant": ["default"] * n,
            "run_id": [f"{workflow}/{place}" for place in range(n)],
            "started_at": [start + timedelta(hours=place) for place in range(n)],
            "input_key": known("hashes", [f"i{value}" for value in inputs]),
            "output_key": known("hashes", [f"o{value}" for value in outputs]),
            "answer_tokens": (kind.tokens * np.exp(chance.normal(chance.normal(0, 0.25), 0.2, n))).astype(int).tolist(),
            "structured": known("form", shaped.tolist()),
            "temperature": known("form", np.where(shaped, 0.0, 0.7).tolist()),
            "tool_choice": [False] * n,
            "near_overlap": known("blocks", near.tolist()),
            "context_overlap": known("blocks", context.tolist()),
            "copied": known("hashes", (chance.random(n) < vary(kind.copied)).tolist()),
            "repair": known("validity", (chance.random(n) < vary(kind.repair)).tolist()),
        },
        schema_overrides={
            "input_key": pl.String, "output_key": pl.String, "structured": pl.Boolean, "temperature": pl.Float64,
            "near_overlap": pl.Float64, "context_overlap": pl.Float64, "copied": pl.Boolean, "repair": pl.Boolean,
            "started_at": pl.Datetime("ns", "UTC"), "answer_tokens": pl.Int64,
        },
    )  # fmt: skip


def _compared(workflow: str, step: str, kind: Kind, chance: np.random.Generator) -> tuple[object, ...]:
    """Return what an off-policy comparison of 2,000 runs would say: the truth with a standard error of 1.2 points."""
    error = 0.012
    seen = kind.gap + chance.normal(0, error)
    told = (seen, seen - 1.96 * error, seen + 1.96 * error)
    return (workflow, step, "small", "large", *told, 2000, "estimated", "doubly robust", None)
