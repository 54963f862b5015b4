"""Prepaid credit: first bought first used, conserved."""

from datetime import date, timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.analytics.billing import at, traced

from tokenpnl_analytics.capacity.prepaid import balances, in_month, moves, usage_by_day
from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.rules.commitments import Prepaid

OCT = date(2026, 10, 1)
USAGE = {"provider": pl.String, "day": pl.Date, "usd": MONEY}


def credit(name: str, amount: str, day: int = 1, **told: object) -> Prepaid:
    return Prepaid.model_validate(
        {"name": name, "provider": "openai", "amount": amount, "bought_on": OCT + timedelta(days=day - 1)} | told
    )


def used(*days: tuple[int, str], provider: str = "openai") -> pl.DataFrame:
    rows = [(provider, OCT + timedelta(days=day - 1), Decimal(usd)) for day, usd in days]
    return pl.DataFrame(rows, schema=USAGE, orient="row")


def left(*entries: Prepaid, usage: pl.DataFrame, until: int = 31) -> list[tuple[object, ...]]:
    found = balances(entries, usage, as_of=OCT + timedelta(days=until - 1))
    return found.select("name", "bought_usd", "used_usd", "expired_usd", "balance_usd").rows()


def test_the_first_bought_is_used_first_and_usage_before_the_purchase_takes_none() -> None:
    entries = [credit("second", "10", 3), credit("first", "5", 2)]
    assert left(*entries, usage=used((1, "100"), (3, "7"))) == [
        ("first", Decimal(5), Decimal(5), Decimal(0), Decimal(0)),
        ("second", Decimal(10), Decimal(2), Decimal(0), Decimal(8)),
    ]


def test_what_is_left_after_the_last_day_has_expired() -> None:
    short = credit("short", "5", expires=OCT + timedelta(days=9))
    assert left(short, usage=used((10, "2"), (11, "2"))) == [("short", Decimal(5), Decimal(2), Decimal(3), Decimal(0))]
    assert left(short, usage=used((10, "2")), until=10) == [("short", Decimal(5), Decimal(2), Decimal(0), Decimal(3))]


def test_another_provider_takes_nothing_and_a_foreign_currency_is_worth_its_rate() -> None:
    euro = credit("euro", "10", currency="EUR", usd_rate="1.1")
    assert left(euro, usage=used((2, "4"), provider="google")) == [
        ("euro", Decimal(11), Decimal(0), Decimal(0), Decimal(11))
    ]
    with pytest.raises(ValidationError, match="needs usd_rate"):
        credit("euro", "10", currency="EUR")


def test_credit_pays_contracted_usage_and_neither_fees_nor_what_a_commitment_serves() -> None:
    usage = {"contracted_cost_usd": Decimal(3), "usd": "1"}
    lines = traced(
        usage,
        usage | {"cost_source": "commitment"},
        usage | {"usage_kind": "fee"},
        usage | {"started_at": at(8), "provider": None},
    )
    assert usage_by_day(lines).rows() == [("openai", date(2026, 10, 7), Decimal(3))]


AMOUNTS = st.decimals("0.000000000001", "1000", places=12)
CREDITS = st.lists(st.tuples(AMOUNTS, st.integers(1, 31), st.none() | st.integers(0, 20)), max_size=5)
DAYS = st.lists(st.tuples(st.integers(1, 31), AMOUNTS), max_size=12, unique_by=lambda day: day[0])


@given(CREDITS, DAYS, st.integers(1, 40))
def test_bought_is_used_and_expired_and_left_to_the_last_digit(
    bought: list[tuple[Decimal, int, int | None]], days: list[tuple[int, Decimal]], until: int
) -> None:
    entries = [
        credit(
            str(place),
            str(amount),
            day,
            **({"expires": OCT + timedelta(days=day - 1 + life)} if life is not None else {}),
        )
        for place, (amount, day, life) in enumerate(bought)
    ]
    usage = used(*((day, str(usd)) for day, usd in days))
    found = balances(entries, usage, as_of=OCT + timedelta(days=until - 1))
    assert (found["bought_usd"] == found["used_usd"] + found["expired_usd"] + found["balance_usd"]).all()
    assert (found["balance_usd"] >= 0).all()
    assert found["used_usd"].sum() <= usage["usd"].sum()
    everything = moves(entries, usage, as_of=OCT + timedelta(days=until - 1))
    assert (everything["usd"] > 0).all()


def test_a_month_tells_what_was_used_and_expired_in_it_and_what_is_left_at_its_end() -> None:
    entries = [credit("old", "10", expires="2026-10-31"), credit("new", "50", 40)]
    usage = used((5, "4"), (40, "8"))
    october = in_month(entries, usage, first=OCT, last=date(2026, 10, 31))
    assert october.rows() == [("old", "openai", Decimal(10), Decimal(4), Decimal(6), Decimal(0))]
    november = in_month(entries, usage, first=date(2026, 11, 1), last=date(2026, 11, 30))
    assert november.rows() == [("new", "openai", Decimal(50), Decimal(8), Decimal(0), Decimal(42))]


def test_credit_that_is_neither_used_nor_bought_in_a_month_keeps_its_balance() -> None:
    found = in_month([credit("kept", "10")], used(), first=date(2026, 12, 1), last=date(2026, 12, 31))
    assert found.rows() == [("kept", "openai", Decimal(0), Decimal(0), Decimal(0), Decimal(10))]
