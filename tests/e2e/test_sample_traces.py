"""The sample traces are what their script makes, say that they are synthetic, and hold what their README promises."""

import gzip
import json
import os
import re
import subprocess
import sys
import zlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

SAMPLE_TRACES = Path(__file__).parents[2] / "sample_traces"
WORKFLOWS = ("catalogue_tagging", "contract_review", "invoice_extraction", "mail_triage", "support_reply")
INCIDENT = (datetime(2026, 10, 19, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC))


@dataclass
class Told:
    """What a file says, as plain attribute dictionaries."""

    resources: list[dict[str, Any]] = field(default_factory=list)
    spans: list[dict[str, Any]] = field(default_factory=list)
    outcomes: list[dict[str, Any]] = field(default_factory=list)

    @property
    def runs(self) -> list[dict[str, Any]]:
        return [span for span in self.spans if "gen_ai.workflow.name" in span]

    def reasons(self, first: datetime | None = None, until: datetime | None = None) -> Counter[str]:
        """Count the attempts by reason, of spans that started in [first, until)."""
        return Counter(
            span["tokenpnl.attempt.reason"]
            for span in self.spans
            if "tokenpnl.attempt.reason" in span
            and (first is None or first <= span["at"])
            and (until is None or span["at"] < until)
        )


def _attributes(holder: dict[str, Any]) -> dict[str, Any]:
    told = {}
    for pair in holder.get("attributes", []):
        ((kind, value),) = pair["value"].items()
        told[pair["key"]] = int(value) if kind == "intValue" else value
    return told


def _span(span: dict[str, Any]) -> dict[str, Any]:
    at = datetime.fromtimestamp(int(span["startTimeUnixNano"]) // 10**9, UTC)
    return {"at": at, "trace": span["traceId"], "error": span["status"].get("code") == 2, **_attributes(span)}


@pytest.fixture(scope="module")
def told() -> dict[str, Told]:
    files = {}
    for workflow in WORKFLOWS:
        file = files[workflow] = Told()
        with gzip.open(SAMPLE_TRACES / f"{workflow}.otlp.jsonl.gz", "rt", encoding="utf-8") as lines:
            for request in map(json.loads, lines):
                for group in request.get("resourceSpans", []) + request.get("resourceLogs", []):
                    file.resources.append(_attributes(group["resource"]))
                for group in request.get("resourceSpans", []):
                    for span in group["scopeSpans"][0]["spans"]:
                        file.spans.append(_span(span))
                        events = [event for event in span.get("events", []) if event["name"] == "tokenpnl.outcome"]
                        file.outcomes.extend(map(_attributes, events))
                for group in request.get("resourceLogs", []):
                    file.outcomes.extend(map(_attributes, group["scopeLogs"][0]["logRecords"]))
    return files


def test_the_script_makes_the_same_bytes_again(tmp_path: Path) -> None:
    settings = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TOKENPNL_"))}
    command = [sys.executable, SAMPLE_TRACES / "make.py", "--out", tmp_path]
    subprocess.run(command, env=settings, check=True, timeout=120)
    for workflow in WORKFLOWS:
        name = f"{workflow}.otlp.jsonl.gz"
        kept, made = (SAMPLE_TRACES / name).read_bytes(), (tmp_path / name).read_bytes()
        assert gzip.decompress(made) == gzip.decompress(kept)
        # zlib-ng compresses the same content to other bytes.
        assert made == kept or "ng" in zlib.ZLIB_RUNTIME_VERSION


def test_every_resource_says_that_it_is_synthetic(told: dict[str, Told]) -> None:
    resources = [resource for file in told.values() for resource in file.resources]
    assert all(resource["tokenpnl.synthetic"] is True for resource in resources)
    assert all(resource["service.name"].startswith("synthetic-") for resource in resources)


def test_there_are_two_thousand_runs_over_sixty_days(told: dict[str, Told]) -> None:
    runs = [run for file in told.values() for run in file.runs]
    days = {run["at"].date() for run in runs}
    assert len(runs) > 2000
    assert len({run["tokenpnl.run.id"] for run in runs}) == len(runs)
    assert len({run["trace"] for run in runs}) == len(runs)
    assert (min(days).isoformat(), max(days).isoformat(), len(days)) == ("2026-09-22", "2026-11-20", 60)


def test_the_files_stay_small_enough_for_a_demo() -> None:
    sizes = [(SAMPLE_TRACES / f"{workflow}.otlp.jsonl.gz").stat().st_size for workflow in WORKFLOWS]
    assert sum(sizes) < 3_500_000


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_nine_of_ten_runs_have_an_outcome(told: dict[str, Told], workflow: str) -> None:
    runs = {run["tokenpnl.run.id"] for run in told[workflow].runs}
    judged = {outcome["tokenpnl.run.id"] for outcome in told[workflow].outcomes}
    assert judged <= runs
    assert 0.9 <= len(judged) / len(runs) < 0.98


def test_a_reviewer_revises_what_the_program_called_a_success(told: dict[str, Told]) -> None:
    statements: dict[str, list[str]] = {}
    for outcome in sorted(told["invoice_extraction"].outcomes, key=lambda each: str(each["tokenpnl.outcome.at"])):
        statements.setdefault(outcome["tokenpnl.run.id"], []).append(outcome["tokenpnl.outcome.status"])
    assert Counter(tuple(each) for each in statements.values())["success", "failure"] > 10


@pytest.mark.parametrize("reason", ["retry", "timeout", "schema", "fallback", "escalation"])
def test_every_reason_for_another_attempt_occurs(told: dict[str, Told], reason: str) -> None:
    assert sum((file.reasons() for file in told.values()), Counter())[reason] > 10


def test_the_incident_week_multiplies_the_attempts_of_support_reply(told: dict[str, Told]) -> None:
    first, until = INCIDENT
    during = told["support_reply"].reasons(first, until)
    assert during["fallback"] > 15
    assert (
        during["retry"] / during["first"]
        > 5
        * told["support_reply"].reasons(until=first)["retry"]
        / (told["support_reply"].reasons(until=first)["first"])
    )


def test_release_two_four_zero_reads_nothing_from_the_prompt_cache(told: dict[str, Told]) -> None:
    file = told["support_reply"]
    release = {run["trace"]: run["service.version"] for run in file.runs}
    read: Counter[str] = Counter()
    for span in file.spans:
        read[release.get(span["trace"], "")] += span.get("gen_ai.usage.cache_read.input_tokens", 0)
    assert read["2.4.0"] == 0
    assert min(read["2.3.2"], read["2.4.1"]) > 100_000


def test_the_agent_of_release_zero_nine_three_asks_the_same_again(told: dict[str, Told]) -> None:
    file = told["contract_review"]
    release = {run["trace"]: run["service.version"] for run in file.runs}
    asked = Counter((span["trace"], span["tokenpnl.tool.arguments_hash"]) for span in file.spans if _searched(span))
    again: Counter[str] = Counter()
    for (trace, _), times in asked.items():
        again[release[trace]] += times - 1
    assert again["0.9.3"] > 30
    assert again["0.9.2"] == again["0.9.4"] == 0


def _searched(span: dict[str, Any]) -> bool:
    return span.get("gen_ai.tool.name") == "clause_search"


def test_fees_application_cache_evaluation_and_an_unpriced_model_occur(told: dict[str, Told]) -> None:
    spans = [span for file in told.values() for span in file.spans]
    assert sum("tokenpnl.cost_usd" in span for span in spans) > 100
    assert sum(bool(span.get("tokenpnl.cache.hit")) for span in spans) > 100
    assert sum(span.get("tokenpnl.step.kind") == "evaluation" for span in spans) > 100
    assert 5 < sum(span.get("gen_ai.request.model") == "desk-writer-7b-canary" for span in spans) < 100


def test_what_our_own_replica_served_tells_gpu_queue_and_inference_time(told: dict[str, Told]) -> None:
    served = [span for span in told["catalogue_tagging"].spans if _on_our_gpu(span)]
    answered = [span for span in served if "gen_ai.usage.input_tokens" in span]
    assert {span["tokenpnl.gpu.replica"] for span in served} == {"tagger-0"}
    assert len(answered) > 1000
    assert all(span["tokenpnl.queue.wait_ms"] > 0 for span in answered)
    assert all(span["gen_ai.latency.time_in_model_inference"] > 0 for span in answered)


def _on_our_gpu(span: dict[str, Any]) -> bool:
    return span.get("tokenpnl.deployment") == "self_host"


def test_a_busy_replica_sends_whole_sheets_to_a_provider(told: dict[str, Told]) -> None:
    where: dict[str, set[str]] = {}
    for span in told["catalogue_tagging"].spans:
        if "tokenpnl.deployment" in span:
            where.setdefault(span["trace"], set()).add(span["tokenpnl.deployment"])
    runs = Counter(tuple(sorted(places)) for places in where.values())
    assert 30 <= runs[("managed_api",)] < runs[("self_host",)] / 5


def test_no_span_carries_content(told: dict[str, Told]) -> None:
    spans = [span for file in told.values() for span in file.spans]
    prints = "tokenpnl.prompt.messages"
    names = {name for span in spans for name in span} - {prints}
    assert not {name for name in names if "messages" in name or name.endswith((".prompt", ".completion", ".content"))}
    said = [mark["stringValue"] for span in spans if prints in span for mark in span[prints]["values"]]
    assert said
    assert all(re.fullmatch("[0-9a-f]{32}", mark) for mark in said)
