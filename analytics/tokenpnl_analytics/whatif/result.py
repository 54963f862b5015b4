"""One verdict on every result: what kind of knowledge it is, the numbers, and what would make it surer."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Evidence(StrEnum):
    """What a result rests on, from arithmetic on facts to an experiment."""

    RECOMPUTED = "recomputed"  # every behaviour unchanged: arithmetic on recorded facts
    ASSUMED = "assumed"  # arithmetic under a printed assumption
    ESTIMATED = "estimated"  # statistics, with overlap shown
    BOUNDED = "bounded"  # overlap is missing in part: only limits can be given
    NOT_IDENTIFIABLE = "not_identifiable"  # needs shadow traffic or an experiment
    VERIFIED = "verified"  # a concurrent randomised holdout


@dataclass(frozen=True)
class Estimate:
    """A number that never travels alone.

    Attributes:
        value: point estimate, float64; None: refused, or not identifiable.
        low: lower end of the 95% interval, or the lower bound; None: none can be given.
        high: upper end of it; None: no upper bound.
        n: runs (or requests, if `method` says so) that it rests on.
        method: how value and interval were made, in words.
        ess: effective sample size where weights were used.
        refused_because: why there is no value, in one sentence.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    method: str
    ess: float | None = None
    refused_because: str | None = None


@dataclass(frozen=True)
class Result:
    """What one scenario, or several together, would do to cost and success on a frozen baseline.

    Attributes:
        name: of the scenario, as its file has it.
        family: one of the nine families, or `combined`.
        evidence: of the saving.
        success_evidence: of what happens to success; `not_identifiable` where nobody tried.
        before_usd: effective cost of the baseline in the window, exact.
        after_usd: the same replayed; exact under `recomputed` and `assumed`, else the estimate rounded to money; None:
            refused.
        saving_usd: before minus after; negative is a loss and is shown.
        saving: the saving in USD over the window with its interval.
        success: change of the share of successful runs (0.01 = one point) with its interval or bounds, of the runs that
            the scenario may touch.
        cost_per_success_before: settled, of the runs that the scenario may touch.
        cost_per_success_after: the same replayed, or its joint bounds.
        n_calls: calls whose handling would change.
        priced_share: share of the baseline's attempts with usage that have a price, 0 to 1; None: there are none.
        assumptions: what must hold, one sentence each.
        falsified_by: what one would see if an assumption were wrong, one sentence each.
        to_log: what to record to move up one class.
        n_wanted: runs per arm that an experiment would need to see a loss of success of the stated margin; None: not
            computable.
        caveats: what else the reader must know.
    """

    name: str
    family: str
    evidence: Evidence
    success_evidence: Evidence
    before_usd: Decimal
    after_usd: Decimal | None
    saving_usd: Decimal | None
    saving: Estimate
    success: Estimate
    cost_per_success_before: Estimate
    cost_per_success_after: Estimate
    n_calls: int
    priced_share: float | None
    assumptions: tuple[str, ...] = ()
    falsified_by: tuple[str, ...] = ()
    to_log: tuple[str, ...] = ()
    n_wanted: int | None = None
    caveats: tuple[str, ...] = ()
