from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from tests.analytics.closed_lines import line, lines_of

from tokenpnl_analytics.closing.restate import adjustments, restated, restated_outcomes

NOVEMBER = ("2026-11", datetime(2026, 11, 1, tzinfo=UTC))
DECEMBER = ("2026-12", datetime(2026, 12, 1, tzinfo=UTC))
ANOTHER = {"cost_category": "failed_run", "category_rule": "outcome is failure"}


def posted(as_closed: pl.DataFrame, now: pl.DataFrame, earlier: pl.DataFrame | None = None) -> pl.DataFrame:
    return adjustments(as_closed, now, month="2026-10", into=NOVEMBER, posted=earlier)


def told(frame: pl.DataFrame, *columns: str) -> list[tuple[object, ...]]:
    return frame.select(columns).rows()


def test_restated_stands_beside_as_closed_with_the_difference() -> None:
    as_closed = lines_of(line("a", "1"), line("b", "2"))
    now = lines_of(line("a", "1", **ANOTHER), line("b", "1.5"), line("c", "0.25"))
    assert told(
        restated(as_closed, now), "cost_category", "as_closed_usd", "now_usd", "difference_usd", "now_lines"
    ) == [
        ("failed_run", Decimal(0), Decimal(1), Decimal(1), 1),
        ("productive", Decimal(3), Decimal("1.75"), Decimal("-1.25"), 2),
    ]


def test_restated_by_nothing_is_one_row() -> None:
    as_closed, now = lines_of(line("a", "1")), lines_of(line("a", "1"), line("b", "2"))
    assert told(restated(as_closed, now, ()), "as_closed_usd", "now_usd", "difference_usd") == [(1, 3, 2)]


def test_a_side_that_nobody_could_price_has_no_difference() -> None:
    [row] = restated(lines_of(line("a", None)), lines_of(line("a", "1")), ()).rows(named=True)
    assert (row["as_closed_usd"], row["now_usd"], row["difference_usd"]) == (None, 1, None)


def test_restated_leaves_the_adjustments_of_other_months_out() -> None:
    adjustment = line("adjustment/2026-09/2026-10/000001", "7", origin_period="2026-09")
    [row] = restated(lines_of(line("a", "1"), adjustment), lines_of(line("a", "1")), ()).rows(named=True)
    assert row["difference_usd"] == 0


def test_outcomes_known_at_the_close_stand_beside_those_known_now(rows: SimpleNamespace) -> None:
    as_closed = rows.runs({"outcome": "success", "value_usd": Decimal(3)}, {}, {"workflow": "night"})
    now = rows.runs({"outcome": "failure"}, {"outcome": "success"}, {"workflow": "night", "outcome": "success"}, {})
    found = restated_outcomes(as_closed, now)
    sides = ("as_closed_", "now_")
    assert told(
        found, "workflow", *(side + name for name in ("runs", "success", "failure", "pending") for side in sides)
    ) == [
        ("night", 1, 1, 0, 1, 0, 0, 1, 0),
        ("support_reply", 2, 3, 1, 1, 0, 1, 1, 1),
    ]
    assert told(found, "as_closed_value_usd", "now_value_usd") == [(None, None), (Decimal(3), None)]


def test_an_adjustment_is_dated_in_the_open_month_and_keeps_its_origin() -> None:
    [row] = posted(lines_of(line("a", "1")), lines_of(line("a", "0.9"))).rows(named=True)
    assert row["started_at"] == NOVEMBER[1]
    assert (row["origin_period"], row["charge_category"], row["quantity"]) == ("2026-10", "Adjustment", 0)
    assert (row["cost_usd"], row["list_cost_usd"]) == (Decimal("-0.1"), Decimal("-0.1"))
    assert (row["workflow"], row["model"], row["usage_kind"]) == ("desk", "gpt-4o", "output_text")
    assert row["category_rule"] == "adjustment of 2026-10"
    assert row["list_unit_usd_per_million"] is None


def test_late_and_vanished_usage_is_adjusted() -> None:
    now = lines_of(line("a", "1"), line("late", "0.25"))
    assert told(posted(lines_of(line("a", "1")), now), "cost_usd") == [(Decimal("0.25"),)]
    assert told(posted(now, lines_of(line("a", "1"))), "cost_usd") == [(Decimal("-0.25"),)]


def test_a_category_move_without_money_is_never_posted() -> None:
    assert posted(lines_of(line("a", "1")), lines_of(line("a", "1", **ANOTHER))).is_empty()


def test_a_bill_that_another_span_carries_now_is_no_money_either() -> None:
    assert posted(lines_of(line("a", "1")), lines_of(line("b", "1", **ANOTHER))).is_empty()
    assert told(
        posted(lines_of(line("a", "1")), lines_of(line("b", "1.2", **ANOTHER))), "cost_category", "cost_usd"
    ) == [("failed_run", Decimal("0.2"))]


def test_new_prices_keep_each_category_apart() -> None:
    as_closed = lines_of(line("a", "10"), line("b", "5", **ANOTHER))
    now = lines_of(line("a", "9"), line("b", "4.5", **ANOTHER))
    assert told(posted(as_closed, now), "cost_category", "cost_usd") == [
        ("failed_run", Decimal("-0.5")),
        ("productive", Decimal(-1)),
    ]


def test_a_price_that_was_missing_at_the_close_is_money_later() -> None:
    assert told(posted(lines_of(line("a", None)), lines_of(line("a", "3"))), "cost_usd") == [(Decimal(3),)]


def test_what_a_later_close_posted_is_not_posted_again() -> None:
    as_closed, now = lines_of(line("a", "1")), lines_of(line("a", "0.9"))
    in_november = posted(as_closed, now)
    in_december = adjustments(as_closed, now, month="2026-10", into=DECEMBER, posted=in_november)
    assert in_december.is_empty()
    dearer = lines_of(line("a", "0.95"))
    [row] = adjustments(as_closed, dearer, month="2026-10", into=DECEMBER, posted=in_november).rows(named=True)
    assert (row["cost_usd"], row["line_id"]) == (Decimal("0.05"), "adjustment/2026-10/2026-12/000001")


def test_adjustments_of_another_origin_do_not_count_as_posted() -> None:
    other = lines_of(line("adjustment/2026-09/2026-11/000001", "-0.1", origin_period="2026-09"))
    assert told(posted(lines_of(line("a", "1")), lines_of(line("a", "0.9")), other), "cost_usd") == [(Decimal("-0.1"),)]


MONEY = st.none() | st.integers(0, 50).map(lambda cents: str(Decimal(cents) / 100))
LINES = st.dictionaries(
    st.sampled_from("abcdef"),
    st.tuples(MONEY, st.sampled_from(["productive", "failed_run", "retry"]), st.sampled_from(["desk", "night"])),
    max_size=6,
)


def drawn(found: dict[str, tuple[str | None, str, str]]) -> pl.DataFrame:
    return lines_of(
        *(line(key, usd, cost_category=cat, workflow=flow) for key, (usd, cat, flow) in sorted(found.items()))
    )


@given(LINES, LINES, LINES)
def test_as_closed_and_every_adjustment_add_up_to_the_cost_now(
    first: dict[str, tuple[str | None, str, str]],
    second: dict[str, tuple[str | None, str, str]],
    third: dict[str, tuple[str | None, str, str]],
) -> None:
    as_closed, in_november, in_december = drawn(first), drawn(second), drawn(third)
    one = posted(as_closed, in_november)
    two = adjustments(as_closed, in_december, month="2026-10", into=DECEMBER, posted=one)
    assert as_closed["cost_usd"].sum() + one["cost_usd"].sum() == in_november["cost_usd"].sum()
    assert as_closed["cost_usd"].sum() + one["cost_usd"].sum() + two["cost_usd"].sum() == in_december["cost_usd"].sum()


@given(LINES, LINES)
def test_nothing_is_posted_to_and_fro_within_an_owner(
    first: dict[str, tuple[str | None, str, str]], second: dict[str, tuple[str | None, str, str]]
) -> None:
    signs = posted(drawn(first), drawn(second)).group_by("workflow").agg((pl.col("cost_usd") > 0).n_unique())
    assert signs["cost_usd"].to_list() == [1] * signs.height
