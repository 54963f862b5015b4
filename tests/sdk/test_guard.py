import logging
from typing import Any

import pytest

import tokenpnl
from tokenpnl import guard
from tokenpnl.blocks import Block
from tokenpnl.guard import Shield, guarded
from tokenpnl.recorder import Step
from tokenpnl.testing import Recording, reraise


@pytest.fixture(autouse=True)
def _as_in_production(recorded: Recording) -> object:
    guard._reported.clear()
    with reraise(wanted=False):
        yield


def test_a_fault_of_ours_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "tokenpnl"):
        for _ in range(3):
            with Shield("test the guard"):
                raise RuntimeError("ours")
    assert [record.getMessage() for record in caplog.records] == [
        "tokenpnl could not test the guard (said once; the program goes on)"
    ]


def test_a_fault_of_ours_is_raised_when_a_test_wants_it() -> None:
    with pytest.raises(RuntimeError), reraise(), Shield("test the guard"):
        raise RuntimeError


def test_an_interrupt_is_never_held_back() -> None:
    with pytest.raises(KeyboardInterrupt), Shield("test the guard"):
        raise KeyboardInterrupt


def test_a_guarded_function_answers_its_default() -> None:
    @guarded("answer", 7)
    def broken() -> int:
        raise RuntimeError

    assert broken() == 7


def test_a_block_that_cannot_start_gives_a_dead_handle_and_the_host_runs_on() -> None:
    def broken() -> Step:
        raise RuntimeError

    with Block(Step, broken) as step:
        step.set("a", 1).cost_usd("2")
    assert Block(Step, broken)(lambda: "answer")() == "answer"


@pytest.mark.parametrize("nonsense", [object(), {"usage": 7}, {"usage": {"prompt_tokens": "many"}}, None, 3, "text"])
def test_a_broken_response_never_reaches_the_host(nonsense: object) -> None:
    with tokenpnl.llm_call("openai", "gpt-5") as call:
        call.record(nonsense)


def test_a_response_whose_members_raise_never_reaches_the_host(recorded: Recording) -> None:
    class Hostile:
        def __getattr__(self, name: str) -> object:
            raise RuntimeError(name)

    with tokenpnl.llm_call("openai", "gpt-5") as call:
        call.record(Hostile()).prompt(Hostile())
    assert recorded.span("chat gpt-5").end_time is not None


def test_wrong_arguments_of_the_verbs_never_reach_the_host(recorded: Recording) -> None:
    with tokenpnl.workflow("a") as run:
        run.outcome("splendid")
        run.outcome("success", value_usd="much")
        run.cost_usd("much")
        tokenpnl.outcome("success", run_id="b", source="nobody")
    assert recorded.span("invoke_workflow a").events == ()
    assert recorded.logs == []


@pytest.mark.parametrize("verb", [tokenpnl.workflow, tokenpnl.step, tokenpnl.tool, tokenpnl.retrieval])
def test_attributes_that_are_no_mapping_never_reach_the_host(verb: Any) -> None:
    with verb("a", attributes=5) as handle:
        handle.set("b", 1)


def test_a_number_of_attempts_that_is_none_is_one_attempt_whose_error_is_the_hosts() -> None:
    numbers = []

    def give_up() -> None:
        for attempt in tokenpnl.attempts("many", fallback=5):  # type: ignore[arg-type]
            numbers.append(attempt.number)
            with attempt:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        give_up()
    assert numbers == [1]
