"""Beside every unit cost: who declared the successes, and how many runs were made of one case."""

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from tokenpnl_analytics.unit_cost.controls import controls, outcomes_without_run, untraced_share
from tokenpnl_analytics.unit_cost.units import cohort


def told(rows: Any, *runs: dict[str, Any], **more: Any) -> dict[str, Any]:
    usual = {"outcome": "success", "outcome_at": rows.start, "outcome_source": "program"}
    table = rows.runs(*(usual | run for run in runs))
    return controls(cohort(table, as_of=rows.start), **more).row(0, named=True)


def test_the_shares_of_successes_by_source_sum_to_one(rows: Any) -> None:
    found = told(rows, {}, {"outcome_source": "user"}, {"outcome_source": "rule"}, {"outcome_source": None},
                 {"outcome": "failure", "outcome_source": "reviewer"})  # fmt: skip
    sources = ("program", "user", "reviewer", "rule", "import", "unnamed")
    shares = [found[f"{source}_share"] for source in sources]
    assert shares == [0.25, 0.25, 0.0, 0.25, 0.0, 0.25]
    assert (found["successes"], found["self_declared"]) == (4, False)


def test_successes_of_the_program_alone_are_self_declared(rows: Any) -> None:
    assert told(rows, {}, {})["self_declared"]
    assert told(rows, {"outcome": None})["program_share"] is None


def test_many_runs_of_one_case_show(rows: Any) -> None:
    found = told(rows, *[{"business_id": "t1"}] * 3, {"business_id": "t2"}, {})
    assert (found["n_business_ids"], found["runs_per_business_id"]) == (2, 2.0)
    assert (found["most_runs_of_a_business_id"], found["business_id_share"]) == (3, 0.8)


def test_without_business_ids_splitting_is_unknown(rows: Any) -> None:
    found = told(rows, {})
    assert (found["n_business_ids"], found["runs_per_business_id"], found["business_id_share"]) == (0, None, 0.0)


@pytest.mark.parametrize("share", [None, 0.12])
def test_the_untraced_share_of_the_invoice_is_told_or_unknown(rows: Any, share: float | None) -> None:
    assert told(rows, {}, untraced_share=share)["untraced_share"] == share


@pytest.mark.parametrize(
    ("invoices", "share"),
    [
        ([("100", "88"), ("100", "120")], 0.06),  # 12 of 200: what is traced beyond one invoice helps no other
        ([("100", None), ("50", "50")], 0.0),
        ([(None, "5")], None),
        ([], None),
    ],
)
def test_the_untraced_share_is_what_no_trace_explains(
    invoices: list[tuple[str | None, str | None]], share: float | None
) -> None:
    money = pl.Decimal(38, 12)
    rows = [tuple(None if usd is None else Decimal(usd) for usd in row) for row in invoices]
    frame = pl.DataFrame(rows, schema={"billed_usd": money, "traced_usd": money}, orient="row")
    assert untraced_share(frame) == share


def test_outcomes_of_runs_without_a_trace_are_counted_apart(rows: Any) -> None:
    runs = rows.runs({"run_id": "r1", "trace_id": "t1", "business_id": "case-1"})
    known = [{"run_id": "r1"}, {"run_id": None, "trace_id": "t1"}, {"run_id": None, "business_id": "case-1"}]
    lost = [{"run_id": "r8"}, {"run_id": "r9", "status": "failure"}, {"run_id": None, "trace_id": "t9"}]
    revised = {"run_id": "r9", "status": "success", "outcome_id": "z"}
    found = outcomes_without_run(rows.outcomes(*(
        {"trace_id": None} | one for one in (*known, *lost, revised)
    )), runs)  # fmt: skip
    assert found.rows() == [("success", 3)]
