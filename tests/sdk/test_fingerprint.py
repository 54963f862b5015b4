from collections import deque
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessage

from tokenpnl.fingerprint import chained_blocks, fingerprint, message_fingerprints
from tokenpnl.state import state


def test_equal_content_has_equal_fingerprints_whatever_the_order_of_keys() -> None:
    assert fingerprint({"q": "refund", "k": 3}) == fingerprint({"k": 3, "q": "refund"})


def test_a_fingerprint_is_short_and_shows_no_content() -> None:
    assert len(fingerprint("refund")) == 32
    assert "refund" not in fingerprint("refund")


def test_the_tenants_key_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "fingerprint_key", None)
    monkeypatch.setenv("TOKENPNL_FINGERPRINT_KEY", "one")
    first = fingerprint("refund")
    monkeypatch.setenv("TOKENPNL_FINGERPRINT_KEY", "two")
    assert fingerprint("refund") != first


def test_without_a_key_fingerprints_are_still_equal_across_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "fingerprint_key", None)
    monkeypatch.delenv("TOKENPNL_FINGERPRINT_KEY", raising=False)
    assert fingerprint("refund") == "b0a97c870f87f7b470226814e23615e5"


def test_a_clients_object_has_the_fingerprint_of_its_json() -> None:
    message = ChatCompletionMessage(role="assistant", content="hi")
    assert fingerprint([message]) == fingerprint([{"role": "assistant", "content": "hi"}])


def test_an_object_of_unknown_kind_does_not_change_the_fingerprint_by_its_address() -> None:
    assert fingerprint({"client": object()}) == fingerprint({"client": object()})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Decimal("1.5"), Decimal("1.6")),
        (date(2026, 11, 24), date(2026, 11, 25)),
        (Path("a.pdf"), Path("b.pdf")),
        (Fraction(1, 2), Fraction(1, 3)),
    ],
)
def test_values_that_json_does_not_know_differ_by_their_content(one: object, other: object) -> None:
    assert fingerprint({"value": one}) != fingerprint({"value": other})


def test_an_iterator_is_not_read_for_its_fingerprint() -> None:
    rows = iter(["a", "b"])
    fingerprint({"rows": rows})
    assert list(rows) == ["a", "b"]


def test_a_set_has_one_fingerprint_whatever_its_order() -> None:
    assert fingerprint({"b", "a", "c"}) == fingerprint({"c", "b", "a"}) == fingerprint(["a", "b", "c"])


@given(st.text(max_size=3000), st.text(max_size=3000), st.text(max_size=3000))
def test_prompts_share_first_blocks_exactly_as_long_as_they_share_text(head: str, one: str, two: str) -> None:
    left, right = head + one, head + two
    common = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    shared = [a for a, b in zip(chained_blocks(left), chained_blocks(right), strict=False) if a == b]
    assert len(shared) == common // 512


def test_a_chat_that_goes_on_keeps_the_blocks_before() -> None:
    tools = [{"name": "search", "description": "d" * 2000}]
    first = {"messages": [{"role": "user", "content": "a" * 600}], "tools": tools, "model": "m"}
    longer = {"model": "m", "tools": tools, "messages": [*first["messages"], {"role": "user", "content": "b" * 600}]}
    before, after = chained_blocks(first), chained_blocks(longer)
    assert len(before) > 4
    assert after[: len(before) - 1] == before[:-1]


def test_a_huge_prompt_has_a_bounded_number_of_blocks() -> None:
    assert len(chained_blocks("x" * 1_000_000)) == 512


def test_bytes_and_foreign_containers_have_fingerprints_of_their_content() -> None:
    assert fingerprint({"image": b"one"}) != fingerprint({"image": b"two"})
    assert fingerprint({"k": MappingProxyType({"a": 1})}) == fingerprint({"k": {"a": 1}})
    assert fingerprint({"k": deque([1, 2])}) == fingerprint({"k": [1, 2]})


def test_an_answer_is_found_again_among_the_messages_of_a_later_prompt() -> None:
    later = {
        "system": "Be brief.",
        "tools": [{"name": "search"}],
        "messages": [{"role": "user", "content": "q"}, ChatCompletionMessage(role="assistant", content="the answer")],
    }
    assert message_fingerprints(later) == [fingerprint("Be brief."), fingerprint("q"), fingerprint("the answer")]


@pytest.mark.parametrize(
    "prompt",
    [
        ["one", "two"],
        [{"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]}],
        {"contents": [{"role": "user", "parts": [{"text": "one"}, {"text": "two"}]}], "model": "gemini-2.5-pro"},
        {"instructions": "one", "input": "two"},
    ],
    ids=["texts", "parts", "gemini", "responses"],
)
def test_every_message_has_the_fingerprint_of_its_text_in_every_shape(prompt: object) -> None:
    assert message_fingerprints(prompt) == [fingerprint("one"), fingerprint("two")]


def test_what_is_not_text_counts_as_one_message() -> None:
    call = {"type": "tool_use", "name": "search", "input": {"q": "refund"}}
    assert message_fingerprints([{"role": "assistant", "content": [call]}]) == [fingerprint(call)]
    silent = {"role": "assistant", "content": None, "tool_calls": []}
    assert message_fingerprints([silent]) == [fingerprint(silent)]


def test_one_plain_text_has_no_messages_and_a_long_conversation_its_last_ones() -> None:
    assert message_fingerprints("refund") == []
    assert message_fingerprints([f"m{k}" for k in range(100)]) == [fingerprint(f"m{k}") for k in range(36, 100)]
