"""Entries beside cost: credit and exchange differences."""

from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from tokenpnl.errors import ConfigurationError
from tokenpnl_analytics.capacity.prepaid import MOVES
from tokenpnl_analytics.finance.settlements import fx_entries, prepaid_entries
from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.rules.accounts import AccountsFile

ACCOUNTS = AccountsFile.model_validate(
    {
        "version": "7",
        "payables": [{"provider": "openai", "account": "2150"}, {"provider": "google", "account": "2151"}],
        "prepaid": {"account": "1410"},
        "fx_residual": {"account": "7100"},
    }
)
TOLD = ("period", "entry", "account", "provider", "debit_usd", "credit_usd")
RESIDUAL = {"period": pl.Date, "provider": pl.String, "usd": MONEY}


def residuals(*rows: tuple[str, str]) -> pl.DataFrame:
    filled = [(date(2026, 10, 1), provider, Decimal(usd)) for provider, usd in rows]
    return pl.DataFrame(filled, schema=RESIDUAL, orient="row")


def test_credit_bought_is_an_asset_and_credit_used_meets_the_payable() -> None:
    day = date(2026, 10, 7)
    rows = [
        ("a", "openai", day, "bought", Decimal(10)),
        ("a", "openai", day, "used", Decimal("2.5")),
        ("a", "openai", date(2026, 11, 2), "used", Decimal("1.5")),
        ("a", "openai", date(2026, 11, 3), "expired", Decimal(6)),
    ]
    found = prepaid_entries(pl.DataFrame(rows, schema=MOVES, orient="row"), ACCOUNTS)
    assert found.select(TOLD).rows() == [
        ("2026-10", "payable", "2150", "openai", None, Decimal(10)),
        ("2026-10", "prepaid", "1410", "openai", Decimal(10), None),
        ("2026-10", "payable", "2150", "openai", Decimal("2.5"), None),
        ("2026-10", "prepaid", "1410", "openai", None, Decimal("2.5")),
        ("2026-11", "payable", "2150", "openai", Decimal("1.5"), None),
        ("2026-11", "prepaid", "1410", "openai", None, Decimal("1.5")),
    ]


def test_an_exchange_difference_is_a_line_of_its_own_against_the_payable_and_balances() -> None:
    found = fx_entries(residuals(("openai", "3.000000000001"), ("google", "-2")), ACCOUNTS)
    assert found.select(TOLD).rows() == [
        ("2026-10", "fx_residual", "7100", "google", None, Decimal(2)),
        ("2026-10", "payable", "2151", "google", Decimal(2), None),
        ("2026-10", "fx_residual", "7100", "openai", Decimal("3.000000000001"), None),
        ("2026-10", "payable", "2150", "openai", None, Decimal("3.000000000001")),
    ]
    assert found["debit_usd"].sum() == found["credit_usd"].sum()
    assert found["map_version"].unique().to_list() == ["7"]


def test_a_difference_without_an_account_is_refused_and_none_needs_none() -> None:
    nothing = AccountsFile()
    assert fx_entries(residuals(("openai", "0")), nothing).is_empty()
    assert prepaid_entries(pl.DataFrame(schema=MOVES), nothing).is_empty()
    with pytest.raises(ConfigurationError, match="no account for fx_residual"):
        fx_entries(residuals(("openai", "1")), nothing)
    with pytest.raises(ConfigurationError, match="no payable account for mistral"):
        fx_entries(residuals(("mistral", "1")), ACCOUNTS)
