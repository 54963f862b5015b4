"""Every hostile payload that is about telemetry itself: refused, or stored and flagged, as its case says."""

import gzip
import json
import math
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import SHARED_DATA

from tokenpnl.errors import RefusedInputError
from tokenpnl.tables import SPANS
from tokenpnl_ingest.otlp import Decoded, Signal, decode
from tokenpnl_ingest.rows import arrow_table

HOSTILE = SHARED_DATA / "hostile"
# The server answers these before anybody decodes: size, encoding, method, key.
TRANSPORT = {"A12", "A13", "B01", "B02", "B03", "B07", "B08", "B09", "H"}
FLAGS = {
    "C06": "duplicate_attribute",
    "D05": "self_parent",
    "D11": "end_before_start",
    "D12": "time_implausible",
    "D13": "time_implausible",
    "D15": "time_implausible",
    "D17": "never_ended",
    "E01": "usage_implausible",
    "E02": "usage_implausible",
    "E03": "usage_implausible",
    "E05": "usage_implausible",
    "E06": "usage_coerced",
    "E07": "usage_implausible",
    "E09": "usage_implausible",
    "E10": "input_semantics_proved",
    "E11": "reported_cost_implausible",
    "C02": "value_truncated",
    "B10": "value_truncated",
    "B14": "value_truncated",
}
RECEIVED_NS = 1_764_100_000 * 10**9


def cases() -> list[dict[str, Any]]:
    if not (HOSTILE / "manifest.json").exists():
        return []
    listed: list[dict[str, Any]] = json.loads((HOSTILE / "manifest.json").read_text())["cases"]
    return [
        case
        for case in listed
        if "file" in case and not case["id"].startswith(tuple(TRANSPORT)) and case["id"][0] in "ABCDEF"
    ]


def sent(case: dict[str, Any]) -> Decoded:
    body = (HOSTILE / case["file"]).read_bytes()
    if case["request"]["headers"].get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    signal = Signal(Path(case["request"]["path"]).name)
    return decode(signal, body, case["request"]["headers"]["content-type"], received_at_ns=RECEIVED_NS)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["id"])
def test_hostile_payload_is_answered_as_its_case_says(case: dict[str, Any]) -> None:
    expected = case["expect"]
    accepted_codes = expected.get("http", 200)
    if accepted_codes in (400, 415):
        with pytest.raises(RefusedInputError):
            sent(case)
        return
    decoded = sent(case)
    if "accepted_spans" in expected:
        assert len(decoded.spans) == expected["accepted_spans"]
    assert decoded.refused == expected.get("rejected_spans", 0)
    table = arrow_table(SPANS, decoded.spans, RECEIVED_NS, 1)
    assert table.num_rows == len(decoded.spans)


@pytest.mark.parametrize("case", [case for case in cases() if case["id"][:3] in FLAGS], ids=lambda case: case["id"])
def test_odd_but_readable_record_is_stored_with_its_flag(case: dict[str, Any]) -> None:
    decoded = sent(case)
    assert all(FLAGS[case["id"][:3]] in row["flags"].split(",") for row in decoded.spans)


@pytest.mark.parametrize("case", [case for case in cases() if case["id"][0] == "E"], ids=lambda case: case["id"])
def test_no_token_count_is_negative_or_beyond_belief(case: dict[str, Any]) -> None:
    for row in sent(case).spans:
        counts = [row["input_tokens"], row["output_tokens"], row["cache_read_tokens"]]
        assert all(count is None or 0 <= count <= 10**9 for count in counts)


def by_id(prefix: str) -> Decoded:
    return sent(next(case for case in cases() if case["id"].startswith(prefix)))


def test_planted_secrets_reach_no_row(shared_data: Path) -> None:
    stored = json.dumps([by_id("F09").spans, by_id("F09").resources], default=str)
    for planted in (
        "ghp_00",
        "sk-proj-FAKE",
        "p4ssw0rd",
        "AKIAIOSFODNN7EXAMPLE",
        "jane@",
        "4111 1111",
        "sk-FAKE",
        "401 for k",
    ):
        assert planted not in stored


def test_a_span_without_a_clock_is_booked_at_its_arrival_and_keeps_its_own_time(shared_data: Path) -> None:
    (row,) = by_id("D12").spans
    assert row["started_at"] == RECEIVED_NS
    assert json.loads(row["attributes_json"])["tokenpnl.original.started_at_ns"] == 0


def test_of_two_equal_attribute_names_the_first_counts(shared_data: Path) -> None:
    (row,) = by_id("C06").spans
    assert isinstance(row["input_tokens"], int)


def test_values_that_look_like_code_are_stored_verbatim(shared_data: Path) -> None:
    users = [row["user_id"] for row in by_id("F05").spans]
    assert any(user.startswith("=HYPERLINK") for user in users if user)


def test_nan_is_kept_as_text_beside_the_row(shared_data: Path) -> None:
    (row,) = by_id("E03").spans
    assert json.loads(row["attributes_json"])["gen_ai.usage.input_tokens"] == str(math.nan)
