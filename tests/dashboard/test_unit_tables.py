"""A unit cost in words: a floor says at least, and what is not known says why."""

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from tokenpnl_dashboard.parts import unit_risk
from tokenpnl_dashboard.shapes import unit_tables


def row(**columns: Any) -> dict[str, Any]:
    return {"at_least_usd": None, "settled_usd": Decimal("1.39"), "settled_successes": 40} | columns


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (row(), "$1.39"),
        (row(at_least_usd=Decimal("0.9")), "at least $0.9000"),
        (row(settled_usd=None, settled_successes=0), "–"),
        (row(settled_usd=Decimal(0)), "–"),
    ],
)
def test_a_settled_figure_reads_as_it_may_be_read(told: dict[str, Any], words: str) -> None:
    assert unit_tables.settled(told) == words


SOURCES = dict.fromkeys(
    ("program_share", "user_share", "reviewer_share", "rule_share", "import_share", "unnamed_share"), 0.0
)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"successes": 0, "self_declared": False}, "no success yet"),
        ({"successes": 9, "self_declared": True, "program_share": 1.0}, "program 100%: self-declared"),
        ({"successes": 9, "self_declared": False, "program_share": 0.25, "user_share": 0.75}, "user 75%, program 25%"),
    ],
)
def test_who_declared_the_successes_is_told_largest_first(told: dict[str, Any], words: str) -> None:
    assert unit_tables.said_by(SOURCES | told) == words


def control(**columns: Any) -> pl.DataFrame:
    usual = SOURCES | {
        "workflow": "desk", "successes": 1, "self_declared": False, "user_share": 1.0, "runs_per_business_id": None,
        "most_runs_of_a_business_id": None, "business_id_share": 0.0, "untraced_share": None,
    }  # fmt: skip
    return pl.DataFrame([usual | columns])


def test_what_no_control_knows_says_why() -> None:
    found = unit_tables.controls(control(), "workflow", "Workflow", {"desk": {"owner": None, "changed_on": None}})
    assert found.row(0) == (
        "desk", "user 100%", "unknown: no run names its case", "unknown: no invoice reconciled",
        "no success definition", "no",
    )  # fmt: skip


def test_splitting_and_a_changed_definition_show() -> None:
    told = {"owner": "support", "definition": "solved", "version": "2", "changed_on": date(2026, 11, 10)}
    cases = {"runs_per_business_id": 1.5, "most_runs_of_a_business_id": 4, "business_id_share": 0.5}
    found = unit_tables.controls(control(**cases, untraced_share=0.12), "workflow", "Workflow", {"desk": told})
    assert found.row(0)[2:] == (
        "1.50, at most 4 (50% name one)", "12%", "solved (version 2, support)", "10 Nov 2026: trends break",
    )  # fmt: skip
    assert unit_tables.controls(control(), "workflow", "Workflow", {}).width == 4


def test_the_capacity_share_is_named_among_the_contributions() -> None:
    told = pl.DataFrame(
        {
            "workflow": ["desk", "desk"],
            "model": ["gpt-5", None],
            "component": ["usage", "capacity_share"],
            "cost_usd": [Decimal(3), Decimal(1)],
            "usd_per_success": [Decimal("1.5"), Decimal("0.5")],
            "successes": [2, 2],
        }
    )
    assert unit_tables.contribution(told, "model", "Model")["Model"].to_list() == ["gpt-5", "(idle capacity)"]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"refused_because": "no audit sample"}, "Not computed: no audit sample."),
        (
            {"refused_because": None, "estimate": 1.91, "low": 1.5, "high": 2.5, "n_audited": 200,
             "false_share": 0.035, "false_low": 0.017, "false_high": 0.07},
            "$1.91 per true success ($1.50 to $2.50): 3.5% of 200 audited successes were false (1.7% to 7.0%).",
        ),
    ],
)  # fmt: skip
def test_the_risk_is_told_with_its_sample(told: dict[str, Any], words: str) -> None:
    assert unit_risk.in_words(told) == words
