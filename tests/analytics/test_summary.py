import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import polars as pl
import pytest

from tokenpnl.model import CostCategory
from tokenpnl_analytics.books import book
from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.resolving.resolve import Resolution
from tokenpnl_analytics.summary import summary, usd_text, with_over_limit

KEYS = [
    "n_runs",
    "n_calls",
    "n_attempts",
    "usage_missing_calls",
    "unpriced_calls",
    "cache_hits",
    "context_unmatched_attempts",
    "tokens",
    "unpriced_tokens",
    "model_cost_usd",
    "tool_cost_usd",
    "cost_usd",
    "cost_by_category",
    "cost_by_workflow",
    "cost_by_customer",
    "cost_by_hour",
    "cost_by_feature",
    "cost_by_release",
    "cost_by_environment",
    "cost_by_model",
    "cost_by_step",
    "tokens_by_hour",
    "attempts_by_hour",
    "cost_per_success",
    "unit_cost",
    "outcomes",
    "outcome_coverage",
    "outcome_value_usd",
    "gpu",
    "gpu_allocated_usd",
    "gpu_idle_usd",
    "gpu_by_category",
    "commitment",
    "memo",
    "duplicate_usage_spans",
    "replayed_span_records",
    "labels",
]
UNIT_KEYS = [
    "settled",
    "to_date",
    "low",
    "high",
    "expected",
    "components",
    "n_runs",
    "n_settled",
    "successes",
    "unresolved_share",
    "window_days",
    "interval",
    "method",
]


@pytest.fixture(scope="module")
def books(rows, card):
    """Three runs: won with a retry and a search fee, failed, still open with unpriced usage; a cache hit beside."""
    hour = timedelta(hours=1)
    attempts = rows.attempts(
        {"attempt_id": "a1", "call_key": "c1", "status": "error", "superseded": True, "output_text_tokens": 10_000},
        {"attempt_id": "a2", "call_key": "c1", "input_uncached_tokens": 40_000, "customer_id": "acme"},
        {"attempt_id": "a3", "run_id": "r2", "output_text_tokens": 30_000, "started_at": rows.start + hour},
        {"attempt_id": "a4", "run_id": "r3", "model": "house-model", "output_text_tokens": 7},
        {"attempt_id": "a5", "run_id": "r3", "status": "timeout", "usage_missing": True},
        {"attempt_id": "a6", "run_id": "r3", "service_tier": "scale", "input_cache_read_tokens": 8_000},
    )
    hit = {"call_key": "hit", "cached": True, "cache_avoided_input_tokens": 4_000}
    resolution = Resolution(
        attempts=attempts,
        calls=rows.calls(*({"call_key": f"c{n}"} for n in range(1, 6)), hit),
        fees=rows.fees({"fee_usd": Decimal("0.05"), "step": "search"}),
        runs=rows.runs({"n_calls": 1, "n_attempts": 2}, {"n_calls": 1}, {"n_calls": 3, "n_attempts": 3}),
        duplicates=rows.duplicates({}, {}),
    )
    outcomes = rows.outcomes(
        {"run_id": "r1", "value_usd": Decimal(2), "value_given": True, "effective_at": rows.start + hour},
        {"run_id": "r2", "status": "failure", "effective_at": rows.start + 2 * hour},
    )
    return book(resolution, outcomes, card)


@pytest.fixture(scope="module")
def told(books, rows):
    return summary(books, as_of=rows.start + timedelta(days=2), runs=True, replayed_span_records=4)


def test_the_summary_has_exactly_the_agreed_keys(told):
    assert set(told) == {*KEYS, "runs"}
    assert set(told["unit_cost"]["support_reply"]) == set(UNIT_KEYS)


def test_runs_come_only_when_asked_for(books, rows):
    assert "runs" not in summary(books, as_of=rows.start)


def test_the_summary_is_json(told):
    assert json.loads(json.dumps(told)) == told


def test_everything_is_counted(told):
    counted = {name: told[name] for name in KEYS if isinstance(told[name], int)}
    assert counted == {
        "n_runs": 3,
        "n_calls": 6,
        "n_attempts": 6,
        "usage_missing_calls": 1,
        "unpriced_calls": 1,
        "cache_hits": 1,
        "context_unmatched_attempts": 1,
        "unpriced_tokens": 7,
        "duplicate_usage_spans": 2,
        "replayed_span_records": 4,
    }
    assert told["tokens"] == {"input_uncached": 40_000, "input_cache_read": 8_000, "output_text": 40_007}


def test_money_by_every_cut(told):
    # gpt-4o: 2.50 input, 1.25 cache read, 10 output USD per million.
    # r1: 0.1 retried, 0.1 answered, 0.05 fee; r2: 0.3; r3: 0.01 known.
    assert (told["model_cost_usd"], told["tool_cost_usd"], told["cost_usd"]) == ("0.51", "0.05", "0.56")
    nonzero = {name: usd for name, usd in told["cost_by_category"].items() if usd != "0"}
    assert nonzero == {"retry": "0.1", "productive": "0.15", "failed_run": "0.3", "pending": "0.01"}
    assert told["cost_by_workflow"] == {"support_reply": "0.56"}
    assert told["cost_by_customer"] == {"(none)": "0.46", "acme": "0.1"}
    assert told["cost_by_step"] == {"support_reply/draft": "0.51", "support_reply/search": "0.05"}
    assert told["cost_by_model"] == {"gpt-4o": "0.51", "house-model": None}
    assert told["cost_by_hour"] == {"2026-11-01T12:00:00Z": "0.26", "2026-11-01T13:00:00Z": "0.3"}
    assert told["tokens_by_hour"] == {"2026-11-01T12:00:00Z": 58_007, "2026-11-01T13:00:00Z": 30_000}
    assert told["attempts_by_hour"] == {"2026-11-01T12:00:00Z": 5, "2026-11-01T13:00:00Z": 1}


def test_the_eleven_categories_of_runs_sum_to_the_cost(told):
    assert len(told["cost_by_category"]) == len(CostCategory) - 2
    assert sum(map(Decimal, told["cost_by_category"].values())) == Decimal(told["cost_usd"])


def test_outcomes_value_and_unit_cost(told):
    assert told["outcomes"] == {"success": 1, "failure": 1, "abandoned": 0, "none": 1}
    assert told["outcome_value_usd"] == "2"
    assert told["outcome_coverage"] == 2 / 3
    assert told["cost_per_success"] == {"support_reply": "0.56"}
    unit = told["unit_cost"]["support_reply"]
    assert (unit["to_date"], unit["low"], unit["high"]) == ("0.56", "0.28", "0.56")
    assert (unit["n_runs"], unit["n_settled"], unit["successes"], unit["window_days"]) == (3, 3, 1, 2 / 24)
    assert unit["components"] == {"direct": "0.56", "inline_evaluation": "0", "capacity_share": "0"}


def test_memo_lines_and_what_nobody_knows_yet(told):
    assert told["memo"] == {
        "cache_savings_usd": "0.01",
        "app_cache_avoided_usd": "0.01",
        "cache_write_premium_usd": "0",
        "fallback_premium_usd": "0",
        "over_limit_usd": None,
    }
    assert {told[name] for name in KEYS if name.startswith("gpu") or name == "labels"} == {None}


def test_what_ran_past_contracts_is_told_where_somebody_checked(told):
    past = pl.DataFrame({"over_limit_usd": [Decimal("0.25"), Decimal("0.5")]}, schema={"over_limit_usd": MONEY})
    assert with_over_limit(told, past)["memo"] == told["memo"] | {"over_limit_usd": "0.75"}
    assert with_over_limit(told, past.clear())["memo"]["over_limit_usd"] == "0"


def test_each_run_can_be_told(told):
    assert told["runs"]["r1"] == {
        "calls": 1,
        "attempts": 2,
        "tokens": 50_000,
        "model_cost_usd": "0.2",
        "tool_cost_usd": "0.05",
        "outcome": "success",
    }
    assert told["runs"]["r3"]["outcome"] is None


def test_a_tenant_sees_its_own_books_only(books, rows):
    other = summary(books, as_of=rows.start, tenant="b")
    assert (other["n_runs"], other["cost_usd"], other["cost_by_workflow"]) == (0, "0", {})


@pytest.mark.parametrize(
    ("usd", "text"), [("0.090000000000", "0.09"), ("100", "100"), ("1E+2", "100"), ("-0.50", "-0.5"), ("0E-12", "0")]
)
def test_money_is_told_without_idle_zeros(usd, text):
    assert usd_text(Decimal(usd)) == text


def test_usage_that_nobody_can_price_has_an_unknown_cost_in_every_cut(rows, card):
    usage = {"model": "house-model", "output_text_tokens": 7}
    resolution = Resolution(
        attempts=rows.attempts(usage),
        calls=rows.calls({}),
        fees=rows.fees(),
        runs=rows.runs({"n_calls": 1, "n_attempts": 1}),
        duplicates=rows.duplicates(),
    )
    told = summary(book(resolution, rows.outcomes(), card), as_of=rows.start, runs=True)
    assert (told["model_cost_usd"], told["tool_cost_usd"], told["cost_usd"]) == (None, "0", None)
    assert {name: usd for name, usd in told["cost_by_category"].items() if usd != "0"} == {"pending": None}
    assert (told["cost_by_workflow"], told["cost_per_success"]) == ({"support_reply": None}, {"support_reply": None})
    assert told["runs"]["r1"]["model_cost_usd"] is None


def test_gpu_time_stands_apart_from_tokens_and_fees(books, rows):
    line = books.line_items.row(0, named=True)
    gpu = line | {"usage_kind": "gpu_time", "quantity": 1_500_000, "cost_source": "gpu", "pool": "house"}
    used = gpu | {"cost_usd": Decimal("0.25"), "line_id": "used", "run_id": "r1", "cost_category": "productive"}
    idle = gpu | {"cost_usd": Decimal("0.75"), "line_id": "idle", "run_id": None, "cost_category": "idle_capacity"}
    lines = pl.concat([books.line_items, pl.DataFrame([used, idle], schema=books.line_items.schema)])
    told = summary(replace(books, line_items=lines), as_of=rows.start + timedelta(days=2))
    without = summary(books, as_of=rows.start + timedelta(days=2))
    assert told["cost_usd"] == without["cost_usd"]
    assert told["gpu"] == {"allocated_seconds": 1.5, "idle_seconds": 1.5}
    assert (told["gpu_allocated_usd"], told["gpu_idle_usd"]) == ("0.25", "0.75")
    assert told["gpu_by_category"] == {"idle_capacity": "0.75", "productive": "0.25"}
    assert without["gpu"] is None
    # A success also costs the GPU time that its run was given, and nothing of what stood idle.
    assert (without["cost_per_success"], told["cost_per_success"]) == (
        {"support_reply": "0.56"},
        {"support_reply": "0.81"},
    )
    share = told["unit_cost"]["support_reply"]["components"]["capacity_share"]
    assert share == "0.75"
