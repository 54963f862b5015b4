"""FOCUS rows: the same dollars as the statement, prices that multiply exactly, unknown cost left out and said."""

from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.analytics.line_rows import START, lines_of, usd

from tokenpnl.tables import LINE_ITEMS
from tokenpnl_analytics.finance.focus import focus_rows, unpriced_usage
from tokenpnl_analytics.finance.focus_checks import FAILED, focus_check
from tokenpnl_analytics.frames import schema_of
from tokenpnl_analytics.statement import statement


def test_lines_of_one_price_and_owner_are_one_row_a_day() -> None:
    later = START.replace(hour=23)
    rows = focus_rows(lines_of({"price": "2.50"}, {"price": "2.50", "quantity": 3000, "started_at": later}))
    assert rows.height == 1
    row = rows.row(0, named=True)
    assert row["PricingQuantity"] == 4000
    assert row["ListUnitPrice"] == usd("0.0000025")
    assert row["ListCost"] == row["EffectiveCost"] == usd("0.01")
    assert row["ChargePeriodStart"] == datetime(2026, 11, 1, tzinfo=UTC)
    assert row["ChargePeriodEnd"] == datetime(2026, 11, 2, tzinfo=UTC)
    assert row["BillingPeriodEnd"] == datetime(2026, 12, 1, tzinfo=UTC)


def test_lines_of_two_prices_are_two_rows() -> None:
    rows = focus_rows(lines_of({"price": "2.50"}, {"price": "1.25"}))
    assert rows["ListUnitPrice"].to_list() == [usd("0.00000125"), usd("0.0000025")]


def test_an_hour_is_a_charge_period_too() -> None:
    rows = focus_rows(lines_of({"price": "1"}), grain="hour")
    assert (
        rows["ChargePeriodEnd"][0] - rows["ChargePeriodStart"][0]
        == pl.Series([3_600_000_000]).cast(pl.Duration("us"))[0]
    )
    with pytest.raises(ValueError, match="one of hour, day, not 'week'"):
        focus_rows(lines_of({"price": "1"}), grain="week")


def test_a_row_says_token_kind_model_workflow_category_and_outcome() -> None:
    runs = pl.DataFrame({"tenant": ["default"], "run_id": ["r1"], "outcome": ["success"]})
    row = focus_rows(lines_of({"price": "1", "usage_kind": "output_reasoning"}), runs).row(0, named=True)
    assert row["SkuMeter"] == "Reasoning Output Tokens"
    assert row["ResourceName"] == "gpt-4o"
    assert (row["x_Workflow"], row["x_CostCategory"], row["x_Outcome"]) == ("support_reply", "productive", "success")
    assert row["PricingUnit"] == row["ConsumedUnit"] == "Tokens"
    assert row["Tags"] == '{"workflow":"support_reply","customer":null,"feature":null,"environment":"production"}'


def test_usage_without_a_price_has_no_row_and_is_listed() -> None:
    lines = lines_of({"price": "1"}, {"cost_source": "unpriced", "model": "gpt-9", "quantity": 700})
    assert focus_rows(lines).height == 1
    assert unpriced_usage(lines).rows() == [("openai", "gpt-9", "input_uncached", 1, 700)]


def test_a_discount_stands_between_list_and_contracted() -> None:
    contract = {"contracted_unit_usd_per_million": Decimal(2), "contracted_cost_usd": "0.002", "cost_usd": "0.002"}
    row = focus_rows(lines_of({"price": "2.50"} | contract)).row(0, named=True)
    assert (row["ListCost"], row["ContractedCost"], row["BilledCost"]) == (usd("0.0025"), usd("0.002"), usd("0.002"))
    assert row["ContractedUnitPrice"] == usd("0.000002")
    assert row["x_BilledBasis"] == "contracted, not invoiced yet"


def test_tokens_on_a_commitment_cost_nothing_but_keep_their_list_cost() -> None:
    served = {"price": "2.50", "cost_usd": "0", "cost_source": "commitment", "pool": "ptu-1"}
    fee = {
        "usage_kind": "commitment", "quantity": 3_600_000_000, "cost_source": "commitment", "pool": "ptu-1",
        "list_cost_usd": "0", "contracted_cost_usd": "0", "cost_usd": "4", "cost_category": "idle_capacity",
    }  # fmt: skip
    rows = focus_rows(lines_of(served, fee))
    used, unused = rows.sort("EffectiveCost").rows(named=True)
    assert (used["ListCost"], used["EffectiveCost"], used["CommitmentDiscountStatus"]) == (usd("0.0025"), 0, "Used")
    assert (unused["ListCost"], unused["EffectiveCost"], unused["CommitmentDiscountStatus"]) == (0, 4, "Unused")
    assert unused["ConsumedQuantity"] == 3600
    assert (rows["CommitmentDiscountId"] == "ptu-1").all()


def test_a_share_of_a_gpu_hour_is_priced_as_a_share() -> None:
    gpu = {"usage_kind": "gpu_time", "cost_source": "gpu", "quantity": 1_000_003, "usd": "0.000691667001"}
    row = focus_rows(lines_of(gpu | {"provider": None})).row(0, named=True)
    assert (row["PricingCategory"], row["CommitmentDiscountId"]) == ("Standard", None)
    assert (row["PricingQuantity"], row["PricingUnit"]) == (1, "Shares")
    assert row["ListUnitPrice"] == row["ListCost"] == usd("0.000691667001")
    assert (row["ConsumedQuantity"], row["ConsumedUnit"]) == (usd("1.000003"), "Seconds")
    assert row["ProviderName"] == "self-hosted"


def test_an_adjustment_is_a_correction_with_the_period_that_it_corrects() -> None:
    schema = pl.Schema({**schema_of(LINE_ITEMS), "origin_period": pl.String()})
    line = {"charge_category": "Adjustment", "usd": "-0.5", "origin_period": "2026-10"}
    row = focus_rows(lines_of(line, schema=schema)).row(0, named=True)
    assert (row["ChargeClass"], row["x_OriginPeriod"], row["EffectiveCost"]) == ("Correction", "2026-10", usd("-0.5"))
    assert row["PricingQuantity"] is None


_KINDS = st.sampled_from(["input_uncached", "input_cache_read", "output_text", "fee", "gpu_time", "commitment"])
_LINE = st.fixed_dictionaries(
    {
        "usage_kind": _KINDS,
        "quantity": st.integers(1, 10**9),
        "price": st.decimals("0", "75", places=6),
        "workflow": st.sampled_from(["a", "b", None]),
        "cost_category": st.sampled_from(["productive", "timeout", "pending"]),
        "hours": st.integers(0, 2000),
        "billed": st.booleans(),
    }
)


@given(st.lists(_LINE, max_size=30))
def test_rows_sum_to_the_statement_and_pass_every_check(drawn: list[dict[str, object]]) -> None:
    made = []
    for line in drawn:
        hours, billed = line.pop("hours"), line.pop("billed")
        line["started_at"] = START.replace(day=1) + pl.Series([hours * 3_600_000_000]).cast(pl.Duration("us"))[0]
        if line["usage_kind"] == "fee":
            line |= {"quantity": 1, "usd": line.pop("price")}
        elif line["usage_kind"] == "gpu_time":
            line |= {"usd": Decimal(line["quantity"]) / 10**12, "cost_source": "gpu"}
            line.pop("price")
        elif line["usage_kind"] == "commitment":
            line |= {"list_cost_usd": "0", "contracted_cost_usd": "0", "cost_usd": "1.25", "cost_source": "commitment"}
            line.pop("price")
        elif not billed:
            line["usd"] = "0"
        made.append(line)
    lines = lines_of(*made)
    rows, total = focus_rows(lines), statement(lines)
    for cost, rung in (
        ("EffectiveCost", "effective_usd"),
        ("ListCost", "list_usd"),
        ("ContractedCost", "contracted_usd"),
    ):
        assert rows[cost].sum() == (total[rung][0] or 0)
    if rows.height:
        judged = focus_check(rows)
        assert judged.filter(pl.col("status") == FAILED)["check"].to_list() == []
