"""A home tells its bookkeeper which prices hold when: new ones from now on, old ones for what was used before."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tokenpnl_analytics.pricing.quote import quote
from tokenpnl_dashboard.rules.instructions import HomeInstructions, instructions_of
from tokenpnl_ingest.home import Home

BEFORE = datetime(2026, 1, 5, tzinfo=UTC)
CHEAPER = """
rules:
  - match: {provider: openai, model: gpt-4o}
    discount_pct: 20
    source: MSA-1
"""


def price_at(told: HomeInstructions, at: datetime) -> Decimal | None:
    """Return what a million output tokens of gpt-4o cost."""
    usage = {"provider": "openai", "model": "gpt-4o", "at": at, "usage": {"output_text": 1_000_000}}
    return quote([usage], told.policy().card)[0].cost_usd


def write(home: Home, name: str, text: str) -> None:
    home.config.mkdir(exist_ok=True)
    (home.config / name).write_text(text)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path)


def test_the_first_prices_of_a_home_hold_always(home: Home) -> None:
    write(home, "contract.yaml", CHEAPER)
    with instructions_of(home) as told:
        assert price_at(told, BEFORE) == price_at(told, datetime.now(UTC)) == Decimal(8)


def test_a_new_contract_holds_for_usage_from_now_on_and_not_before(home: Home) -> None:
    with instructions_of(home) as told:
        assert price_at(told, BEFORE) == Decimal(10)
        write(home, "contract.yaml", CHEAPER)
        assert price_at(told, datetime.now(UTC) + timedelta(minutes=1)) == Decimal(8)
        assert price_at(told, BEFORE) == Decimal(10)
    with instructions_of(home) as again:
        assert price_at(again, BEFORE) == Decimal(10)


def test_a_contract_that_is_taken_back_ends_from_then_on(home: Home) -> None:
    with instructions_of(home) as told:
        price_at(told, BEFORE)
        write(home, "contract.yaml", CHEAPER)
        price_at(told, BEFORE)
        (home.config / "contract.yaml").unlink()
        assert price_at(told, datetime.now(UTC) + timedelta(minutes=1)) == Decimal(10)


def test_a_broken_file_leaves_the_last_good_prices_and_says_so(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    write(home, "contract.yaml", CHEAPER)
    with instructions_of(home) as told:
        assert price_at(told, BEFORE) == Decimal(8)
        write(home, "contract.yaml", "rules: [{discount: 1}]")
        assert price_at(told, BEFORE) == Decimal(8)
    assert "contract.yaml:1" in caplog.text


def test_a_restart_with_broken_files_goes_on_with_the_last_good_rules(home: Home) -> None:
    write(home, "gpus.yaml", "pools: [{name: house, usd_per_hour: 3.6, replicas: 1, match: {provider: vllm}}]")
    write(home, "outcomes.yaml", "workflows: [{workflow: desk, owner: ann, success: it is answered, window: 4d}]")
    with instructions_of(home) as told:
        capacity, outcome_rules = told.capacity(), told.policy().outcome_rules
    write(home, "gpus.yaml", "pools: [{name: house")
    write(home, "outcomes.yaml", "workflows: [{workflow: desk")
    with instructions_of(home) as again:
        assert capacity
        assert again.capacity().digest == capacity.digest
        assert again.policy().outcome_rules == outcome_rules


def test_a_request_to_book_again_is_open_until_it_is_done(home: Home) -> None:
    with instructions_of(home) as told:
        told._control.request_rebook(BEFORE, None, "new contract", actor="ann")
        (request,) = told.rebooks()
        assert (request.since, request.until) == (BEFORE, None)
        told.finish(request)
        assert told.rebooks() == []


def test_another_definition_of_success_books_everything_again_once(home: Home) -> None:
    with instructions_of(home) as told:
        told.policy()
        assert told.rebooks() == []
        write(home, "outcomes.yaml", "workflows: [{workflow: desk, owner: ann, success: resolved, window: 2d}]")
        told.policy()
    with instructions_of(home) as again:
        again.policy()
        (request,) = again.rebooks()
        assert (request.since, request.until) == (None, None)


def test_files_that_change_while_nothing_new_arrives_are_read(home: Home) -> None:
    with instructions_of(home) as told:
        assert told.rebooks() == []
        write(home, "contract.yaml", CHEAPER)
        assert price_at(told, BEFORE) == Decimal(8)
    (home.config / "contract.yaml").unlink()
    write(home, "outcomes.yaml", "workflows: [{workflow: desk, owner: ann, success: resolved, window: 2d}]")
    with instructions_of(home) as again:
        (request,) = again.rebooks()
        assert (request.since, request.until) == (None, None)
        since = datetime.now(UTC)
        assert (price_at(again, BEFORE), price_at(again, since)) == (Decimal(8), Decimal(10))
