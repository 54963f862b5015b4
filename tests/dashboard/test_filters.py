"""A choice becomes the parameters of queries and the address of links."""

from datetime import UTC, datetime

import pytest

from tokenpnl.tables import LINE_ITEMS
from tokenpnl_analytics.periods import Period
from tokenpnl_dashboard.parts.filters import COLUMN, OF_PAGE, Choice, bounds

MONTH = Period("2026-10", datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
CHOICE = Choice(MONTH, {"workflow": ["a"], "customer": ["(none)", "acme"], "outcome": ["failure"]})


def test_a_choice_asks_by_the_columns_of_the_books_and_nobody_is_null() -> None:
    assert CHOICE.where == {"workflow": ["a"], "customer_id": [None, "acme"]}


def test_only_the_named_filters_are_asked_for() -> None:
    assert CHOICE.only("workflow") == {"workflow": ["a"]}


def test_a_link_keeps_the_choice_and_adds_to_it() -> None:
    assert CHOICE.address(category="timeout", workflow="b", sort=None) == {
        "workflow": "b",
        "customer": ["(none)", "acme"],
        "outcome": ["failure"],
        "period": "2026-10",
        "category": "timeout",
    }


def test_the_usual_period_is_not_spelled_out_in_a_link() -> None:
    usual = Choice(Period("last-30d", MONTH.since, MONTH.until), {})
    assert usual.address() == {}


def test_a_period_bounds_a_query_half_open() -> None:
    assert bounds(MONTH) == {"since": MONTH.since, "until": MONTH.until}


@pytest.mark.parametrize("name", COLUMN)
def test_every_filter_is_a_column_of_the_line_items(name: str) -> None:
    assert COLUMN[name] in LINE_ITEMS.names


def test_every_filter_of_a_page_is_known() -> None:
    assert {name for names in OF_PAGE.values() for name in names} <= {*COLUMN, "outcome"}
