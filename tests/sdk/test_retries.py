from collections.abc import Iterator

import httpx2
import openai
import pytest
import tenacity
from opentelemetry.trace import StatusCode

import tokenpnl
from tokenpnl.testing import Recording

TIMEOUT = openai.APITimeoutError(request=httpx2.Request("POST", "http://127.0.0.1/v1"))


def story(recorded: Recording) -> list[tuple[object, object, object]]:
    """Return number, reason and model of the model spans."""
    calls = [span.attributes for span in recorded.spans if "gen_ai.request.model" in span.attributes]
    return [
        (told["tokenpnl.attempt.number"], told["tokenpnl.attempt.reason"], told["gen_ai.request.model"])
        for told in calls
    ]


def run(attempts: tokenpnl.attempts, errors: list[Exception | None]) -> None:
    failing: Iterator[Exception | None] = iter(errors)
    for attempt in attempts:
        with attempt, tokenpnl.llm_call("openai", attempt.model or "gpt-5"):
            error = next(failing)
            if error is not None:
                raise error


def test_a_call_that_succeeds_at_once_is_one_attempt(recorded: Recording) -> None:
    run(tokenpnl.attempts(), [None])
    assert story(recorded) == [(1, "first", "gpt-5")]


def test_attempts_share_the_call_and_say_why_they_were_made(recorded: Recording) -> None:
    run(tokenpnl.attempts(3), [ConnectionError(), TIMEOUT, None])
    assert story(recorded) == [(1, "first", "gpt-5"), (2, "retry", "gpt-5"), (3, "timeout", "gpt-5")]
    assert len({span.attributes["tokenpnl.call.id"] for span in recorded.spans}) == 1


def test_two_calls_have_two_ids(recorded: Recording) -> None:
    run(tokenpnl.attempts(), [None])
    run(tokenpnl.attempts(), [None])
    assert len({span.attributes["tokenpnl.call.id"] for span in recorded.spans}) == 2


def test_the_last_error_reaches_the_host(recorded: Recording) -> None:
    with pytest.raises(TimeoutError):
        run(tokenpnl.attempts(2), [ConnectionError(), TimeoutError()])
    assert [span.status.status_code for span in recorded.spans] == [StatusCode.ERROR] * 2


def test_an_error_that_no_retry_cures_reaches_the_host_at_once(recorded: Recording) -> None:
    with pytest.raises(KeyError):
        run(tokenpnl.attempts(3, retry_on=ConnectionError), [KeyError()])
    assert len(recorded.spans) == 1


def test_a_fallback_model_follows_the_first_models_attempts(recorded: Recording) -> None:
    run(tokenpnl.attempts(2, model="gpt-5", fallback=["claude-x"]), [TIMEOUT, ConnectionError(), None])
    assert story(recorded) == [(1, "first", "gpt-5"), (2, "timeout", "gpt-5"), (3, "fallback", "claude-x")]


def test_a_rejected_answer_is_asked_again_for_its_schema(recorded: Recording) -> None:
    for attempt in tokenpnl.attempts(3):
        with attempt, tokenpnl.llm_call("openai", "gpt-5"):
            if attempt.number == 1:
                attempt.reject(schema="Invoice", error="missing_total")
            else:
                attempt.accept(schema="Invoice")
    assert story(recorded) == [(1, "first", "gpt-5"), (2, "schema", "gpt-5")]
    first, second = (span.attributes for span in recorded.spans)
    assert (first["tokenpnl.output.valid"], first["tokenpnl.output.parse_error"]) == (False, "missing_total")
    assert (second["tokenpnl.output.valid"], second["tokenpnl.output.schema"]) == (True, "Invoice")


def test_a_verdict_after_the_model_span_ended_is_told_by_a_span_of_its_own(recorded: Recording) -> None:
    for attempt in tokenpnl.attempts(1):
        with attempt:
            with tokenpnl.llm_call("openai", "gpt-5"):
                pass
            attempt.reject(schema="Invoice")
    verdict, call = recorded.span("attempt verdict").attributes, recorded.span("chat gpt-5").attributes
    assert verdict["tokenpnl.call.id"] == call["tokenpnl.call.id"]
    assert (verdict["tokenpnl.attempt.number"], verdict["tokenpnl.output.valid"]) == (1, False)


def test_an_escalation_asks_the_stronger_model_for_the_same_call(recorded: Recording) -> None:
    for attempt in tokenpnl.attempts(2, model="small", escalation=["large"]):
        with attempt, tokenpnl.llm_call("openai", str(attempt.model)):
            if attempt.model == "small":
                attempt.escalate(confidence=0.3)
    assert story(recorded) == [(1, "first", "small"), (2, "escalation", "large")]
    assert recorded.spans[0].attributes["tokenpnl.confidence"] == 0.3


def test_an_escalation_with_nothing_stronger_ends_the_attempts(recorded: Recording) -> None:
    for attempt in tokenpnl.attempts(5, model="small"):
        with attempt, tokenpnl.llm_call("openai", "small"):
            attempt.escalate()
    assert len(recorded.spans) == 1


def test_an_escalation_can_name_its_model(recorded: Recording) -> None:
    models = []
    for attempt in tokenpnl.attempts(1, model="small"):
        with attempt:
            models.append(attempt.model)
            if attempt.number == 1:
                attempt.escalate(to="huge")
    assert models == ["small", "huge"]


def test_an_attempt_that_was_never_entered_ends_the_loop(recorded: Recording) -> None:
    assert len(list(tokenpnl.attempts(5))) == 1


def test_the_wait_is_asked_for_before_each_further_attempt(recorded: Recording) -> None:
    asked = []

    def wait(number: int) -> float:
        asked.append(number)
        return 0

    run(tokenpnl.attempts(3, wait=wait), [ConnectionError(), ConnectionError(), None])
    assert asked == [2, 3]


async def test_attempts_serve_async_for(recorded: Recording) -> None:
    async for attempt in tokenpnl.attempts(2, wait=lambda _: 0):
        async with tokenpnl.llm_call("openai", "gpt-5"):
            with attempt:
                if attempt.number == 1:
                    raise ConnectionError
    assert len(recorded.spans) == 2


def test_a_tool_inside_an_attempt_starts_calls_of_its_own(recorded: Recording) -> None:
    for attempt in tokenpnl.attempts():
        with attempt, tokenpnl.tool("search"), tokenpnl.llm_call("openai", "gpt-5"):
            pass
    assert "tokenpnl.attempt.number" not in recorded.span("chat gpt-5").attributes


def ask(failing: Iterator[Exception | None]) -> str:
    with tokenpnl.llm_call("openai", "gpt-5"):
        error = next(failing)
        if error is not None:
            raise error
    return "answer"


def test_tenacitys_attempts_are_stamped(recorded: Recording) -> None:
    failing = iter([TIMEOUT, ConnectionError(), None])
    retrying = tenacity.Retrying(stop=tenacity.stop_after_attempt(3), reraise=True)
    for attempt in tokenpnl.attempts.tenacity(retrying, call_id="c-1"):
        with attempt:
            ask(failing)
    assert story(recorded) == [(1, "first", "gpt-5"), (2, "timeout", "gpt-5"), (3, "retry", "gpt-5")]
    assert {span.attributes["tokenpnl.call.id"] for span in recorded.spans} == {"c-1"}


def test_tenacity_decides_when_to_give_up(recorded: Recording) -> None:
    retrying = tenacity.Retrying(stop=tenacity.stop_after_attempt(2), reraise=True)
    with pytest.raises(ConnectionError):
        tokenpnl.attempts.tenacity(retrying).wraps(ask)(iter([TIMEOUT, ConnectionError()]))
    assert len(recorded.spans) == 2


def test_tenacitys_result_predicates_see_the_answer(recorded: Recording) -> None:
    answers = iter(["bad", "good"])

    @tokenpnl.attempts.tenacity(tenacity.Retrying(retry=tenacity.retry_if_result(lambda answer: answer == "bad"))).wraps
    def fetch() -> str:
        with tokenpnl.llm_call("openai", "gpt-5"):
            return next(answers)

    assert fetch() == "good"
    assert story(recorded) == [(1, "first", "gpt-5"), (2, "retry", "gpt-5")]


async def test_tenacitys_asynchronous_attempts_are_stamped(recorded: Recording) -> None:
    failing = iter([ConnectionError(), None])

    @tokenpnl.attempts.tenacity(tenacity.AsyncRetrying(stop=tenacity.stop_after_attempt(2))).wraps
    async def fetch() -> str:
        return ask(failing)

    assert await fetch() == "answer"
    assert story(recorded) == [(1, "first", "gpt-5"), (2, "retry", "gpt-5")]
