"""What a cure would have saved: its calls replayed on the recorded traffic. A call of gpt-4o below costs $3.50."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import polars as pl
from tests.analytics.whatif.traffic import many, traffic

from tokenpnl_analytics.verdict.causes import CURES
from tokenpnl_analytics.verdict.cures import ASSUMED, MOST_STEPS, cures
from tokenpnl_analytics.whatif.baseline import Baseline

COMPARED = {
    **dict.fromkeys(("workflow", "step", "cheaper", "dearer"), pl.String()),
    **dict.fromkeys(("difference", "low", "high"), pl.Float64()),
    "n": pl.Int64(),
    **dict.fromkeys(("evidence", "method"), pl.String()),
    **dict.fromkeys(("same", "worse"), pl.Boolean()),
}
NONE = pl.DataFrame(schema=COMPARED)


def cause_of(baseline: Baseline, cause: str, *attempts: str) -> pl.DataFrame:
    """Return `named` of these attempts."""
    mine = pl.col("attempt_id").is_in(attempts)
    return baseline.attempts.filter(mine).select(
        "tenant", "attempt_id", "workflow", "step", pl.lit(cause).alias("cause")
    )


def told(baseline: Baseline, calls: pl.DataFrame, compared: pl.DataFrame = NONE) -> dict[str, Any]:
    """Return the row of the one cause."""
    step = calls.group_by("workflow", "step", "cause").agg(pl.len().cast(pl.Int64).alias("n_attempts"))
    named = step.with_columns(
        pl.lit("a cure").alias("cure"),
        (pl.col("n_attempts") * Decimal("3.5")).cast(pl.Decimal(38, 12)).alias("gross_usd"),
    )
    return cures(baseline, named, calls, compared).row(0, named=True)


def forty(**columns: Any) -> Baseline:
    rows = [row | {"customer_id": f"c{k % 8}"} for k, row in enumerate(many(40))]
    runs = [{"customer_id": f"c{k % 8}", "outcome": "success"} for k in range(40)]
    return traffic(*(row | columns for row in rows), runs=runs)


def test_every_cause_says_its_cure_and_what_the_saving_takes_for_granted() -> None:
    assert CURES.keys() == ASSUMED.keys()


def test_repeated_calls_that_are_not_made_save_what_they_cost() -> None:
    baseline = forty()
    row = told(baseline, cause_of(baseline, "repeated_call", "attempt_id3", "attempt_id7"))
    assert (row["saving_usd"], row["evidence"], row["ceiling"]) == (Decimal(7), "recomputed", False)
    assert row["low_usd"] <= 7 <= row["high_usd"]


def test_invalid_answers_are_a_ceiling_from_nothing_to_all_of_it() -> None:
    baseline = forty()
    row = told(baseline, cause_of(baseline, "invalid_output", "attempt_id1"))
    assert (row["saving_usd"], row["low_usd"], row["high_usd"]) == (Decimal("3.5"), 0.0, 3.5)
    assert (row["evidence"], row["ceiling"]) == ("bounded", True)


def test_a_cache_saves_every_repeat_of_a_customer_but_no_other_customers() -> None:
    # Eight customers ask the same five times each: 32 of 40 calls at $3.50.
    baseline = forty(prompt_hash="p")
    row = told(baseline, cause_of(baseline, "repeated_answer", "attempt_id2"))
    assert (row["saving_usd"], row["evidence"]) == (Decimal(112), "assumed")


def test_context_without_blocks_is_unknown_and_says_why() -> None:
    baseline = forty()
    row = told(baseline, cause_of(baseline, "context_resent", "attempt_id2"))
    assert (row["saving_usd"], row["low_usd"], row["evidence"]) == (None, None, "not_identifiable")
    assert "prompt blocks" in row["because"]


def test_a_breaker_that_never_opens_saves_nothing() -> None:
    baseline = forty()
    row = told(baseline, cause_of(baseline, "failed_attempt", "attempt_id2"))
    assert (row["saving_usd"], row["success_evidence"]) == (Decimal(0), "bounded")


def test_the_dearer_arms_calls_are_priced_on_the_cheaper_arms_model_with_the_success_that_was_estimated() -> None:
    # Twenty calls on each; a million in and a tenth of it out cost $3.50 on gpt-4o, $0.21 on its mini.
    rows = many(40)
    for place, row in enumerate(rows):
        row["model"] = "gpt-4o" if place % 2 else "gpt-4o-mini"
    baseline = traffic(*rows)
    arms = pl.when(pl.col("model") == "gpt-4o").then(pl.lit("large")).otherwise(pl.lit("small")).alias("route_arm")
    baseline = replace(baseline, attempts=baseline.attempts.with_columns(arms))
    seen = (
        "support_reply",
        "draft",
        "small",
        "large",
        0.0,
        -0.01,
        0.01,
        400,
        "estimated",
        "doubly robust",
        True,
        False,
    )
    compared = pl.DataFrame([seen], schema=COMPARED, orient="row")
    dear = baseline.attempts.filter(pl.col("route_arm") == "large")["attempt_id"].to_list()
    row = told(baseline, cause_of(baseline, "dearer_model", *dear), compared)
    assert row["saving_usd"] == 20 * (Decimal("3.50") - Decimal("0.21"))
    assert (row["evidence"], row["success_evidence"]) == ("assumed", "estimated")


def test_only_the_dearest_steps_are_replayed_and_the_others_say_so() -> None:
    n = MOST_STEPS + 1
    baseline = traffic(*(row | {"step": f"s{k:02}"} for k, row in enumerate(many(n))))
    calls = cause_of(baseline, "repeated_call", *baseline.attempts["attempt_id"])
    gross = (
        calls.sort("step")
        .select("workflow", "step", "cause", pl.lit("a cure").alias("cure"))
        .with_columns(
            pl.Series("gross_usd", [Decimal(100 - k) for k in range(n)], pl.Decimal(38, 12)),
            pl.lit(1, pl.Int64).alias("n_attempts"),
        )
    )
    found = cures(baseline, gross, calls, NONE)
    assert found["step"].to_list() == [f"s{k:02}" for k in range(n)]
    assert found["saving_usd"].null_count() == 1
    assert "dearest steps" in found["because"][-1]
