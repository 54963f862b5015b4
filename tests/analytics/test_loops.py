"""Loops: the same work again, one after the other, in one run and step."""

from typing import Any

from tests.analytics.spans import chat, frame, run, span

from tokenpnl_analytics.resolving.resolve import resolve

ASKED = {"prompt_hash": "p"}
USED = {"operation": "tool", "tool_name": "search", "arguments_hash": "a", "fee_usd": 1, "step_name": "find"}


def looped(*rows: dict[str, Any]) -> list[bool]:
    return resolve(frame(run(), *rows)).attempts.sort("started_at")["looped"].to_list()


def looped_fees(*rows: dict[str, Any]) -> list[bool]:
    return resolve(frame(run(), *rows)).fees["looped"].to_list()


def test_the_same_prompt_again_is_a_loop_from_the_second_on() -> None:
    rows = chat("a", "run", **ASKED), chat("b", "run", at=2, **ASKED), chat("c", "run", at=4, **ASKED)
    assert looped(*rows) == [False, True, True]


def test_sampling_polling_and_other_prompts_are_no_loop() -> None:
    assert looped(chat("a", "run", **ASKED), chat("b", "run", at=0.5, **ASKED)) == [False, False]
    results = chat("a", "run", output_hash="x", **ASKED), chat("b", "run", at=2, output_hash="y", **ASKED)
    assert looped(*results) == [False, False]
    assert looped(chat("a", "run", **ASKED), chat("b", "run", at=2, prompt_hash="q")) == [False, False]
    assert looped(chat("a", "run"), chat("b", "run", at=2)) == [False, False]


def test_the_same_prompt_in_another_step_or_run_is_no_loop() -> None:
    rows = span("s", "run", step_name="other", took=9), chat("a", "run", **ASKED), chat("b", "s", at=2, **ASKED)
    assert looped(*rows) == [False, False]
    other = run("run2", trace_id="t2"), chat("b", "run2", trace_id="t2", at=2, **ASKED)
    assert looped(chat("a", "run", **ASKED), *other) == [False, False]


def test_a_retry_is_no_loop() -> None:
    failed = chat("a", "run", usage=None, status_code="error", error_type="500", **ASKED)
    assert looped(failed, chat("b", "run", at=2, **ASKED)) == [False, False]


def test_the_same_tool_call_again_is_a_loop() -> None:
    assert looped_fees(span("a", "run", **USED), span("b", "run", at=2, **USED)) == [False, True]


def test_a_tool_that_then_worked_or_found_something_else_is_no_loop() -> None:
    mended = span("a", "run", **USED, status_code="error"), span("b", "run", at=2, **USED)
    assert looped_fees(*mended) == [False, False]
    polled = span("a", "run", **USED, output_hash="x"), span("b", "run", at=2, **USED, output_hash="y")
    assert looped_fees(*polled) == [False, False]
