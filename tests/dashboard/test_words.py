"""Numbers read as finance and engineering write them."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl.model import CostCategory
from tokenpnl_analytics.periods import Period
from tokenpnl_dashboard import words


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("1162.4", "$1,162"), ("12.4", "$12.40"), ("1", "$1.00"), ("0.996", "$1.00"), ("0.0075", "$0.0075"),
        ("0.1453", "$0.1453"), ("0.000009", "$0.0000090"), ("0", "$0"), ("-116", "($116.00)"),
        ("1234567", "$1,234,567"),
    ],
)  # fmt: skip
def test_money_has_the_decimals_that_its_size_needs(value: str, said: str) -> None:
    assert words.usd(Decimal(value)) == said


def test_a_column_of_money_takes_the_decimals_of_its_largest_amount() -> None:
    assert [words.usd(Decimal(v), like=Decimal("53.72")) for v in ("53.72", "0.8837")] == ["$53.72", "$0.88"]


def test_unknown_money_is_a_dash_and_never_zero() -> None:
    assert (words.usd(None), words.deduction(None), words.percent(None)) == ("–", "–", "–")


def test_what_is_taken_off_stands_in_parentheses() -> None:
    assert words.deduction(Decimal(116)) == "(116.00)"
    assert words.deduction(Decimal(0)) == "0"


@given(st.decimals(min_value=Decimal("0.000001"), max_value=Decimal(10) ** 9, places=6))
def test_money_is_never_said_to_be_nothing_when_it_is_something(value: Decimal) -> None:
    assert any(digit in words.usd(value) for digit in "123456789")


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.22, "22%"), (0.042, "4.2%"), (0.0004, "<0.1%"), (0.0, "0%"), (1.0, "100%"), (0.9996, "99.9%"), (0.992, "99%")],
)
def test_a_share_is_a_percentage_and_almost_all_is_not_all(share: float, said: str) -> None:
    assert words.percent(share) == said


@pytest.mark.parametrize(
    ("ratio", "said"), [(0.042, "+4.2%"), (-0.5, "-50.0%"), (0.0, "0.0%"), (99.0, "×100"), (None, None)]
)
def test_a_change_has_its_sign(ratio: float | None, said: str | None) -> None:
    assert words.change(ratio) == said


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [(850, "850 ms"), (2300, "2.3 s"), (245_000, "4 min 05 s"), (7_800_000, "2 h 10 min"), (None, "–")],
)
def test_a_duration_has_the_unit_that_reads_best(milliseconds: float | None, said: str) -> None:
    assert words.duration(milliseconds) == said


def test_a_window_names_its_last_day_not_the_one_after() -> None:
    assert (
        words.window(datetime(2026, 10, 26, tzinfo=UTC), datetime(2026, 11, 25, tzinfo=UTC)) == "26 Oct to 24 Nov 2026"
    )
    assert words.window(datetime(2026, 11, 24, tzinfo=UTC), datetime(2026, 11, 25, tzinfo=UTC)) == "24 Nov 2026"


def test_a_comparison_says_its_days_without_the_year() -> None:
    month = Period("x", datetime(2026, 9, 22, tzinfo=UTC), datetime(2026, 10, 22, tzinfo=UTC))
    assert words.versus(month) == "vs 22 Sep to 21 Oct"


def test_an_open_period_is_all_time() -> None:
    assert words.days_of(Period("all", None, None)) == "all time"


def test_an_interval_without_upper_bound_says_so() -> None:
    assert words.interval(0.04, None) == "95% interval from $0.0400, no upper bound"
    assert words.interval(None, None) == "no interval"


def test_markdown_shows_money_as_money() -> None:
    assert words.markdown("$5 of a_b") == "\\$5 of a\\_b"


def test_an_id_from_an_address_stays_code_whatever_it_holds() -> None:
    assert words.code("a` ![x](http://far)\n# b") == "`a ![x](http://far) # b`"


def test_every_category_has_a_title_and_a_meaning() -> None:
    assert set(words.CATEGORY) == set(CostCategory)
    assert set(words.CATEGORY_MEANING) == set(CostCategory)


@pytest.mark.parametrize(("n", "said"), [(9326, "9,326"), (12_326, "12k"), (1_200_000, "1.2M"), (None, "–")])
def test_tokens_are_shortened_when_nobody_reads_the_rest(n: int | None, said: str) -> None:
    assert words.tokens(n) == said


def test_a_list_is_a_sentence() -> None:
    assert words.listed(["a", "b", "c"]) == "a, b and c"
    assert words.listed(["a"]) == "a"


@pytest.mark.parametrize(("value", "said"), [(3.5, "3.5 days"), (0.5, "12 hours"), (0.01, "14 minutes"), (None, "–")])
def test_a_number_of_days_has_the_unit_that_reads_best(value: float | None, said: str) -> None:
    assert words.days(value) == said
