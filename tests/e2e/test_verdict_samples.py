"""The verdict on the sample traces: mechanical labels are glue, legal reasoning never is, and no dollar is lost."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tokenpnl_analytics.books import keep_books
from tokenpnl_analytics.pricing.ratecard import default_rate_card
from tokenpnl_analytics.resolving.capture import capture_of
from tokenpnl_analytics.rules.labels import LabelsFile
from tokenpnl_analytics.unit_cost.units import cohort
from tokenpnl_analytics.verdict.report import Report, Traffic, labels_of, reported
from tokenpnl_analytics.verdict.shares import SHARES
from tokenpnl_analytics.whatif.details import call_details
from tokenpnl_ingest.files import requests_in

SAMPLE_TRACES = Path(__file__).parents[2] / "sample_traces"


def judged(workflow: str) -> tuple[Report, Traffic]:
    capture = capture_of(requests_in(SAMPLE_TRACES / f"{workflow}.otlp.jsonl.gz"))
    books = keep_books(capture.spans, capture.outcomes, default_rate_card())
    runs = cohort(books.runs, as_of=datetime(2026, 11, 24, tzinfo=UTC))
    traffic = Traffic(books.attempts, call_details(capture.spans), books.line_items, runs)
    return reported(traffic, LabelsFile()), traffic


def test_the_labels_of_invoices_are_glue_and_the_extraction_waits_for_a_second_sign() -> None:
    report, _ = judged("invoice_extraction")
    assert labels_of(report.steps) == {
        "invoice_extraction/choose_account": "glue",
        "invoice_extraction/classify_document": "glue",
    }


def test_contract_review_is_not_called_glue() -> None:
    report, _ = judged("contract_review")
    assert "glue" not in labels_of(report.steps).values()


@pytest.mark.parametrize("workflow", ["invoice_extraction", "contract_review"])
def test_the_five_shares_are_the_cost_of_settled_runs_to_the_last_digit(workflow: str) -> None:
    report, traffic = judged(workflow)
    settled = traffic.runs.filter("settled").select("tenant", "run_id")
    paid = traffic.lines.join(settled, on=["tenant", "run_id"], how="semi")["cost_usd"].sum()
    assert sum(report.steps[f"{name}_usd"].sum() for name in SHARES) == paid
