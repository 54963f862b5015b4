"""Both arms of an experiment on one frozen rate card."""

from decimal import Decimal

import polars as pl
from tests.analytics.whatif.traffic import traffic

from tokenpnl_dashboard.questions.verification import on_one_card

FULL = Decimal("3.50")  # a million tokens in, a tenth of it out, gpt-4o: $2.50 + $1.00
HALF = FULL / 2
TWO = [{"run_id": "r1", "trace_id": "t1"}, {"run_id": "r2", "trace_id": "t2"}]
BOOKED = [{"cost_usd": HALF}, {"cost_usd": FULL}]


def booked(*runs: dict[str, object], **columns: object) -> list[Decimal | None]:
    """Return the costs on one card of two runs whose attempts were booked at the given cost."""
    baseline = traffic(*TWO, runs=runs)
    attempts = baseline.attempts.with_columns(
        pl.Series("token_usd", [run["cost_usd"] for run in runs], pl.Decimal(38, 12)),
        pl.Series("cost_usd", [run["cost_usd"] for run in runs], pl.Decimal(38, 12)),
        **{name: pl.lit(value) for name, value in columns.items()},
    )
    priced = type(baseline)(
        attempts, baseline.runs, baseline.cluster_level, baseline.card, baseline.since, baseline.until
    )
    return on_one_card(priced).sort("run_id")["unit_cost_usd"].to_list()


def test_arms_that_two_cards_priced_cost_the_same_on_one():
    assert booked(*BOOKED) == [FULL, FULL]


def test_what_is_no_token_stays_with_its_run():
    # A tool fee of $1 beside the call: the run costs 1 more than its attempt, before and after.
    fee = traffic(*TWO, runs=[{"cost_usd": FULL + 1}, {"cost_usd": FULL}])
    assert on_one_card(fee).sort("run_id")["unit_cost_usd"].to_list() == [FULL + 1, FULL]


def test_runs_without_a_priced_attempt_keep_what_they_had():
    assert booked(*BOOKED, model="nothing") == [HALF, FULL]
