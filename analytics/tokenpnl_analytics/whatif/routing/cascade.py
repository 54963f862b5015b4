"""Cascades with a verifier that errs: expected successes and cost by its hit and false-alarm rates. In float64."""

from dataclasses import dataclass

import polars as pl

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.unit_cost.intervals import expected_usd_per_success
from tokenpnl_analytics.unit_cost.risk import wilson_interval
from tokenpnl_analytics.whatif.result import Evidence


@dataclass(frozen=True)
class Verifier:
    """Who looks at the weak model's answer and lets it pass, or sends the task to the strong model.

    Attributes:
        tpr: share of correct answers that it lets pass, 0 to 1.
        fpr: share of wrong answers that it lets pass, 0 to 1.
        usd_per_check: cost of looking once.
        n_correct: correct answers that `tpr` was measured on; None: assumed.
        n_wrong: wrong answers that `fpr` was measured on; None: assumed.
    """

    tpr: float
    fpr: float
    usd_per_check: float = 0.0
    n_correct: int | None = None
    n_wrong: int | None = None

    def __post_init__(self) -> None:
        """Refuse rates that are no shares."""
        if not (0 <= self.tpr <= 1 and 0 <= self.fpr <= 1 and self.usd_per_check >= 0):
            raise RefusedInputError(
                f"expected rates from 0 to 1 and a cost of 0 or more, got tpr {self.tpr}, fpr {self.fpr}, "
                f"${self.usd_per_check}"
            )

    @property
    def perfect(self) -> bool:
        """Whether it never errs, as no real one does."""
        return self.tpr == 1 and self.fpr == 0 and not self.measured

    @property
    def measured(self) -> bool:
        """Whether both rates come from labelled answers."""
        return bool(self.n_correct) and bool(self.n_wrong)

    def rates(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the 95% intervals of `tpr` and `fpr` (Wilson); an assumed rate is its own interval."""
        measured = ((self.tpr, self.n_correct), (self.fpr, self.n_wrong))
        first, second = (wilson_interval(round(rate * n), n) if n else (rate, rate) for rate, n in measured)
        return first, second


@dataclass(frozen=True)
class CascadeValue:
    """What a cascade with a verifier would come to, expected over its errors.

    Attributes:
        label: `ceiling` for a perfect verifier, `measured`, or `assumed`.
        evidence: `assumed`; that verifier and answers err independently is always an assumption.
        success_share: expected.
        success_low: with the worst rates that the measurement allows.
        success_high: with the best.
        usd_per_task: expected.
        usd_low: with the rates that escalate least.
        usd_high: with those that escalate most.
        usd_per_success: ratio of the two; None: no success expected.
        strong_share: share of tasks that reach the strong model.
        n: tasks.
        assumption: what must hold, in one sentence.
    """

    label: str
    evidence: Evidence
    success_share: float
    success_low: float
    success_high: float
    usd_per_task: float
    usd_low: float
    usd_high: float
    usd_per_success: float | None
    strong_share: float
    n: int
    assumption: str


def verifier_of(checked: pl.DataFrame, usd_per_check: float = 0.0) -> Verifier:
    """Return the verifier that was seen at work on labelled answers.

    Args:
        checked: one row per answer: `accepted`, `correct` (Boolean).
        usd_per_check: cost of looking once.

    Raises:
        RefusedInputError: no correct or no wrong answer is among them, so one rate is unknown.
    """
    known = checked.drop_nulls(["accepted", "correct"])
    correct, wrong = known.filter("correct"), known.filter(~pl.col("correct"))
    if correct.is_empty() or wrong.is_empty():
        raise RefusedInputError(
            f"expected correct and wrong answers that were checked, got {correct.height} and {wrong.height}; label more"
        )
    rates = [side.filter("accepted").height / side.height for side in (correct, wrong)]
    return Verifier(rates[0], rates[1], usd_per_check, correct.height, wrong.height)


def verified_cascade(pairs: pl.DataFrame, verifier: Verifier) -> CascadeValue:
    """Return what asking the weak model first, and the strong one where the verifier objects, would come to.

    Per task with weak success w and strong success s: success = tpr w + (1 - pass) s, pass = tpr w + fpr (1 - w),
    cost = weak + check + (1 - pass) strong.

    Args:
        pairs: result of `pairs_of`.
        verifier: its rates and cost.
    """
    (tpr_low, tpr_high), (fpr_low, fpr_high) = verifier.rates()
    success, usd, strong_share = _expected(pairs, verifier.tpr, verifier.fpr, verifier.usd_per_check)
    worst, _, _ = _expected(pairs, tpr_low, fpr_high, verifier.usd_per_check)
    best, _, _ = _expected(pairs, tpr_high, fpr_low, verifier.usd_per_check)
    _, usd_high, _ = _expected(pairs, tpr_low, fpr_low, verifier.usd_per_check)
    _, usd_low, _ = _expected(pairs, tpr_high, fpr_high, verifier.usd_per_check)
    label = "ceiling" if verifier.perfect else "measured" if verifier.measured else "assumed"
    says = {
        "ceiling": "A perfect verifier, which nobody has: no real cascade of these models does better.",
        "measured": f"The verifier errs here as on the {(verifier.n_correct or 0) + (verifier.n_wrong or 0)} answers "
        "that were labelled, whatever the task.",
        "assumed": f"The verifier lets {verifier.tpr:.0%} of correct and {verifier.fpr:.0%} of wrong answers pass; "
        "nobody measured that.",
    }
    return CascadeValue(
        label, Evidence.ASSUMED, success, worst, best, usd, usd_low, usd_high, expected_usd_per_success(usd, success),
        strong_share, pairs.height, says[label],
    )  # fmt: skip


def _expected(pairs: pl.DataFrame, tpr: float, fpr: float, usd_per_check: float) -> tuple[float, float, float]:
    """Return expected success share, USD per task and share of tasks at the strong model."""
    right = pl.col("weak_success")
    passed = tpr * right + fpr * (1 - right)
    found = pairs.select(
        (tpr * right + (1 - passed) * pl.col("strong_success")).mean().alias("success"),
        # Expected cost is an estimate, hence float64.
        (pl.col("weak_usd").cast(float) + usd_per_check + (1 - passed) * pl.col("strong_usd").cast(float))
        .mean()
        .alias("usd"),
        (1 - passed).mean().alias("strong"),
    )
    return found["success"][0], found["usd"][0], found["strong"][0]
