from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest
from tests.analytics.closed_lines import line, lines_of

from tokenpnl_analytics.closing.conditions import (
    RECONCILED,
    all_mapped,
    all_priced,
    all_reconciled,
    books_done,
    conditions_frame,
    month_over,
    prepaid_posted,
)
from tokenpnl_analytics.finance.gl import unmapped
from tokenpnl_analytics.rules.accounts import ACCOUNTS

NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)
LINES = lines_of(line("a", "1"), line("b", "2", provider="anthropic"), line("c", "5", provider=None))


def reconciled(*rows: tuple[str, str, bool, str | None]) -> pl.DataFrame:
    told = [(*row[:3], None if row[3] is None else Decimal(row[3])) for row in rows]
    return pl.DataFrame(told, schema=RECONCILED, orient="row")


@pytest.mark.parametrize(("now", "over"), [(NOVEMBER, True), (datetime(2026, 10, 31, 23, 59, tzinfo=UTC), False)])
def test_a_month_is_over_at_its_end(now: datetime, over: bool) -> None:
    assert month_over("2026-10", NOVEMBER, now=now).fulfilled is over


def test_open_requests_to_book_again_are_counted() -> None:
    assert books_done(0).fulfilled
    assert books_done(2).told == "2 requests to book again are open"


def test_the_dearest_unmapped_workflows_are_named() -> None:
    lines = lines_of(line("a", "1"), line("b", "2", workflow=None), line("c", "4", workflow="night"))
    accounts = ACCOUNTS.parse('{accounts: [{workflow: desk, account: "1"}], payables: [{account: "2"}]}')
    told = all_mapped(unmapped(lines, accounts))
    assert (told.fulfilled, told.told) == (False, "6 USD fit no rule of accounts.yaml: night, (none)")
    assert all_mapped(unmapped(lines.head(1), accounts)).fulfilled


@pytest.mark.parametrize(("lacking", "fulfilled"), [(20, True), (21, False)])
def test_tokens_without_a_price_are_tolerated_up_to_a_share(lacking: int, fulfilled: bool) -> None:
    # 2% of 1,000 are 20.
    lines = lines_of(line("a", "1", quantity=1000 - lacking), line("b", None, quantity=lacking, model="gpt-9"))
    told = all_priced(lines, Decimal("0.02"), {})
    assert told.fulfilled is fulfilled
    assert told.told.startswith(f"{lacking} of 1,000 tokens have no price")


def test_a_fee_is_no_token() -> None:
    fee = line("f", None, usage_kind="fee", quantity=10**9)
    assert all_priced(lines_of(line("a", "1"), fee), Decimal(0), {}).fulfilled


def test_a_signature_stands_in_for_missing_prices() -> None:
    lines = lines_of(line("b", None, model="gpt-9"))
    assert all_priced(lines, Decimal(0), {}).told == "1,000 of 1,000 tokens have no price: gpt-9"
    signed = all_priced(lines, Decimal(0), {"unpriced": "cfo, a free preview"})
    assert (signed.fulfilled, signed.told.rpartition("; ")[2]) == (True, "signed: cfo, a free preview")


def test_every_provider_that_cost_something_needs_its_invoice() -> None:
    one = reconciled(("openai", "org-1", True, "0"))
    told = all_reconciled(LINES, one, {})
    assert (told.fulfilled, told.told) == (False, "no invoice was set against anthropic")
    assert all_reconciled(LINES, one, {"unreconciled": "ann, trial without bill"}).fulfilled
    assert all_reconciled(LINES, pl.concat([one, reconciled(("anthropic", "default", True, "0"))]), {}).fulfilled


def test_an_account_beyond_tolerance_needs_a_signature_of_its_own() -> None:
    found = reconciled(("openai", "org-1", False, "-12.5"), ("openai", "org-2", False, None))
    told = all_reconciled(LINES, found, {"unreconciled": "ann, whatever"})
    assert not told.fulfilled
    assert told.told == (
        "beyond tolerance: openai org-1 (-12.5 USD unexplained), openai org-2 (unexplained amount unknown)"
    )


def test_conditions_read_as_a_table() -> None:
    frame = conditions_frame([books_done(0), books_done(1)])
    assert frame["fulfilled"].to_list() == [True, False]
    assert frame["what_to_do"].to_list() == ["", "let the collector finish them: `tokenpnl serve`"]


def test_credit_is_told_with_what_is_left_and_what_is_to_be_written_off() -> None:
    money = {"used_usd": Decimal(4), "expired_usd": Decimal(6), "balance_usd": Decimal(0)}
    found = pl.DataFrame([{"name": "start", "provider": "openai", **money}])
    told = prepaid_posted(found, "")
    assert told.fulfilled
    assert told.told == "start (openai): 4 USD used, 6 USD expired, 0 USD left; write off what expired"
    lacking = prepaid_posted(found, "accounts.yaml has no account for prepaid")
    assert (lacking.fulfilled, lacking.remedy) == (False, "add it to accounts.yaml")
