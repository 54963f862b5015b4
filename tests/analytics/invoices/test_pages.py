"""Pages of buckets."""

from typing import Any

import pytest

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.closing.invoices.form import Fault
from tokenpnl_analytics.closing.invoices.pages import Bucketed, gather


def days(document: object) -> list[str]:
    lines = gather(document, lambda at, _: [{"provider": "p", "day": at.day}], name="f", source="s").lines
    return [f"{day}" for day in lines["day"]]


def bucket(since: object, until: object = None) -> dict[str, Any]:
    return {"start_time": since, "end_time": until, "results": [{}]}


def test_a_bucket_is_of_its_utc_day() -> None:
    hour = {"starting_at": "2026-10-07T23:00:00-02:00", "ending_at": "2026-10-08T02:00:00Z", "results": [{}]}
    assert days([{"data": [bucket(1_791_331_200, 1_791_417_600)]}, {"data": [hour]}]) == ["2026-10-07", "2026-10-08"]


@pytest.mark.parametrize("since", ["yesterday", None, True, 10**30])
def test_a_bucket_without_time_is_refused(since: object) -> None:
    with pytest.raises(RefusedInputError, match="Unix seconds"):
        days({"data": [bucket(since)]})


def test_a_bucket_of_several_days_is_refused() -> None:
    with pytest.raises(RefusedInputError, match="no more than one UTC day"):
        days({"data": [bucket(1_791_331_200, 1_791_331_200 + 7 * 86_400)]})


def test_what_is_no_object_is_refused_by_its_place() -> None:
    with pytest.raises(RefusedInputError, match=r"page 1, data\[0\].results\[0\]"):
        days({"data": [{"start_time": 1_791_331_200, "results": [7]}]})


def test_faults_past_the_fifth_are_counted() -> None:
    def fault(at: Bucketed, _: dict[str, Any]) -> Fault:
        return Fault(at.row, "wrong")

    seven = {"data": [{"start_time": 1_791_331_200, "results": [{}] * 7}]}
    with pytest.raises(RefusedInputError, match="and 2 more"):
        gather(seven, fault, name="f", source="s")


def test_a_page_that_was_fetched_twice_is_refused() -> None:
    page = {"data": [bucket(1_791_331_200)]}
    with pytest.raises(RefusedInputError, match="page 2, .*stands on page 1 already"):
        days([page, page])
    # The same usage in another hour is no repetition.
    assert len(days([page, {"data": [bucket(1_791_334_800)]}])) == 2
