"""The one sentence: mostly glue, mostly reasoning, mixed, or not enough evidence, with the interval that allows it."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import polars as pl

from tokenpnl.model import OutcomeStatus
from tokenpnl_analytics.verdict.shares import IDLE, SHARES

MOST_UNCLASSIFIED = 0.25
LEAST_SUCCESSES = 30
LEAST_SETTLED = 200
LEAST_COVERAGE = 0.95
LEAST_STEPS = 3
MAJORITY = 0.5
DRAWS = 4000
Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


class Headline(StrEnum):
    """The answer to the product's question."""

    MOSTLY_GLUE = "mostly_glue"
    MOSTLY_REASONING = "mostly_reasoning"
    MIXED = "mixed"
    NOT_ENOUGH_EVIDENCE = "not_enough_evidence"


@dataclass(frozen=True)
class Confusion:
    """How often the classification was right on a label set, among the steps that it classified.

    Attributes:
        glue_right: glue that was called glue.
        glue_wrong: glue that was called reasoning.
        reasoning_right: reasoning that was called reasoning.
        reasoning_wrong: reasoning that was called glue.
    """

    glue_right: int
    glue_wrong: int
    reasoning_right: int
    reasoning_wrong: int

    @property
    def sensitivity(self) -> float:
        """Share of glue that was called glue."""
        return self.glue_right / (self.glue_right + self.glue_wrong)

    @property
    def specificity(self) -> float:
        """Share of reasoning that was called reasoning."""
        return self.reasoning_right / (self.reasoning_right + self.reasoning_wrong)


@dataclass(frozen=True)
class Share:
    """One share of the base, 0 to 1: as counted, corrected for misclassification, and the 95% interval of that.

    `low` and `high` are None below `LEAST_STEPS` steps.
    """

    counted: float
    corrected: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Verdict:
    """The headline and everything that it rests on.

    Attributes:
        headline: one of four.
        reason: why it is not another, in one sentence.
        shares: the five shares by name.
        glue_and_waste: both together, because the headline asks for it.
        n_steps: steps that the bootstrap draws from.
        n_settled: settled runs.
        n_successes: successes among them.
        coverage: share of settled runs with an outcome; None: there are none.
        next_thing: the one thing to do next; None: nothing is missing.
        method: how intervals were made.
    """

    headline: Headline
    reason: str
    shares: dict[str, Share]
    glue_and_waste: Share
    n_steps: int
    n_settled: int
    n_successes: int
    coverage: float | None
    next_thing: str | None
    method: str


def rogan_gladen(q: Floats, sensitivity: Floats, specificity: Floats) -> Floats:
    """Return the true share behind an observed one: (q + sp - 1)/(se + sp - 1), cut to 0 and 1.

    Rogan and Gladen 1978. A test no better than chance (se + sp <= 1) leaves q as it is.
    """
    power = sensitivity + specificity - 1
    corrected = np.divide(q + specificity - 1, power, out=q.astype(float), where=power > 0)
    within: Floats = np.clip(corrected, 0, 1)
    return within


def verdict(
    steps: pl.DataFrame, runs: pl.DataFrame, confusion: Confusion, *, to_log: str | None, chance: np.random.Generator
) -> Verdict:
    """Return the headline of these steps, the shares corrected and with intervals. Float64: estimates.

    Args:
        steps: result of `dollars`, of one workflow or of all.
        runs: result of `cohort` of the same.
        confusion: what the label set measured.
        to_log: what would classify the dearest unclassified step.
        chance: draws steps and label sets.
    """
    settled = runs.filter("settled")
    successes = settled.filter(pl.col("outcome") == OutcomeStatus.SUCCESS.value).height
    coverage = settled["outcome"].count() / settled.height if settled.height else None
    shares, both, n_steps = _shares(steps, confusion, chance)
    lacking = _lacking(settled.height, successes, coverage, shares["unclassified"].counted, to_log)
    headline, reason = _headline(shares, both, n_steps)
    if lacking is not None:
        headline, reason = Headline.NOT_ENOUGH_EVIDENCE, lacking[0]
    return Verdict(
        headline,
        reason,
        shares,
        both,
        n_steps,
        settled.height,
        successes,
        coverage,
        lacking[1] if lacking else None,
        f"95% percentile bootstrap over {n_steps} steps and the label set, {DRAWS:,} draws; Rogan-Gladen correction",
    )


def _shares(
    steps: pl.DataFrame, confusion: Confusion, chance: np.random.Generator
) -> tuple[dict[str, Share], Share, int]:
    drawn = steps.filter(pl.col("step") != IDLE)
    columns = [f"{name}_usd" for name in SHARES]
    money = drawn.select(pl.col(columns).cast(pl.Float64)).to_numpy()
    fixed = steps.filter(pl.col("step") == IDLE).select(pl.col(columns).cast(pl.Float64)).to_numpy().sum(axis=0)
    n = len(money)
    whole = money.sum(axis=0, keepdims=True) + fixed
    counted = _parts(whole)[0]
    exact = np.array([confusion.sensitivity]), np.array([confusion.specificity])
    corrected = _corrected(_parts(whole), *exact)[0]
    if n < LEAST_STEPS or not whole.sum():
        found = {
            name: Share(float(c), float(k), None, None) for name, c, k in zip(SHARES, counted, corrected, strict=True)
        }
        both = Share(float(counted[1] + counted[3]), float(corrected[1] + corrected[3]), None, None)
        return found, both, n
    resampled = chance.multinomial(n, np.full(n, 1 / n), size=DRAWS) @ money + fixed
    # The label set is resampled as a Bayesian bootstrap with half a case added to each cell: none is perfect for sure.
    sensitivity = chance.beta(confusion.glue_right + 0.5, confusion.glue_wrong + 0.5, DRAWS)
    specificity = chance.beta(confusion.reasoning_right + 0.5, confusion.reasoning_wrong + 0.5, DRAWS)
    draws = _corrected(_parts(resampled), sensitivity, specificity)
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    found = {
        name: Share(float(counted[i]), float(corrected[i]), float(low[i]), float(high[i]))
        for i, name in enumerate(SHARES)
    }
    ends = np.quantile(draws[:, 1] + draws[:, 3], [0.025, 0.975])
    both = Share(float(counted[1] + counted[3]), float(corrected[1] + corrected[3]), float(ends[0]), float(ends[1]))
    return found, both, n


def _parts(money: Floats) -> Floats:
    total = money.sum(axis=1, keepdims=True)
    parts: Floats = np.divide(money, total, out=np.zeros_like(money), where=total > 0)
    return parts


def _corrected(parts: Floats, sensitivity: Floats, specificity: Floats) -> Floats:
    """Return the parts with reasoning and glue corrected within what was classified; the sum stays as it was."""
    classified = parts[:, 0] + parts[:, 1]
    q = np.divide(parts[:, 1], classified, out=np.zeros_like(classified), where=classified > 0)
    glue = rogan_gladen(q, sensitivity, specificity) * classified
    return np.column_stack([classified - glue, glue, parts[:, 2:]])


def _headline(shares: dict[str, Share], both: Share, n_steps: int) -> tuple[Headline, str]:
    reasoning = shares["reasoning"]
    if both.low is None or reasoning.low is None:
        return Headline.MIXED, f"{n_steps} steps are too few for an interval"
    if both.low > MAJORITY:
        return Headline.MOSTLY_GLUE, f"glue and waste together are at least {both.low:.0%} of the cost"
    if reasoning.low > MAJORITY:
        return Headline.MOSTLY_REASONING, f"proven reasoning is at least {reasoning.low:.0%} of the cost"
    return Headline.MIXED, (
        f"neither side is surely more than half: glue and waste are at least {both.low:.0%}, "
        f"proven reasoning at least {reasoning.low:.0%}"
    )


def _lacking(
    n_settled: int, successes: int, coverage: float | None, unclassified: float, to_log: str | None
) -> tuple[str, str] | None:
    """Return what is missing first and the one thing to do about it; None: enough is known."""
    if n_settled < LEAST_SETTLED:
        return (
            f"{n_settled:,} settled runs, {LEAST_SETTLED} are needed",
            "ask about all there is, `tokenpnl verdict --period all`, or wait: runs count once their outcome is due",
        )
    if coverage is None or coverage < LEAST_COVERAGE:
        return (
            f"{coverage or 0:.0%} of settled runs have an outcome, {LEAST_COVERAGE:.0%} are needed",
            "load what your business system knows, `tokenpnl outcomes import FILE`, or add a rule to outcomes.yaml",
        )
    if successes < LEAST_SUCCESSES:
        return (
            f"{successes:,} successes, {LEAST_SUCCESSES} are needed",
            "ask about all there is: `tokenpnl verdict --period all`",
        )
    if unclassified > MOST_UNCLASSIFIED:
        unknown = f"{unclassified:.0%} of the cost belongs to steps that nobody could classify"
        return (
            f"{unknown}; a verdict allows {MOST_UNCLASSIFIED:.0%}",
            to_log or "let a person read 20 answers of the dearest step, and say in labels.yaml what it is",
        )
    return None
