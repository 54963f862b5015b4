from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenpnl.model import CostCategory
from tokenpnl.tables import LINE_ITEMS
from tokenpnl_analytics.classify import classify
from tokenpnl_analytics.frames import MONEY, conform
from tokenpnl_analytics.pricing.memos import primary_costs
from tokenpnl_analytics.pricing.prices import charge
from tokenpnl_analytics.statement import (
    cost_by_category,
    in_periods,
    line_item_sums,
    memo_lines,
    statement,
    with_app_cache,
    with_over_limit,
)
from tokenpnl_analytics.unit_cost.units import cohort

OUT = {"output_text_tokens": 100_000}  # 1 USD on gpt-4o


@pytest.fixture(scope="module")
def books(rows, card):
    def keep(attempts, runs, fees=()):
        attempts, runs = rows.attempts(*attempts), rows.runs(*runs)
        lines = charge(classify(attempts, runs), classify(rows.fees(*fees), runs), card)
        return conform(primary_costs(lines, attempts, card), LINE_ITEMS)

    return keep


def test_the_ladder_goes_from_list_to_effective_cost(books):
    lines = books([OUT, OUT | {"billed": False}], [{"outcome": "success"}], [{"fee_usd": Decimal("0.5")}])
    row = statement(lines).row(0, named=True)
    assert (row["list_usd"], row["discount_usd"], row["effective_usd"]) == (Decimal("1.5"), 0, Decimal("1.5"))


def test_a_commitment_takes_the_place_of_the_usage_that_it_covers(books):
    lines = books([OUT, OUT], [{"outcome": "success"}])
    covered = pl.col("line_id") == lines["line_id"][0]
    lines = lines.with_columns(
        pl.when(covered).then(Decimal(0)).otherwise("cost_usd").alias("cost_usd").cast(pl.Decimal(38, 12)),
        pl.when(covered).then(Decimal("0.8")).otherwise("contracted_cost_usd").alias("contracted_cost_usd"),
    )
    fee = {"usage_kind": "commitment", "list_cost_usd": None, "contracted_cost_usd": None}
    used, idle = ({**fee, "cost_usd": Decimal(usd), "cost_category": why} for usd, why in
                  (("0.7", "productive"), ("0.2", "idle_capacity")))  # fmt: skip
    amortised = [{**lines.row(0, named=True), **line} for line in (used, idle)]
    row = statement(pl.concat([lines, pl.DataFrame(amortised, schema=lines.schema)])).row(0, named=True)
    ladder = [row[f"{step}_usd"] for step in ("list", "discount", "contracted", "covered", "commitment", "effective")]
    assert ladder == [Decimal(usd) for usd in ("2", "0.2", "1.8", "0.8", "0.9", "1.9")]
    assert row["idle_capacity_usd"] == Decimal("0.2")


def test_the_categories_of_a_statement_sum_to_its_effective_cost(books):
    attempts = [OUT, OUT | {"run_id": "r2"}, OUT | {"status": "timeout"}, OUT | {"run_id": None}]
    row = statement(books(attempts, [{"outcome": "success"}, {"outcome": "failure"}])).row(0, named=True)
    assert sum(row[f"{category}_usd"] for category in CostCategory) == row["effective_usd"] == Decimal(4)
    assert row["without_result_usd"] == Decimal(2)


def test_categories_come_in_the_order_of_the_rules(books):
    attempts = [OUT | {"run_id": "r2"}, OUT, OUT | {"status": "timeout"}]
    lines = books(attempts, [{"outcome": "success"}, {"outcome": "failure"}])
    assert cost_by_category(lines)["cost_category"].to_list() == ["timeout", "failed_run", "productive"]


def test_cache_savings_and_write_premium_are_memo_lines(books):
    claude = {"provider": "anthropic", "model": "claude-sonnet-4-5"}
    attempts = [claude | {"input_cache_read_tokens": 100_000}, claude | {"input_cache_write_5m_tokens": 40_000}]
    row = memo_lines(books(attempts, [{}])).row(0, named=True)
    assert row["cache_savings_usd"] == Decimal("0.27")  # 100,000 at 3.00 less 0.30 USD per million
    assert row["cache_write_premium_usd"] == Decimal("0.03")  # 40,000 at 3.75 less 3.00
    assert row["cache_net_usd"] == Decimal("0.24")


def test_the_fallback_premium_is_what_was_paid_above_the_primary(books):
    call = {"call_key": "c1"}
    primary = call | {"model": "gpt-4o-mini", "status": "error", "superseded": True}
    lines = books([primary, call | OUT | {"attempt_number": 2, "served_reason": "fallback"}], [{"outcome": "success"}])
    assert memo_lines(lines)["fallback_premium_usd"].item() == Decimal("0.94")  # 10.00 less 0.60 USD per million


def test_unpriced_usage_is_told_by_the_priced_share(books):
    row = statement(books([OUT, OUT | {"model": "house-model"}], [{}])).row(0, named=True)
    assert (row["effective_usd"], row["priced_share"]) == (Decimal(1), 0.5)


def test_value_and_contribution_stand_beside_the_cost_of_run_dimensions(rows, books):
    runs = [{"outcome": "success", "value_usd": Decimal(4), "cost_usd": Decimal(1), "outcome_at": rows.start}]
    known = cohort(rows.runs(*runs), as_of=rows.start + timedelta(days=1))
    row = statement(books([OUT], runs), ["workflow"], runs=known).row(0, named=True)
    assert (row["value_usd"], row["contribution_usd"], row["usd_per_success"]) == (4, 3, 1)


def test_contribution_is_withheld_below_95_percent_value_coverage(rows, books):
    valued = {"outcome": "success", "value_usd": Decimal(4), "cost_usd": Decimal(1), "outcome_at": rows.start}
    runs = [valued] * 18 + [valued | {"value_usd": None}]
    known = cohort(rows.runs(*runs), as_of=rows.start + timedelta(days=1))
    row = statement(books([OUT], runs), runs=known).row(0, named=True)
    assert (row["value_coverage"], row["contribution_usd"]) == (18 / 19, None)


def test_a_model_has_no_value_of_its_own(rows, books):
    known = cohort(rows.runs({}), as_of=rows.start)
    assert "value_usd" not in statement(books([OUT], [{}]), ["model"], runs=known).columns


def test_sums_of_line_items_read_like_the_line_items(books):
    attempts = [OUT, OUT | {"model": "gpt-4o-mini"}, OUT | {"run_id": "r2", "input_cache_read_tokens": 5}]
    lines = books(attempts, [{"outcome": "success"}, {"outcome": "failure"}])
    for by in ([], ["model"], ["workflow", "model"]):
        assert statement(line_item_sums(lines, by), by).equals(statement(lines, by))


def test_sums_without_a_primary_price_leave_the_fallback_premium_unknown(books):
    sums = line_item_sums(books([OUT], [{}])).drop("primary_cost_usd", "fallback_cost_usd")
    assert memo_lines(sums)["fallback_premium_usd"].to_list() == [None]


def test_a_day_is_that_of_the_zone(books):
    late = OUT | {"started_at": datetime(2026, 11, 1, 23, 30, tzinfo=UTC)}
    lines = books([late], [{}])
    days = {zone: in_periods(lines, "day", zone)["period"].item().date().day for zone in ("UTC", "Europe/Berlin")}
    assert days == {"UTC": 1, "Europe/Berlin": 2}


@pytest.mark.parametrize(
    ("zone", "first", "last"),
    [
        ("America/Havana", datetime(2026, 11, 1, 4, tzinfo=UTC), datetime(2026, 11, 2, 4, 59, tzinfo=UTC)),  # 25 hours
        ("America/Havana", datetime(2026, 3, 8, 5, tzinfo=UTC), datetime(2026, 3, 9, 3, 59, tzinfo=UTC)),  # 23 hours
    ],
)
def test_a_day_whose_midnight_comes_twice_or_never_is_one_day(zone, first, last):
    hours = pl.DataFrame({"started_at": pl.datetime_range(first, last, "30m", eager=True, time_unit="ns")})
    assert in_periods(hours, "day", zone)["period"].n_unique() == 1


def test_an_unknown_grain_is_refused(books):
    with pytest.raises(ValueError, match="hour, day, week, month"):
        in_periods(books([OUT], [{}]), "year")


@settings(max_examples=25)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=10), st.sampled_from(["hour", "day", "week", "month"]))
def test_periods_add_up_to_the_whole_in_every_zone(books, rows, minutes, grain):
    attempts = [OUT | {"started_at": rows.start + timedelta(minutes=m)} for m in minutes]
    lines = books(attempts, [{"outcome": "success"}])
    for zone in ("UTC", "Asia/Kolkata", "America/New_York"):
        by_period = statement(in_periods(lines, grain, zone), ["period"])
        assert by_period["effective_usd"].sum() == lines.select(pl.col("cost_usd").sum()).item()


def test_contribution_sets_the_value_of_runs_against_the_cost_of_the_same_runs(rows, books):
    won = {"outcome": "success", "value_usd": Decimal(4), "cost_usd": Decimal(1), "outcome_at": rows.start}
    runs = [won, won | {"environment": "staging"}]
    production = cohort(rows.runs(*runs), as_of=rows.start + timedelta(days=1))
    row = statement(books([OUT, OUT | {"run_id": "r2"}], runs), runs=production).row(0, named=True)
    assert (row["effective_usd"], row["contribution_usd"]) == (Decimal(2), Decimal(3))


def test_a_slice_whose_usage_has_no_price_costs_an_unknown_amount_and_not_nothing(books):
    attempts = [OUT, OUT | {"model": "house-model", "run_id": "r2"}]
    lines = books(attempts, [{"outcome": "success"}, {"outcome": "failure"}])
    by_model = {row["model"]: row for row in statement(lines, ["model"]).to_dicts()}
    unknown, known = by_model["house-model"], by_model["gpt-4o"]
    assert (unknown["effective_usd"], unknown["failed_run_usd"], unknown["productive_usd"]) == (None, None, 0)
    assert (known["effective_usd"], known["failed_run_usd"]) == (Decimal(1), 0)
    whole = statement(lines).row(0, named=True)
    assert (whole["effective_usd"], whole["failed_run_usd"]) == (Decimal(1), None)


def test_batch_savings_are_what_the_standard_tier_would_have_cost_more(books):
    lines = books([OUT, OUT | {"service_tier": "batch"}], [{"outcome": "success"}])
    row = statement(lines).row(0, named=True)
    # One dollar at the standard tier and half of it in batch; the saving is beside, never added in.
    assert (row["effective_usd"], row["batch_savings_usd"]) == (Decimal("1.5"), Decimal("0.5"))
    assert memo_lines(books([OUT], [{}]))["batch_savings_usd"].to_list() == [Decimal(0)]


def test_what_the_applications_cache_avoided_is_a_memo_by_dimension():
    rows = pl.DataFrame({"workflow": ["a", "b", "c"], "effective_usd": [Decimal(1), Decimal(2), Decimal(3)]})
    calls = pl.DataFrame(
        {"workflow": ["a", "a", "b"], "cache_avoided_usd": [Decimal("0.5"), Decimal("0.25"), None]},
        schema_overrides={"cache_avoided_usd": MONEY},
    )
    found = with_app_cache(rows, calls, ["workflow"])
    # Nobody knows what the hit of b avoided; c had none.
    assert found["app_cache_avoided_usd"].to_list() == [Decimal("0.75"), None, Decimal(0)]
    assert found["effective_usd"].to_list() == rows["effective_usd"].to_list()
    total = with_app_cache(rows.select(pl.col("effective_usd").sum()), calls)
    assert total["app_cache_avoided_usd"].to_list() == [Decimal("0.75")]


def test_what_ran_past_contracts_is_a_memo_by_dimension():
    rows = pl.DataFrame({"workflow": ["a", "b"], "effective_usd": [Decimal(1), Decimal(2)]})
    past = pl.DataFrame(
        {"workflow": ["a", "a"], "over_limit_usd": [Decimal("0.5"), None]}, schema_overrides={"over_limit_usd": MONEY}
    )
    found = with_over_limit(rows, past, ["workflow"])
    assert found["over_limit_usd"].to_list() == [Decimal("0.5"), Decimal(0)]
    assert found["effective_usd"].to_list() == rows["effective_usd"].to_list()
    assert with_over_limit(rows.select("effective_usd").head(1), past)["over_limit_usd"].to_list() == [Decimal("0.5")]
