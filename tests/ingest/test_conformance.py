"""Every captured request of every emitter family: decoded whole, and never with a wrong count."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import SHARED_DATA

from tokenpnl.tables import SPANS
from tokenpnl_ingest.files import requests_in
from tokenpnl_ingest.otlp import Decoded, decode
from tokenpnl_ingest.rows import arrow_table

CONFORMANCE = SHARED_DATA / "conformance"
FAMILIES = sorted(path.name for path in CONFORMANCE.iterdir()) if CONFORMANCE.is_dir() else []
# Counts that no reader of the row alone can mend: each is flagged, or its stream was abandoned.
KNOWN_WRONG = {
    # It leaves the thoughts out; only the log record beside it knows them.
    ("gemini-cli", "cached_thinking", "output_tokens"),
    # Traceloop adds the provisional count of a stream's first event; without `is_streaming` nothing tells.
    ("traceloop-anthropic", "stream_manager_cached", "output_tokens"),
    ("traceloop-anthropic", "stream_raw_cached", "output_tokens"),
}


def captures(family: str) -> list[Path]:
    kinds = ("*.otlp.pb", "*.otlp.jsonl", "*.raw-*.json")
    return sorted(path for kind in kinds for path in (CONFORMANCE / family).glob(kind))


@cache
def decoded(path: Path) -> tuple[Decoded, ...]:
    return tuple(decode(request.signal, request.body, request.content_type) for request in requests_in(path))


def rows(path: Path) -> Iterator[dict[str, Any]]:
    for request in decoded(path):
        yield from request.spans


def scenario(path: Path) -> str:
    return path.name.partition(".")[0]


def truth(path: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((path.parent / f"{scenario(path)}.truth.json").read_text())
    return told


def expected_counts(told: dict[str, Any]) -> dict[str, int]:
    seen = told["usage_visible_to_client_total"]
    written = seen["cache_write_5m_tokens"] + seen["cache_write_1h_tokens"]
    return {
        "input_tokens": seen["input_uncached_tokens"] + seen["cache_read_tokens"] + written,
        "cache_read_tokens": seen["cache_read_tokens"],
        "cache_write_tokens": written,
        "cache_write_5m_tokens": seen["cache_write_5m_tokens"],
        "cache_write_1h_tokens": seen["cache_write_1h_tokens"],
        "output_tokens": seen["output_text_tokens"] + seen["reasoning_tokens"],
        "reasoning_tokens": seen["reasoning_tokens"],
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_every_capture_is_decoded_without_refusal_or_unmapped_usage(family: str) -> None:
    for path in captures(family):
        assert [request.refusal_message for request in decoded(path) if request.refused] == [], path
        assert [row["name"] for row in rows(path) if "unmapped_usage" in row["flags"]] == [], path
        arrow_table(SPANS, list(rows(path)), 1, 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_row_of_a_single_answer_counts_wrong(family: str) -> None:
    wrong = set()
    for path in captures(family):
        told = truth(path)
        if sum(1 for call in told["calls"] if call.get("usage_visible_to_client")) != 1:
            continue
        for row in rows(path):
            for column, count in expected_counts(told).items():
                if row["output_tokens"] is not None and row[column] not in (None, count):
                    wrong.add((family, scenario(path), column))
    assert wrong <= KNOWN_WRONG


@pytest.mark.parametrize("family", FAMILIES)
def test_an_absent_count_that_is_said_to_mean_none_means_none(family: str) -> None:
    for path in captures(family):
        seen = truth(path)["usage_visible_to_client_total"]
        cached = seen["cache_read_tokens"] + seen["cache_write_5m_tokens"] + seen["cache_write_1h_tokens"]
        counted = [row for row in rows(path) if row["output_tokens"] is not None and row["operation"] == "inference"]
        for row in counted:
            if row["cache_reported"] and cached:
                assert sum(r["cache_read_tokens"] or r["cache_write_tokens"] or 0 for r in counted), path
            if row["reasoning_reported"] and seen["reasoning_tokens"]:
                assert sum(r["reasoning_tokens"] or 0 for r in counted), path


@pytest.mark.parametrize("family", FAMILIES)
def test_protobuf_and_json_of_a_capture_give_equal_spans(family: str) -> None:
    for path in (CONFORMANCE / family).glob("*.otlp.pb"):
        from_json = {(row["trace_id"], row["span_id"]): row for row in rows(path.with_suffix(".jsonl"))}
        from_protobuf = {(row["trace_id"], row["span_id"]): row for row in rows(path)}
        assert from_json == from_protobuf, path


@pytest.mark.parametrize("family", FAMILIES)
def test_what_was_said_is_in_no_row(family: str) -> None:
    for path in captures(family):
        for request in decoded(path):
            stored = json.dumps([request.spans, request.resources, request.quarantined], default=str)
            for said in ("hello from the fake model", "It is sunny", "Be brief", "Say hello", "Weather in Paris"):
                assert said not in stored, path


@pytest.mark.parametrize(
    "scenario_word",
    ["timeout"],
)
def test_a_client_timeout_is_known_whatever_the_emitter_calls_it(scenario_word: str) -> None:
    for path in CONFORMANCE.glob(f"*/{scenario_word}.otlp.pb"):
        failed = [row for row in rows(path) if row["operation"] == "inference" and row["status_code"] == "error"]
        assert failed, path
        assert all(row["timed_out"] for row in failed), path


def test_an_abandoned_stream_is_cancelled_where_status_and_finish_reason_are_missing() -> None:
    for family in (
        "anthropic-sdk-native",
        "openinference-openai",
        "otel-genai-openai",
        "otel-genai-anthropic-nonative",
    ):
        for path in (CONFORMANCE / family).glob("stream_abandoned.otlp.pb"):
            assert all(row["cancelled"] for row in rows(path) if row["operation"] == "inference"), path


def test_a_finished_stream_is_not_cancelled() -> None:
    for path in CONFORMANCE.glob("*/stream*.otlp.pb"):
        if "abandoned" not in path.name:
            assert [row["scope_name"] for row in rows(path) if row["cancelled"]] == [], path
