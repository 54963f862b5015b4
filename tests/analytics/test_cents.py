"""A journal in cents: everything that held with twelve decimals still holds."""

from decimal import Decimal

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from tests.analytics.line_rows import START, lines_of

from tokenpnl_analytics.finance.cents import in_cents
from tokenpnl_analytics.finance.gl import journal
from tokenpnl_analytics.rules.accounts import ACCOUNTS, TEMPLATE

USUAL = ACCOUNTS.parse(TEMPLATE)
_NET = pl.col("debit_usd").fill_null(0).cast(pl.Decimal(38, 12)) - pl.col("credit_usd").fill_null(0)


def test_parts_of_a_month_share_its_cents_by_largest_remainder() -> None:
    # Together 0.999, so a dollar. Rounded down they are 0.99; the cent goes to the largest rest.
    lines = lines_of(
        {"usd": "0.334", "environment": "production"},
        {"usd": "0.333", "environment": "dev"},
        {"usd": "0.332", "workflow": "internal_wiki"},
    )
    found = in_cents(journal(lines, USUAL))
    expense = found.filter(entry="expense").select("account", "debit_usd").rows()
    assert expense == [("5100", Decimal("0.34")), ("6110", Decimal("0.33")), ("6200", Decimal("0.33"))]
    assert found.filter(entry="payable")["credit_usd"].to_list() == [Decimal("1.00")]


def test_providers_of_a_few_tenths_of_a_cent_add_up_to_what_they_come_to_together() -> None:
    lines = lines_of({"usd": "0.004"}, {"usd": "0.004", "provider": "anthropic"}, {"usd": "0.004", "provider": "x"})
    found = in_cents(journal(lines, USUAL))
    assert found.select("provider", "debit_usd").drop_nulls().rows() == [("anthropic", Decimal("0.01"))]
    assert found.select(_NET.sum()).item() == 0


def test_nothing_to_post_is_nothing_in_cents() -> None:
    assert in_cents(journal(lines_of(), USUAL)).is_empty()


_LINE = st.fixed_dictionaries(
    {
        "usd": st.decimals("-50", "50", places=12) | st.decimals("-0.02", "0.02", places=3),
        "workflow": st.sampled_from(["a", "internal_b", None]),
        "environment": st.sampled_from(["production", "dev"]),
        "provider": st.sampled_from(["openai", "anthropic", None]),
        "usage_kind": st.sampled_from(["output_text", "gpu_time"]),
        "started_at": st.sampled_from([START, START.replace(month=10)]),
    }
)


@given(st.lists(_LINE, max_size=20))
def test_debits_equal_credits_and_a_month_is_off_by_half_a_cent_at_most(drawn: list[dict[str, object]]) -> None:
    exact = journal(lines_of(*drawn), USUAL)
    found = in_cents(exact)
    balances = found.group_by("period", "origin_period", "provider").agg(_NET.sum().alias("net"))
    assert (balances["net"] == 0).all()
    expense = [
        dict(frame.filter(entry="expense").group_by("period").agg(_NET.sum().alias("net")).rows())
        for frame in (exact, found)
    ]
    for period, whole in expense[0].items():
        assert abs(whole - expense[1].get(period, 0)) <= Decimal("0.005")
