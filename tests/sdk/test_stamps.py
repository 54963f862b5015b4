import pytest
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind

import tokenpnl
from tokenpnl.testing import Recording


def foreign(recorded: Recording, kind: SpanKind = SpanKind.CLIENT, **attributes: str) -> dict[str, object]:
    """Return the attributes of a span that another library makes here."""
    told = {name.replace("__", "."): value for name, value in attributes.items()}
    with recorded.provider.get_tracer("other.library").start_as_current_span("foreign", kind=kind, attributes=told):
        pass
    return dict(recorded.spans[-1].attributes)


def test_a_span_of_any_library_inside_a_run_is_stamped_and_is_no_run(recorded: Recording) -> None:
    with tokenpnl.workflow("a", run_id="r-1", customer="acme", feature="inbox", user="u"):
        told = foreign(recorded, gen_ai__operation__name="chat")
    assert told == {
        "gen_ai.operation.name": "chat",
        "tokenpnl.run.id": "r-1",
        "tokenpnl.customer.id": "acme",
        "tokenpnl.feature": "inbox",
    }


def test_a_span_outside_of_a_run_is_left_alone(recorded: Recording) -> None:
    assert foreign(recorded) == {}


def test_what_a_library_says_itself_stays(recorded: Recording) -> None:
    with tokenpnl.workflow("a", customer="acme"):
        told = foreign(recorded, tokenpnl__customer__id="other")
    assert told["tokenpnl.customer.id"] == "other"


def test_the_context_that_a_library_passes_decides(recorded: Recording) -> None:
    with tokenpnl.workflow("a"):
        recorded.provider.get_tracer("other").start_span("apart", context=Context()).end()
    assert dict(recorded.span("apart").attributes) == {}


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"gen_ai__operation__name": "chat"},
        {"gen_ai__operation__name": "chat", "http__request__method": "POST"},
        {"openinference__span__kind": "LLM"},
        {"llm__request__type": "chat"},
    ],
)
def test_a_model_span_of_any_library_inside_an_attempt_is_stamped(
    recorded: Recording, attributes: dict[str, str]
) -> None:
    for attempt in tokenpnl.attempts(call_id="c-1"):
        with attempt:
            told = foreign(recorded, **attributes)
    stamps = {"tokenpnl.call.id": "c-1", "tokenpnl.attempt.number": 1, "tokenpnl.attempt.reason": "first"}
    assert stamps.items() <= told.items()


@pytest.mark.parametrize(
    "attributes",
    [
        {"http__request__method": "POST"},
        {"gen_ai__operation__name": "execute_tool"},
        {"openinference__span__kind": "CHAIN"},
        {"traceloop__span__kind": "task"},
        {"db__system": "postgresql"},
    ],
)
def test_other_work_inside_an_attempt_is_no_attempt(recorded: Recording, attributes: dict[str, str]) -> None:
    for attempt in tokenpnl.attempts():
        with attempt:
            told = foreign(recorded, **attributes)
    assert "tokenpnl.attempt.number" not in told


def test_a_server_span_inside_an_attempt_is_no_attempt(recorded: Recording) -> None:
    for attempt in tokenpnl.attempts():
        with attempt:
            assert "tokenpnl.attempt.number" not in foreign(recorded, SpanKind.SERVER)


def test_a_verdict_reaches_the_open_span_of_another_library(recorded: Recording) -> None:
    for attempt in tokenpnl.attempts(1):
        with attempt, recorded.provider.get_tracer("other").start_as_current_span("chat", kind=SpanKind.CLIENT):
            attempt.reject(schema="Invoice")
    assert recorded.span("chat").attributes["tokenpnl.output.valid"] is False
