"""A claimed success that is none is paid for twice."""

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl_analytics.unit_cost.risk import (
    break_even_clean_up_usd,
    risk_adjusted,
    risk_adjusted_usd,
    wilson_interval,
)


def test_the_wilson_interval_by_hand() -> None:
    # 7 of 200, z^2 = 3.84146: middle 0.0446037 / 1.0192073, half width 1.9230277 x sqrt(0.000168875 + 0.000024009).
    assert wilson_interval(7, 200) == pytest.approx((0.0170556, 0.0704706), abs=1e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.16113), abs=1e-5)
    assert wilson_interval(20, 20) == pytest.approx((0.83887, 1.0), abs=1e-5)


def test_a_false_success_is_paid_for_and_cleaned_up() -> None:
    assert risk_adjusted_usd(1.0, 0.2, 5.0) == pytest.approx(2.5)  # (1 + 0.2 x 5) / 0.8
    assert risk_adjusted_usd(1.0, 0.0, 5.0) == 1.0
    assert risk_adjusted_usd(1.0, 1.0, 5.0) is None


def test_the_break_even_clean_up_makes_two_models_equal() -> None:
    # (1 + 0.2 k) / 0.8 = (2 + 0.1 k) / 0.9 at k = (2/0.9 - 1/0.8) / (0.25 - 1/9) = 7.
    assert break_even_clean_up_usd((1.0, 0.2), (2.0, 0.1)) == pytest.approx(7.0)
    assert break_even_clean_up_usd((2.0, 0.1), (1.0, 0.2)) == pytest.approx(7.0)


@pytest.mark.parametrize(
    ("one", "other"),
    [((1.0, 0.1), (2.0, 0.2)), ((1.0, 0.1), (2.0, 0.1)), ((1.0, 1.0), (2.0, 0.1))],
    ids=["cheaper and safer", "equally safe", "never right"],
)
def test_there_is_no_break_even_where_it_has_no_sense(one: tuple[float, float], other: tuple[float, float]) -> None:
    assert break_even_clean_up_usd(one, other) is None


COST, SHARE = st.floats(0.01, 100), st.floats(0, 0.9)


@given(COST, SHARE, COST, SHARE)
def test_at_the_break_even_both_cost_the_same(a: float, f: float, b: float, g: float) -> None:
    clean_up = break_even_clean_up_usd((a, f), (b, g))
    if clean_up is not None and abs(f - g) > 1e-3:
        assert risk_adjusted_usd(a, f, clean_up) == pytest.approx(risk_adjusted_usd(b, g, clean_up), rel=1e-6)


def units(*rows: tuple[str, str | None, int]) -> pl.DataFrame:
    schema = {"workflow": pl.String, "settled_usd": pl.Decimal(38, 12), "settled_successes": pl.Int64}
    told = [(name, None if usd is None else Decimal(usd), n) for name, usd, n in rows]
    return pl.DataFrame(told, schema=schema, orient="row")


def audits(*rows: tuple[str, int | None, int | None, str | None]) -> pl.DataFrame:
    schema = {"workflow": pl.String, "n_audited": pl.Int64, "n_false": pl.Int64, "clean_up_usd": pl.Decimal(38, 12)}
    told = [(name, n, false, None if usd is None else Decimal(usd)) for name, n, false, usd in rows]
    return pl.DataFrame(told, schema=schema, orient="row")


def test_the_risk_adjusted_cost_has_the_interval_of_the_audit() -> None:
    found = risk_adjusted(units(("a", "1", 50)), audits(("a", 200, 7, "12"))).row(0, named=True)
    low, high = wilson_interval(7, 200)
    assert found["estimate"] == pytest.approx((1 + 0.035 * 12) / 0.965)
    assert (found["low"], found["high"]) == pytest.approx(((1 + low * 12) / (1 - low), (1 + high * 12) / (1 - high)))
    assert (found["n_audited"], found["refused_because"]) == (200, None)


def test_what_is_missing_is_said() -> None:
    told = units(("a", None, 0), ("b", "1", 50), ("c", "1", 50), ("d", "1", 50))
    found = risk_adjusted(told, audits(("a", 10, 1, "1"), ("c", 10, 1, None), ("d", 10, 10, "1")))
    assert found["refused_because"].to_list() == [
        "no settled cost per success", "no audit sample", "no clean-up cost given", "every audited success was false",
    ]  # fmt: skip
    assert found["estimate"].null_count() == 4
    assert found["false_share"].to_list() == [0.1, None, 0.1, 1.0]
