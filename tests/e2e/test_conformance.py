"""The captured telemetry of real clients, audited: what the books say against what the provider charged."""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.conftest import SHARED_DATA, need

from tokenpnl_analytics.audit import audit
from tokenpnl_analytics.books import Books, keep_books
from tokenpnl_analytics.pricing.ratecard import default_rate_card
from tokenpnl_analytics.resolving.capture import Capture, capture_of
from tokenpnl_ingest.files import requests_in

CONFORMANCE = SHARED_DATA / "conformance"
SPLIT = {
    "input_uncached": "input_uncached_tokens",
    "input_cache_read": "cache_read_tokens",
    "input_cache_write_5m": "cache_write_5m_tokens",
    "input_cache_write_1h": "cache_write_1h_tokens",
    "input_audio": "audio_input_tokens",
    "input_image": "image_input_tokens",
    "output_text": "output_text_tokens",
    "output_reasoning": "reasoning_tokens",
    "output_audio": "audio_output_tokens",
}
NO_TELEMETRY = "the library has no spans for the Responses API: nothing was sent"
NO_USAGE = "the library drops the usage of the chat-completions model class; the calls count as usage missing"
NOTHING_SENT = "the client gave up and exited before it exported anything about the call"
HIDDEN_CALLS = "the client calls functions by itself: one span, with the usage of its last request; flagged as partial"
# Why no reader of these captures could know.
UNKNOWABLE = {
    "otel-openai-v2/responses_cached_reasoning": NO_TELEMETRY,
    "otel-openai-v2/responses_plain": NO_TELEMETRY,
    "otel-openai-v2/responses_stream": NO_TELEMETRY,
    "traceloop-openai-agents/agent_tool_chat": NO_USAGE,
    "traceloop-openai-agents/cached_chat": NO_USAGE,
    "traceloop-openai-agents/plain_chat": NO_USAGE,
    "otel-google-genai/auto_function_calling": HIDDEN_CALLS,
    "codex-cli/retry_429_ok": NOTHING_SENT,
}
UNCOUNTABLE = (NO_TELEMETRY, HIDDEN_CALLS, NOTHING_SENT)


@dataclass(frozen=True)
class Scenario:
    """One capture, what the books say of it, and what was true."""

    name: str
    audited: dict[str, Any] = field(repr=False)
    truth: dict[str, Any] = field(repr=False)

    @property
    def totals(self) -> tuple[int, int]:
        """Input and output total of the books."""
        return self.audited["usage"]["input_total"], self.audited["usage"]["output_total"]

    @property
    def true_totals(self) -> tuple[int, int]:
        """Input and output total that a client could see."""
        seen = self.truth["usage_visible_to_client_total"]
        sides = [[name for kind, name in SPLIT.items() if kind.startswith(side)] for side in ("input", "output")]
        return sum(seen[name] for name in sides[0]), sum(seen[name] for name in sides[1])

    @property
    def kinds(self) -> Iterator[tuple[str, int | None, int]]:
        """Each kind with the count of the books and the true one; providers here sell no other lifetimes."""
        seen = self.truth["usage_visible_to_client_total"]
        for kind, told in self.audited["usage"].items():
            if not kind.endswith("_total"):
                yield kind, told, seen[SPLIT[kind]] if kind in SPLIT else 0

    @property
    def wrong_kinds(self) -> list[str]:
        """Kinds that the books state and that are not so."""
        return [f"{kind} {told} != {true}" for kind, told, true in self.kinds if told is not None and told != true]

    @property
    def true_failures(self) -> int:
        """Calls that ended in an error for the program."""
        return self.truth["logical_llm_operations"] if self.truth["app_outcome"] == "error" else 0

    @property
    def true_http_errors(self) -> int:
        """Requests that the provider answered with an error."""
        return sum(call["status"] >= 400 for call in self.truth["calls"])


def files_of(stem: Path) -> list[Path]:
    binary = stem.with_name(f"{stem.name}.otlp.pb")
    return [binary] if binary.exists() else sorted(stem.parent.glob(f"{stem.name}.raw-*.json"))


@cache
def scenarios() -> tuple[Scenario, ...]:
    need("shared", present=CONFORMANCE.is_dir(), reason="no captured telemetry beside the repository")
    captures: dict[str, Capture] = {}
    for told in sorted(CONFORMANCE.glob("*/*.truth.json")):
        stem = told.with_name(told.name.removesuffix(".truth.json"))
        requests = (request for file in files_of(stem) for request in requests_in(file))
        captures[str(stem.relative_to(CONFORMANCE))] = capture_of(requests)
    # Each capture is a tenant of its own, so that all are resolved at once and none may touch another.
    spans = {name: capture.spans.with_columns(tenant=pl.lit(name)) for name, capture in captures.items()}
    books = keep_books(pl.concat(spans.values()), captures.popitem()[1].outcomes.clear(), default_rate_card())
    return tuple(
        Scenario(
            name,
            audit(spans[name], of_tenant(books, name)),
            json.loads((CONFORMANCE / f"{name}.truth.json").read_text()),
        )
        for name in spans
    )


def of_tenant(books: Books, tenant: str) -> Books:
    return Books(**{name: frame.filter(pl.col("tenant") == tenant) for name, frame in vars(books).items()})


def knowable() -> list[Scenario]:
    return [scenario for scenario in scenarios() if scenario.name not in UNKNOWABLE]


def test_every_combination_is_there() -> None:
    assert len(scenarios()) == 290
    assert len({scenario.name.split("/")[0] for scenario in scenarios()}) == 28


def test_totals_are_exact_wherever_the_capture_holds_them() -> None:
    wrong = {s.name: (s.totals, s.true_totals) for s in knowable() if s.totals != s.true_totals}
    assert wrong == {}


def test_at_least_95_percent_of_all_totals_are_exact() -> None:
    exact = sum(scenario.totals == scenario.true_totals for scenario in scenarios())
    assert exact / len(scenarios()) >= 0.95


def test_no_kind_is_ever_stated_wrongly() -> None:
    assert {scenario.name: scenario.wrong_kinds for scenario in scenarios() if scenario.wrong_kinds} == {}


def test_a_kind_that_is_missing_has_a_flag_or_was_not_used() -> None:
    silent = {
        scenario.name: kind
        for scenario in scenarios()
        for kind, told, true in scenario.kinds
        if told is None and true and not scenario.audited["flags"] and UNKNOWABLE.get(scenario.name) != NO_TELEMETRY
    }
    assert silent == {}


def test_calls_are_the_operations_that_the_program_asked_for() -> None:
    calls = {s.name: (s.audited["calls"], s.truth["logical_llm_operations"]) for s in scenarios()}
    wrong = {name: pair for name, pair in calls.items() if pair[0] != pair[1]}
    assert {name for name in wrong if UNKNOWABLE.get(name) not in UNCOUNTABLE} == set()


def test_failed_calls_are_those_that_ended_in_an_error_for_the_program() -> None:
    wrong = {s.name for s in scenarios() if s.audited["failed_calls"] != s.true_failures}
    assert wrong == {name for name, why in UNKNOWABLE.items() if why == NOTHING_SENT}


def test_http_errors_are_never_invented_and_complete_where_every_request_is_visible() -> None:
    for scenario in scenarios():
        seen = scenario.audited["http_errors"]
        assert seen <= scenario.true_http_errors, scenario.name
        if scenario.audited["attempts"] == len(scenario.truth["calls"]) and seen:
            assert seen == scenario.true_http_errors, scenario.name


def test_calls_without_usage_are_counted_as_missing() -> None:
    for scenario in scenarios():
        if UNKNOWABLE.get(scenario.name) == NO_USAGE:
            assert scenario.audited["usage_missing_calls"] == scenario.truth["logical_llm_operations"]


def test_the_table_of_results(capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["", "combination: scenarios, totals exact, kinds known (of those that were billed), HTTP errors seen"]
    for family, members in _families().items():
        billed = [(told, true) for s in members for _, told, true in s.kinds if true]
        known = sum(told is not None for told, _ in billed)
        exact = sum(s.totals == s.true_totals for s in members)
        seen = sum(s.audited["http_errors"] for s in members)
        true = sum(s.true_http_errors for s in members)
        lines.append(f"{family:38} {len(members):3} {exact:3} {known:3}/{len(billed):<3} {seen:2}/{true:<2}")
    lines += ["", "kind: stated, of captures in which it was billed", *_kind_lines()]
    lines += ["", "not exact, and why no reader could know:", *(f"{name}: {why}" for name, why in UNKNOWABLE.items())]
    with capsys.disabled():
        sys.stdout.write("\n".join(lines) + "\n")
    assert len(lines) > 28


def _families() -> dict[str, list[Scenario]]:
    families: dict[str, list[Scenario]] = {}
    for scenario in scenarios():
        families.setdefault(scenario.name.split("/")[0], []).append(scenario)
    return families


def _kind_lines() -> Iterator[str]:
    billed: Counter[str] = Counter()
    stated: Counter[str] = Counter()
    for scenario in scenarios():
        for kind, told, true in scenario.kinds:
            billed[kind] += bool(true)
            stated[kind] += bool(true) and told is not None
    for kind, count in sorted(billed.items()):
        if count:
            yield f"{kind:24} {stated[kind]:3} of {count}"
