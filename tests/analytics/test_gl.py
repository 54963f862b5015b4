"""The journal: every cost once, debit equal to credit, what has no account is an error."""

from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.analytics.line_rows import START, lines_of, usd

from tokenpnl.errors import ConfigurationError
from tokenpnl.tables import LINE_ITEMS
from tokenpnl_analytics.finance.gl import journal, unmapped
from tokenpnl_analytics.frames import schema_of
from tokenpnl_analytics.rules.accounts import ACCOUNTS, TEMPLATE

USUAL = ACCOUNTS.parse(TEMPLATE)


def accounts_of(*lines: dict[str, object]) -> list[str]:
    found = journal(lines_of(*lines), USUAL)
    return found.filter(pl.col("entry") == "expense")["account"].to_list()


@pytest.mark.parametrize(
    ("line", "account"),
    [
        ({}, "5100"),
        ({"environment": None}, "5100"),
        ({"cost_category": "failed_run"}, "5100"),
        ({"cost_category": "evaluation", "evaluation": "inline"}, "5110"),
        ({"cost_category": "evaluation", "evaluation": "offline"}, "6100"),
        ({"environment": "staging"}, "6110"),
        ({"environment": "development"}, "6110"),
        ({"workflow": "internal_wiki"}, "6200"),
        ({"cost_category": "idle_capacity"}, "5120"),
        ({"charge_category": "Tax"}, "5100"),
    ],
)
def test_delivery_is_cost_of_revenue_experiments_are_r_and_d_tools_opex(line: dict[str, object], account: str) -> None:
    assert accounts_of(line | {"usd": "1"}) == [account]


def test_an_entry_is_posted_on_the_last_day_of_its_month_and_balanced_by_a_payable() -> None:
    found = journal(lines_of({"usd": "1.25"}, {"usd": "0.000000000001"}), USUAL)
    debit, credit = found.rows(named=True)
    assert (debit["date"], debit["period"], debit["account"]) == (date(2026, 11, 30), "2026-11", "5100")
    assert (debit["debit_usd"], debit["credit_usd"]) == (usd("1.250000000001"), None)
    assert (credit["account"], credit["credit_usd"], credit["debit_usd"]) == ("2150", usd("1.250000000001"), None)
    assert (credit["provider"], credit["currency"], credit["map_version"]) == ("openai", "USD", "1")


def test_a_month_is_one_of_the_zone() -> None:
    late = lines_of({"usd": "1", "started_at": START.replace(month=10, day=31, hour=23, minute=30)})
    assert journal(late, USUAL)["period"].unique().to_list() == ["2026-10"]
    assert journal(late, USUAL, zone="Europe/Rome")["period"].unique().to_list() == ["2026-11"]


def test_an_adjustment_keeps_its_origin_and_a_negative_one_changes_sides() -> None:
    schema = pl.Schema({**schema_of(LINE_ITEMS), "origin_period": pl.String()})
    line = {"charge_category": "Adjustment", "usd": "-2", "origin_period": "2026-10"}
    expense, payable = journal(lines_of(line, schema=schema), USUAL).rows(named=True)
    assert (expense["origin_period"], expense["period"]) == ("2026-10", "2026-11")
    assert (expense["credit_usd"], expense["debit_usd"]) == (2, None)
    assert payable["debit_usd"] == 2


def test_gpu_time_is_credited_to_clearing_not_to_a_provider() -> None:
    found = journal(lines_of({"usd": "1", "usage_kind": "gpu_time", "cost_source": "gpu"}), USUAL)
    assert found.filter(pl.col("entry") == "payable")["account"].to_list() == ["2310"]


def test_a_cost_without_account_is_an_error_that_names_it() -> None:
    narrow = ACCOUNTS.parse('accounts: [{workflow: a, account: "1"}]\npayables: [{provider: openai, account: "2"}]')
    lines = lines_of(
        {"usd": "1", "workflow": "a"}, {"usd": "2", "workflow": "b"}, {"usd": "3", "provider": "xai", "workflow": "a"}
    )
    lacking = unmapped(lines, narrow)
    assert lacking.select("lacks", "workflow", "provider", "cost_usd").rows() == [
        ("payable", "a", "xai", Decimal(3)),
        ("account", "b", "openai", Decimal(2)),
    ]
    with pytest.raises(ConfigurationError, match="lacks payable, environment production.*; lacks account.*workflow b"):
        journal(lines, narrow)


def test_usage_without_a_price_is_not_posted_and_lacks_no_account() -> None:
    lines = lines_of({"cost_source": "unpriced"})
    assert unmapped(lines, ACCOUNTS.parse("")).is_empty()
    assert journal(lines, ACCOUNTS.parse("")).is_empty()


_LINE = st.fixed_dictionaries(
    {
        "usd": st.decimals("-50", "50", places=12),
        "workflow": st.sampled_from(["a", "internal_b", None]),
        "environment": st.sampled_from(["production", "dev", None]),
        "provider": st.sampled_from(["openai", "anthropic", None]),
        "started_at": st.datetimes(START.replace(tzinfo=None, month=1), START.replace(tzinfo=None)).map(
            lambda at: at.replace(tzinfo=START.tzinfo)
        ),
    }
)


@given(st.lists(_LINE, max_size=25), st.sampled_from(["UTC", "Asia/Kolkata", "America/St_Johns"]))
def test_debits_equal_credits_and_sum_to_the_cost(drawn: list[dict[str, object]], zone: str) -> None:
    lines = lines_of(*drawn)
    found = journal(lines, USUAL, zone=zone).with_columns(pl.col("debit_usd", "credit_usd").fill_null(0))
    net = pl.col("debit_usd").sum() - pl.col("credit_usd").sum()
    balances = found.group_by("period", "origin_period", "provider").agg(net.alias("net"))
    assert (balances["net"] == 0).all()
    expense = found.filter(pl.col("entry") == "expense")
    assert expense["debit_usd"].sum() - expense["credit_usd"].sum() == lines["cost_usd"].sum()
