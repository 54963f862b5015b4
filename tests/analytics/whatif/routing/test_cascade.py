"""A verifier that errs: expected values by hand, a perfect one is a ceiling."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.whatif.routing.cascade import Verifier, verified_cascade, verifier_of

from .pairs import pairs

rate = st.floats(0, 1)


def test_a_perfect_verifier_is_labelled_a_ceiling() -> None:
    # Weak solves two of five; the other three go up, of which strong solves two: 4 of 5, 5 x .01 + 3 x .10.
    found = verified_cascade(pairs(), Verifier(1.0, 0.0))
    assert (found.label, found.success_share, found.strong_share) == ("ceiling", pytest.approx(0.8), 0.6)
    assert found.usd_per_task == pytest.approx(0.35 / 5)
    assert "nobody has" in found.assumption


def test_an_erring_verifier_escalates_right_answers_and_lets_wrong_ones_pass() -> None:
    # Right (2 tasks): pass .8, else strong solves: success 1 each. Wrong (3): pass .25 fails; .75 x strong (2 of 3).
    found = verified_cascade(pairs(), Verifier(0.8, 0.25, usd_per_check=0.002))
    assert found.success_share == pytest.approx((2 + 0.75 * 2) / 5)
    # Escalated: 2 x .2 + 3 x .75 = 2.65 tasks.
    assert found.usd_per_task == pytest.approx(0.012 + 2.65 * 0.10 / 5)
    assert found.label == "assumed"


def test_measured_rates_carry_their_uncertainty_into_bounds() -> None:
    checked = pl.DataFrame(
        {"accepted": [True] * 8 + [False] * 2 + [True, False, False, False], "correct": [True] * 10 + [False] * 4}
    )
    verifier = verifier_of(checked)
    found = verified_cascade(pairs(), verifier)
    assert (verifier.tpr, verifier.fpr, found.label) == (0.8, 0.25, "measured")
    assert found.success_low < found.success_share < found.success_high
    assert found.usd_low < found.usd_per_task < found.usd_high


def test_labels_of_one_kind_measure_no_verifier() -> None:
    with pytest.raises(RefusedInputError, match="2 and 0"):
        verifier_of(pl.DataFrame({"accepted": [True, False], "correct": [True, True]}))


def test_a_rate_above_one_is_refused() -> None:
    with pytest.raises(RefusedInputError, match="rates from 0 to 1"):
        Verifier(1.2, 0)


@given(tpr=rate, fpr=rate)
def test_no_verifier_beats_the_perfect_one(tpr: float, fpr: float) -> None:
    ceiling = verified_cascade(pairs(), Verifier(1.0, 0.0)).success_share
    assert verified_cascade(pairs(), Verifier(tpr, fpr)).success_share <= ceiling + 1e-9
