"""The bookkeeper on a real store: what arrives in pieces, twice, late or across a restart ends in the same books."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analytics.desk import START_NS, Desk, call, desk_at, run, traces

from tokenpnl.errors import StoreMemoryError
from tokenpnl.tables import DERIVED
from tokenpnl_analytics.capacity.keeping import CapacityRules
from tokenpnl_analytics.ledger import Bookkeeper, Policy, Rebook, Standing
from tokenpnl_analytics.pricing.ratecard import default_rate_card
from tokenpnl_analytics.rules.outcomes import OUTCOMES as OUTCOME_RULES
from tokenpnl_ingest.otlp import Signal


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_at(tmp_path / "home") as opened:
        yield opened


def books(desk: Desk) -> dict[str, list[dict[str, Any]]]:
    return {table.name: desk.table(table.name).to_dicts() for table in DERIVED}


def test_a_run_is_booked_once_its_spans_are_loaded(desk: Desk) -> None:
    desk.take([run(1, "r1"), call(1, 1, parent=0)])
    (booked,) = desk.table("runs").to_dicts()
    # 1,001 tokens at $0.15 and 101 at $0.60 a million.
    assert (booked["run_id"], booked["n_calls"], booked["cost_usd"]) == ("r1", 1, Decimal("0.00021075"))


def test_an_outcome_that_comes_later_moves_the_cost_of_its_run(desk: Desk) -> None:
    desk.take([run(1, "r1"), call(1, 1, parent=0)])
    assert set(desk.table("line_items")["cost_category"]) == {"pending"}
    desk.tell("r1", "failure")
    assert set(desk.table("line_items")["cost_category"]) == {"failed_run"}


def test_an_outcome_that_comes_first_waits_for_its_run(desk: Desk) -> None:
    desk.tell("r1", "success")
    desk.take([run(1, "r1"), call(1, 1, parent=0)])
    assert desk.table("runs")["outcome"].to_list() == ["success"]


def test_a_call_that_a_second_library_reports_in_another_trace_counts_once(desk: Desk) -> None:
    desk.take([call(1, 1, **{"gen_ai.response.id": "resp-1"})])
    repeated = call(1, 1, **{"gen_ai.response.id": "resp-1"})
    desk.take([{**repeated, "scope": "other", "traceId": f"{9:032x}", "spanId": f"{9:016x}"}])
    assert desk.table("attempts").height == 1
    assert desk.table("duplicates").height == 1
    assert desk.table("runs").height == 1


def test_the_books_go_on_from_their_mark_after_a_restart(tmp_path: Path) -> None:
    with desk_at(tmp_path) as first:
        first.collector.submit(Signal.TRACES, traces([run(1, "r1"), call(1, 1, parent=0)]), "application/json").result(
            30
        )
    with desk_at(tmp_path) as second:
        assert second.collector.drain(30)
        assert second.keeper.catch_up() == 1
        assert second.keeper.catch_up() == 0
        assert second.table("runs").height == 1


class HoledKeys(dict[tuple[str, str, str], int]):
    """The keys of a rate card that fails on one model, as a fault in the books would."""

    def get(self, key: Any, default: Any = None) -> Any:
        if "gpt-4.1" in key:
            raise ZeroDivisionError("a fault of ours")
        return super().get(key, default)


def test_a_trace_that_cannot_be_booked_does_not_stop_the_others(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    card = default_rate_card()
    desk.keeper = Bookkeeper(desk.collector.store, Standing(Policy(replace(card, keys=HoledKeys(card.keys)))))
    spans = [one for trace in range(1, 6) for one in (run(trace, f"run-{trace}"), call(trace, 1, parent=0))]
    desk.take([*spans, run(6, "run-6"), call(6, 1, parent=0, **{"gen_ai.request.model": "gpt-4.1"})])
    assert sorted(desk.table("runs")["run_id"]) == [f"run-{trace}" for trace in range(1, 6)]
    assert f"{6:032x}" in caplog.text
    (left_out,) = desk.table("unbooked").to_dicts()
    assert (left_out["trace_id"], left_out["reason"]) == (f"{6:032x}", "ZeroDivisionError: a fault of ours")
    assert desk.keeper.catch_up() == 0
    desk.keeper = Bookkeeper(desk.collector.store, Standing(Policy(card)))
    desk.take([call(6, 2, parent=0)])
    assert desk.table("unbooked").is_empty()


class NarrowKeys(dict[tuple[str, str, str], int]):
    """The keys of a rate card in a process whose memory is too small once."""

    asked = 0

    def get(self, key: Any, default: Any = None) -> Any:
        NarrowKeys.asked += 1
        if NarrowKeys.asked == 1:
            raise StoreMemoryError("not enough memory")
        return super().get(key, default)


def test_a_round_that_is_too_large_for_the_store_is_taken_in_halves(desk: Desk) -> None:
    card = default_rate_card()
    desk.keeper = Bookkeeper(desk.collector.store, Standing(Policy(replace(card, keys=NarrowKeys(card.keys)))))
    desk.take([one for trace in range(1, 5) for one in (run(trace, f"run-{trace}"), call(trace, 1, parent=0))])
    assert sorted(desk.table("runs")["run_id"]) == [f"run-{trace}" for trace in range(1, 5)]
    assert desk.table("unbooked").is_empty()


class Requested:
    """Instructions whose policy changes, with requests to book again."""

    def __init__(self, policy: Policy) -> None:
        self.now = policy
        self.open: list[Rebook] = []

    def policy(self) -> Policy:
        return self.now

    def capacity(self) -> CapacityRules:
        return CapacityRules()

    def rebooks(self) -> Sequence[Rebook]:
        return list(self.open)

    def finish(self, rebook: Rebook) -> None:
        self.open.remove(rebook)


def test_a_new_policy_changes_what_is_booked_only_on_request_and_only_in_its_span(desk: Desk) -> None:
    card = default_rate_card()
    told = Requested(Policy(card))
    desk.keeper = Bookkeeper(desk.collector.store, told)
    desk.take([run(1, "r1"), call(1, 1, parent=0)])
    told.now = Policy(replace(card, rates=card.rates.with_columns(pl.col("usd_per_million") * 2)))
    assert desk.keeper.catch_up() == 0
    begun = datetime.fromtimestamp(START_NS / 1e9, UTC)
    told.open = [Rebook(1, begun + timedelta(days=1), None)]
    assert desk.keeper.catch_up() == 0
    assert desk.table("runs")["cost_usd"].to_list() == [Decimal("0.00021075")]
    told.open = [Rebook(2, begun - timedelta(days=1), begun + timedelta(days=1))]
    assert desk.keeper.catch_up() == 1
    assert desk.table("runs")["cost_usd"].to_list() == [Decimal("0.00042150")]
    assert told.open == []


def test_a_rule_gives_the_outcome_of_a_run_from_its_own_attributes(desk: Desk) -> None:
    text = """
workflows:
  - {workflow: "*", owner: ann, success: resolved, version: "1", rules: [
      {when: {attribute: ticket.state, equals: resolved}, outcome: success}]}
"""
    rules = OUTCOME_RULES.parse(text)
    desk.keeper = Bookkeeper(desk.collector.store, Standing(Policy(default_rate_card(), rules)))
    desk.take([run(1, "r1", **{"ticket.state": "resolved"}), call(1, 1, parent=0), run(2, "r2"), call(2, 1, parent=0)])
    told = desk.table("runs").select("run_id", "outcome", "outcome_source").rows()
    assert told == [("r1", "success", "rule"), ("r2", None, None)]


def test_a_keeper_on_its_own_thread_follows_what_is_loaded(desk: Desk) -> None:
    desk.keeper.start()
    desk.collector.submit(Signal.TRACES, traces([run(1, "r1"), call(1, 1, parent=0)]), "application/json").result(30)
    assert desk.collector.drain(30)
    desk.keeper.wake()
    desk.keeper.close()
    desk.keeper.catch_up()
    assert desk.table("runs").height == 1


TWO_RUNS = [
    run(1, "r1"),
    call(1, 1, parent=0, **{"gen_ai.response.id": "a"}),
    call(1, 2, parent=0, **{"gen_ai.response.id": "b"}),
    run(2, "r2"),
    call(2, 1, parent=0, **{"gen_ai.response.id": "c"}),
    {**call(2, 1, **{"gen_ai.response.id": "c"}), "scope": "other", "traceId": f"{3:032x}", "spanId": f"{3001:016x}"},
    call(4, 1),
]
Action = Callable[[Desk], None]


@st.composite
def arrivals(draw: st.DrawFn) -> list[Action]:
    """Return the spans in any order and batching, some again, the outcomes anywhere between them."""
    order = draw(st.permutations(TWO_RUNS)) + draw(st.lists(st.sampled_from(TWO_RUNS), max_size=4))
    cuts = sorted(draw(st.sets(st.integers(1, len(order) - 1), max_size=3)))
    batches = [order[start:end] for start, end in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    actions: list[Action] = [lambda desk, batch=batch: desk.take(batch) for batch in batches]
    for told in (("r1", "failure", "2026-11-20T00:00:00Z"), ("r1", "success", "2026-11-21T00:00:00Z")):
        actions.insert(draw(st.integers(0, len(actions))), lambda desk, told=told: desk.tell(*told))
    return actions


@pytest.fixture(scope="module")
def whole() -> dict[str, list[dict[str, Any]]]:
    with TemporaryDirectory() as folder, desk_at(Path(folder)) as desk:
        desk.take(TWO_RUNS)
        desk.tell("r1", "failure", "2026-11-20T00:00:00Z")
        desk.tell("r1", "success", "2026-11-21T00:00:00Z")
        return books(desk)


@settings(max_examples=6, deadline=None)
@given(actions=arrivals())
def test_order_batching_and_repetition_of_arrival_change_nothing(
    whole: dict[str, list[dict[str, Any]]], actions: list[Action]
) -> None:
    with TemporaryDirectory() as folder, desk_at(Path(folder)) as desk:
        for act in actions:
            act(desk)
        assert books(desk) == whole


def test_the_whole_is_two_runs_and_five_calls_of_which_one_is_nobodys(whole: dict[str, list[dict[str, Any]]]) -> None:
    assert len(whole["attempts"]) == 4
    assert len(whole["duplicates"]) == 1
    assert [row["outcome"] for row in whole["runs"] if row["run_id"] == "r1"] == ["success"]
