"""The books of the sample traces: what the README says is hidden in them is what our own reading finds."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from tokenpnl_analytics.books import Books, keep_books
from tokenpnl_analytics.pricing.ratecard import default_rate_card
from tokenpnl_analytics.resolving.capture import capture_of
from tokenpnl_ingest.files import requests_in

SAMPLE_TRACES = Path(__file__).parents[2] / "sample_traces"
WORKFLOWS = ("catalogue_tagging", "contract_review", "invoice_extraction", "mail_triage", "support_reply")


@pytest.fixture(scope="module")
def books() -> dict[str, Books]:
    card, kept = default_rate_card(), {}
    for workflow in WORKFLOWS:
        capture = capture_of(requests_in(SAMPLE_TRACES / f"{workflow}.otlp.jsonl.gz"))
        assert capture.refused == 0
        kept[workflow] = keep_books(capture.spans, capture.outcomes, card)
    return kept


def usd_per_success(runs: pl.DataFrame) -> Decimal:
    successes = runs.filter(pl.col("outcome") == "success").height
    total: Decimal = runs["cost_usd"].sum()
    return total / successes


def of_release(books: Books, release: str) -> pl.DataFrame:
    return books.runs.filter(pl.col("release") == release)


def started(runs: pl.DataFrame, first: date, until: date) -> pl.DataFrame:
    return runs.filter(pl.col("started_at").dt.date().is_between(first, until, closed="left"))


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_every_span_is_understood_and_counts_once(books: dict[str, Books], workflow: str) -> None:
    flags = {flag for row in books[workflow].attempts["flags"] for flag in row.split(",") if flag}
    assert flags <= {"usage_missing", "unpriced"}
    assert books[workflow].duplicates.is_empty()
    assert books[workflow].runs["workflow"].unique().to_list() == [workflow]


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_at_least_98_of_100_tokens_have_a_price(books: dict[str, Books], workflow: str) -> None:
    lines = books[workflow].line_items
    # What runs on our own GPU costs time, not tokens.
    lines = lines.filter(pl.col("cost_source") != "gpu")
    priced = lines.filter(pl.col("cost_usd").is_not_null())["quantity"].sum()
    assert priced / lines["quantity"].sum() >= 0.98


def test_every_category_of_a_run_but_retry_occurs(books: dict[str, Books]) -> None:
    # Providers bill no refused request, so retries cost nothing here; they show in the attempts per call.
    found = {category for kept in books.values() for category in kept.line_items["cost_category"].unique()}
    assert found == {
        "evaluation",
        "timeout",
        "schema_violation",
        "escalation",
        "loop",
        "failed_run",
        "abandoned_run",
        "pending",
        "fallback",
        "productive",
    }


def test_a_success_costs_more_than_half_as_much_again_in_the_incident_week(books: dict[str, Books]) -> None:
    runs = books["support_reply"].runs
    before = started(runs, date(2026, 10, 12), date(2026, 10, 17))
    during = started(runs, date(2026, 10, 19), date(2026, 10, 24))
    assert usd_per_success(during) > Decimal("1.5") * usd_per_success(before)
    assert during["n_attempts"].sum() / during["n_calls"].sum() > 1.2


def test_a_success_of_release_two_four_zero_is_dear_without_any_error(books: dict[str, Books]) -> None:
    broken, repaired = (of_release(books["support_reply"], release) for release in ("2.4.0", "2.4.1"))
    assert usd_per_success(broken) > Decimal("1.2") * usd_per_success(repaired)
    assert broken["n_attempts"].sum() <= broken["n_calls"].sum()


def test_only_the_agent_of_release_zero_nine_three_loops(books: dict[str, Books]) -> None:
    loops = books["contract_review"].line_items.filter(pl.col("cost_category") == "loop")
    assert loops["release"].unique().to_list() == ["0.9.3"]
    assert loops["cost_usd"].sum() > 5


def test_the_larger_extraction_model_doubles_the_cost_and_not_the_successes(books: dict[str, Books]) -> None:
    before, after = (of_release(books["invoice_extraction"], release) for release in ("1.7.2", "1.8.0"))
    shares = [runs.filter(pl.col("outcome") == "success").height / runs.height for runs in (before, after)]
    assert usd_per_success(after) > 2 * usd_per_success(before)
    assert abs(shares[1] - shares[0]) < 0.05


def test_a_contract_review_is_dear_and_worth_it(books: dict[str, Books]) -> None:
    dear, cheap = books["contract_review"].runs, books["support_reply"].runs
    assert usd_per_success(dear) > 50 * usd_per_success(cheap)
    assert dear["value_usd"].sum() > 50 * dear["cost_usd"].sum()


def test_evaluation_happens_inline_and_at_night(books: dict[str, Books]) -> None:
    judged = books["support_reply"].line_items.filter(pl.col("cost_category") == "evaluation")
    assert set(judged["evaluation"].unique()) == {"inline", "offline"}
