"""Allocation: every cost has an owner or stays visible, and no split makes or loses a digit."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.analytics.line_rows import START, lines_of, usd

from tokenpnl_analytics.finance.allocation import SCHEMA, allocate, allocated_by, flows, rule_hits, unallocated_share
from tokenpnl_analytics.rules.allocation import ALLOCATION, AllocationFile
from tokenpnl_analytics.rules.line_match import COLUMN_OF
from tokenpnl_analytics.statement import in_periods

ZONES = ("UTC", "Europe/Rome", "America/Los_Angeles", "Asia/Kolkata", "Australia/Lord_Howe")
A = "  - {name: a, workflow: a, owner: {org: Acme, team: A}}\n"
B = "  - {name: b, workflow: b, owner: {org: Acme, team: B, product: Bee}}\n"


def rules(text: str) -> AllocationFile:
    return ALLOCATION.parse(f"rules:\n{text}")


def shared(split: str) -> AllocationFile:
    return rules(f"{A}{B}  - {{name: platform, workflow: platform, share: {split}}}\n")


def paid(*lines: dict[str, Any], by: AllocationFile) -> dict[str | None, Decimal]:
    return dict(allocated_by(allocate(lines_of(*lines), by), ["owner"]).select("owner", "cost_usd").iter_rows())


OWN = ({"workflow": "a", "usd": "1", "quantity": 100}, {"workflow": "b", "usd": "4", "quantity": 300})
PLATFORM = {"workflow": "platform", "usd": "10", "quantity": 50}


def test_the_first_rule_that_fits_gives_the_owner() -> None:
    found = allocate(lines_of({"workflow": "a", "usd": "2", "customer_id": "acme"}), rules(A + B))
    assert found.schema == SCHEMA
    row = found.row(0, named=True)
    assert (row["org"], row["team"], row["product"], row["owner"]) == ("Acme", "A", None, "Acme/A")
    assert (row["workflow"], row["customer_id"], row["method"], row["rule"]) == ("a", "acme", "direct", "a")
    assert row["cost_usd"] == 2


def test_what_no_rule_fits_stays_visible() -> None:
    found = allocate(lines_of({"workflow": "c", "usd": "3"}, OWN[0]), rules(A))
    left = found.filter(pl.col("owner").is_null()).row(0, named=True)
    assert (left["method"], left["reason"], left["workflow"], left["cost_usd"]) == (
        "unallocated",
        "no rule fits",
        "c",
        3,
    )
    assert unallocated_share(found) == (Decimal(3), 0.75)


@pytest.mark.parametrize(
    ("split", "a", "b"),
    [
        ("{split: even}", "6", "9"),
        ("{split: tokens}", "3.5", "11.5"),
        ("{split: cost}", "3", "12"),
        ("{split: fixed, percent: {Acme/A: 70, Acme/B/Bee: 30}}", "8", "7"),
    ],
)
def test_shared_cost_is_split_by_the_stated_method(split: str, a: str, b: str) -> None:
    assert paid(*OWN, PLATFORM, by=shared(split)) == {"Acme/A": usd(a), "Acme/B/Bee": usd(b)}


def test_a_third_is_rounded_by_largest_remainder_and_sums_exactly() -> None:
    third = shared("{split: fixed, percent: {X: 33, Y: 33, Z: 33}}")
    assert paid({"workflow": "platform", "usd": "0.000000000100"}, by=third) == {
        "X": usd("0.000000000033"), "Y": usd("0.000000000033"), "Z": usd("0.000000000033"), None: usd("0.000000000001"),
    }  # fmt: skip


def test_what_fixed_shares_leave_is_unallocated_and_says_why() -> None:
    found = allocate(lines_of(PLATFORM), shared("{split: fixed, percent: {Acme/A: 70}}"))
    left = found.filter(pl.col("owner").is_null()).row(0, named=True)
    assert (left["cost_usd"], left["reason"], left["shared_from"]) == (3, "rest of the fixed shares", "platform")


@pytest.mark.parametrize("split", ["{split: even}", "{split: tokens}", "{split: cost}"])
def test_shared_cost_that_nobody_can_claim_is_unallocated_not_lost(split: str) -> None:
    found = allocate(lines_of(PLATFORM), shared(split))
    assert found.select("owner", "cost_usd", "reason").rows() == [(None, Decimal(10), "nobody to share among")]


def test_by_cost_owners_without_cost_claim_nothing() -> None:
    free = {"workflow": "a", "usd": "0"}
    assert paid(free, OWN[1], PLATFORM, by=shared("{split: cost}"))["Acme/A"] == 0
    assert paid(free, PLATFORM, by=shared("{split: cost}"))[None] == 10


def test_only_the_named_owners_share() -> None:
    assert paid(*OWN, PLATFORM, by=shared("{split: even, among: 'Acme/B*'}")) == {"Acme/A": 1, "Acme/B/Bee": 14}


def test_idle_capacity_is_shared_among_those_who_used_its_pool() -> None:
    by = rules(f"{A}{B}  - {{name: idle, category: idle_capacity, share: {{split: cost, within: pool}}}}\n")
    gpu = {"usage_kind": "gpu_time", "cost_source": "gpu"}
    lines = (
        gpu | {"workflow": "a", "pool": "h100", "usd": "1"},
        gpu | {"workflow": "b", "pool": "h100", "usd": "3"},
        gpu | {"workflow": "b", "pool": "l4", "usd": "5"},
        gpu | {"workflow": None, "pool": "h100", "usd": "8", "cost_category": "idle_capacity"},
        gpu | {"workflow": None, "pool": "l4", "usd": "2", "cost_category": "idle_capacity"},
        gpu | {"workflow": None, "pool": "a100", "usd": "7", "cost_category": "idle_capacity"},
    )
    assert paid(*lines, by=by) == {"Acme/A": 3, "Acme/B/Bee": 16, None: 7}


def test_a_credit_is_shared_with_its_sign() -> None:
    assert paid(*OWN, PLATFORM | {"charge_category": "Credit", "usd": "-10"}, by=shared("{split: even}")) == {
        "Acme/A": -4, "Acme/B/Bee": -1,
    }  # fmt: skip


def test_usage_without_a_price_counts_as_tokens_and_costs_nobody() -> None:
    unpriced = {"workflow": "a", "cost_source": "unpriced", "quantity": 300}
    assert paid(unpriced, OWN[1], PLATFORM, by=shared("{split: tokens}")) == {"Acme/A": 5, "Acme/B/Bee": 9}


def test_rules_say_what_they_caught() -> None:
    by = shared("{split: fixed, percent: {Acme/A: 70}}")
    hits = rule_hits(allocate(lines_of(*OWN, PLATFORM, {"workflow": "c", "usd": "2"}), by), by)
    assert hits.rows() == [
        ("a", "Acme/A", 1, 1, 0),
        ("b", "Acme/B/Bee", 1, 4, 0),
        ("platform", "shared: fixed", 1, 10, 3),
        ("(no rule)", "stays unallocated", 1, 2, 2),
    ]


def test_the_money_flows_from_what_was_paid_over_teams_to_products() -> None:
    found = allocate(lines_of(*OWN, PLATFORM, {"workflow": "c", "usd": "2"}), shared("{split: even}"))
    assert flows(found, most=3).drop("kind").rows() == [
        (0, "platform", "A", False, 5),
        (0, "platform", "B", False, 5),
        (0, "b", "B", False, 4),
        (0, "c", "(unallocated)", True, 2),
        (0, "(others)", "A", False, 1),
        (1, "B", "Bee", False, 9),
    ]


_LINE = st.fixed_dictionaries(
    {
        "usd": st.one_of(st.decimals("-9", "900", places=12), st.none()),
        "quantity": st.integers(0, 10**7),
        "workflow": st.sampled_from(["a", "b", "platform", "other", None]),
        "pool": st.sampled_from(["x", "y", None]),
        "hours": st.integers(0, 24 * 40),
    }
)
_SPLITS = ("{split: even}", "{split: tokens}", "{split: cost}", "{split: tokens, within: pool}")
_FIXED = "{split: fixed, percent: {P: 12.5, Q: 33.33, R: 1}}"


def _lines(drawn: list[dict[str, Any]]) -> pl.DataFrame:
    return lines_of(
        *(
            {"started_at": START + timedelta(hours=line["hours"])} | {k: v for k, v in line.items() if k != "hours"}
            for line in drawn
        )
    )


@given(st.lists(_LINE, max_size=25), st.sampled_from((*_SPLITS, _FIXED)))
def test_in_every_hour_the_parts_sum_to_the_whole(drawn: list[dict[str, Any]], split: str) -> None:
    lines = _lines(drawn)
    found = allocate(lines, shared(split))
    given_hours = lines.group_by(pl.col("started_at").dt.truncate("1h").alias("hour")).agg(
        pl.col("cost_usd").sum().alias("whole")
    )
    parts = found.group_by("hour").agg(pl.col("cost_usd").sum(), pl.col("n_lines").sum())
    joined = given_hours.join(parts, on="hour", how="left")
    assert (joined["whole"] == joined["cost_usd"]).all()
    assert found["n_lines"].sum() == lines.height


@given(st.lists(_LINE, max_size=25), st.sampled_from((*_SPLITS, _FIXED)))
def test_the_days_of_a_period_add_up_for_each_owner_in_every_zone(drawn: list[dict[str, Any]], split: str) -> None:
    found = allocate(_lines(drawn), shared(split))
    whole = dict(allocated_by(found, ["owner"]).select("owner", "cost_usd").iter_rows())
    for zone in ZONES:
        days = allocated_by(in_periods(found, "day", zone, at="hour"), ["period", "owner"])
        summed = dict(days.group_by("owner").agg(pl.col("cost_usd").sum()).iter_rows())
        assert summed == whole


def test_order_of_lines_changes_nothing() -> None:
    lines = lines_of(*OWN, PLATFORM, {"workflow": "c", "usd": "2"})
    by = shared("{split: tokens}")
    assert allocate(lines.reverse(), by).equals(allocate(lines, by))


def test_a_window_without_lines_allocates_nothing() -> None:
    found = allocate(lines_of().clear(), shared("{split: even}"))
    assert found.is_empty()
    assert unallocated_share(found) == (Decimal(0), None)


def test_hours_are_those_of_the_lines() -> None:
    half_past = START + timedelta(minutes=30)
    found = allocate(lines_of(OWN[0] | {"started_at": half_past}), rules(A))
    assert found["hour"].to_list() == [datetime(2026, 11, 1, 12, tzinfo=START.tzinfo)]


def test_sums_by_hour_are_allocated_like_their_lines() -> None:
    lines = lines_of(*OWN, PLATFORM, {"workflow": "c", "usd": "2"})
    hour = pl.col("started_at").dt.truncate("1h").alias("hour")
    sums = lines.group_by(hour, *COLUMN_OF.values()).agg(
        pl.col("cost_usd").sum(), pl.col("quantity").sum(), pl.len().cast(pl.Int64).alias("n_lines")
    )
    by = shared("{split: tokens}")
    assert allocate(sums, by).equals(allocate(lines, by))
