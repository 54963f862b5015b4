"""A class is held until two consecutive weeks agree on another."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from tokenpnl_analytics.verdict.classes import held


@pytest.mark.parametrize(
    ("weeks", "expected"),
    [(["glue", "unclassified"], "glue"), (["glue", "reasoning", "reasoning"], "reasoning"), (["glue"] * 2, "glue")],
)
def test_a_class_changes_after_two_weeks_that_agree(weeks: list[str], expected: str) -> None:
    monday = datetime(2026, 10, 5, tzinfo=UTC)
    frame = pl.DataFrame(
        {
            "workflow": "w",
            "step": "s",
            "week": [monday + timedelta(weeks=k) for k in range(len(weeks))],
            "class": weeks,
            "n_known": 3,
        }
    )
    assert held(frame)["held"].to_list() == [expected]
