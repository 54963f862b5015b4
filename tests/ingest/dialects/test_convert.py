"""Values of every emitter's making, read as one type."""

from decimal import Decimal

import pytest

from tokenpnl_ingest.dialects import convert


@pytest.mark.parametrize(("sent", "count"), [(113, 113), ("114", 114), (115.0, 115), (0, 0), ("", None)])
def test_a_token_count_is_read_from_number_and_text(sent: object, count: int | None) -> None:
    assert convert.tokens(sent) == count


@pytest.mark.parametrize("sent", [-1, 10**9 + 1, 12.5, float("nan"), float("inf"), True, "1e999", "-5", [1]])
def test_a_token_count_that_cannot_be_true_is_an_error(sent: object) -> None:
    with pytest.raises(ValueError, match="expected a count of tokens"):
        convert.tokens(sent)


@pytest.mark.parametrize(("sent", "usd"), [("0.1", Decimal("0.1")), (0.1, Decimal("0.1")), (3, Decimal(3)), ("", None)])
def test_money_is_decimal_as_written(sent: object, usd: Decimal | None) -> None:
    assert convert.usd(sent) == usd


@pytest.mark.parametrize("sent", [-0.5, float("nan"), "much", "1e40"])
def test_money_that_cannot_be_true_is_an_error(sent: object) -> None:
    with pytest.raises(ValueError, match="expected an amount in USD"):
        convert.usd(sent)


@pytest.mark.parametrize(
    ("sent", "milliseconds"),
    [("31.5µs", 0.0315), ("1.2s", 1200.0), ("10ms", 10.0), (0.5, 500.0), ("x", None), (-1, None)],
)
def test_a_duration_is_read_with_its_unit(sent: object, milliseconds: float | None) -> None:
    assert convert.duration(sent) == (None if milliseconds is None else pytest.approx(milliseconds))


@pytest.mark.parametrize("sent", [["stop"], '["stop"]', "stop"])
def test_a_finish_reason_is_the_first_of_a_list_however_sent(sent: object) -> None:
    assert convert.first(sent) == "stop"


@pytest.mark.parametrize(
    ("sent", "truth"), [(True, True), ("true ", True), ("false", False), (1, None), ("maybe", None)]
)
def test_a_boolean_may_be_text(sent: object, truth: bool | None) -> None:
    assert convert.truth(sent) is truth


def test_an_instant_without_a_zone_is_utc() -> None:
    assert (
        convert.instant("2025-11-24T16:00:00") == convert.instant("2025-11-24T17:00:00+01:00") == 1_764_000_000 * 10**9
    )
    assert convert.instant("yesterday") == convert.instant(None) == 0


@pytest.mark.parametrize(("sent", "status"), [("429", 429), (200, 200), ("InternalServerError", None), (9, None)])
def test_an_http_status_is_a_number_of_three_digits(sent: object, status: int | None) -> None:
    assert convert.http_status(sent) == status


@pytest.mark.parametrize(
    ("threshold", "count"),
    [
        ("0", 1.0),
        ("8", 2.0),
        ("c", 4.0),
        ("c0000000000000", 4.0),
        ("e6666666666668", 10.0),
        ("ffffffffffffff", 2.0**56),
    ],
)
def test_a_rejection_threshold_tells_how_many_traces_one_stands_for(threshold: str, count: float) -> None:
    assert convert.of_threshold(threshold) == pytest.approx(count)
    assert convert.of_trace_state(f"vendor=x,ot=rv:1;th:{threshold}") == pytest.approx(count)


@pytest.mark.parametrize("threshold", ["", "g", "C", "123456789012345", None, 4])
def test_what_is_no_threshold_tells_nothing(threshold: object) -> None:
    assert convert.of_threshold(threshold) is None


@pytest.mark.parametrize("state", ["", "vendor=th:c", "ot=rv:6e6d1a75832a2f"])
def test_a_trace_state_without_threshold_tells_no_count(state: str) -> None:
    assert convert.of_trace_state(state) is None


def test_a_threshold_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(ValueError, match="1 to 14 hex digits"):
        convert.of_trace_state("ot=th:xyz")


@pytest.mark.parametrize(("value", "count"), [(0.25, 4.0), ("0.1", 10.0), (1, 1.0), (0, None), (2, None), ("x", None)])
def test_a_probability_is_turned_over(value: object, count: float | None) -> None:
    assert convert.of_probability(value) == count


@pytest.mark.parametrize(("value", "count"), [(10, 10.0), ("3", 3.0), (0.5, None)])
def test_an_adjusted_count_is_at_least_one(value: object, count: float | None) -> None:
    assert convert.adjusted_count(value) == count
