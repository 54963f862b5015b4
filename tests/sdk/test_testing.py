import gzip
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from opentelemetry import context

import tokenpnl
from tokenpnl import testing
from tokenpnl.state import state
from tokenpnl.testing import SECOND, START_NS, FixedIds, SteppingClock


def one_run() -> list[str]:
    with testing.recording(seed=7, step_ns=0) as recorded:
        for day in range(3):
            recorded.clock.now_ns = START_NS + day * 86_400 * SECOND
            with tokenpnl.workflow("support_reply") as run:
                for attempt in tokenpnl.attempts():
                    with attempt, tokenpnl.llm_call("openai", "gpt-5") as call:
                        recorded.clock.advance(1.5)
                        call.usage(10, 2)
                run.outcome("success")
        tokenpnl.outcome("failure", run_id=run.id)
        return list(testing.otlp_json_lines(recorded.spans, recorded.logs, batch=4))


def test_the_same_run_gives_the_same_lines_byte_for_byte() -> None:
    assert one_run() == one_run()


def test_the_same_run_gives_the_same_lines_in_another_process() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_testing; print('\\n'.join(test_testing.one_run()))"
    )
    command = [sys.executable, "-c", program, str(Path(__file__).parent)]
    other = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": "5"}
    )
    assert other.stdout.splitlines() == one_run()


def test_lines_are_otlp_json_with_hex_ids_and_the_simulated_times() -> None:
    first, second, logs = (json.loads(line) for line in one_run())
    spans = [span for line in (first, second) for span in line["resourceSpans"][0]["scopeSpans"][0]["spans"]]
    assert [span["name"] for span in spans] == ["chat gpt-5", "invoke_workflow support_reply"] * 3
    assert {len(span["traceId"]) for span in spans} == {32}
    assert spans[0]["parentSpanId"] == spans[1]["spanId"]
    assert int(spans[2]["startTimeUnixNano"]) == START_NS + 86_400 * SECOND
    assert int(spans[2]["endTimeUnixNano"]) - int(spans[2]["startTimeUnixNano"]) == 1.5 * SECOND
    record = logs["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    assert record["eventName"] == "tokenpnl.outcome"


@pytest.mark.parametrize("name", ["out.otlp.jsonl", "out.otlp.jsonl.gz"])
def test_a_written_file_holds_the_lines_and_depends_on_nothing_else(tmp_path: Path, name: str) -> None:
    one, two = tmp_path / name, tmp_path / f"second-{name}"
    assert testing.write_otlp_json(one, one_run()) == 3
    testing.write_otlp_json(two, one_run())
    content = gzip.decompress(one.read_bytes()) if name.endswith("gz") else one.read_bytes()
    assert content.decode().splitlines() == one_run()
    assert one.read_bytes() == two.read_bytes()


def test_seeds_differ_and_ids_are_never_zero() -> None:
    assert FixedIds(1).generate_trace_id() != FixedIds(2).generate_trace_id()
    assert FixedIds(1).uuid() == FixedIds(1).uuid()
    assert FixedIds(1).generate_span_id() > 0


def test_the_clock_steps_when_read_and_moves_by_hand() -> None:
    clock = SteppingClock(now_ns=100, step_ns=5)
    assert [clock(), clock()] == [100, 105]
    clock.advance(2)
    assert clock() == 110 + 2 * SECOND


def test_a_recording_leaves_the_process_as_it_was() -> None:
    before = replace(state), context.get_current()
    with tokenpnl.workflow("outside"), testing.recording() as recorded:
        assert tokenpnl.current_run() is None
        with tokenpnl.workflow("inside"):
            pass
    assert [span.name for span in recorded.spans] == ["invoke_workflow inside"]
    assert (state, context.get_current()) == before


def test_a_span_that_is_not_there_is_named_with_those_that_are() -> None:
    with testing.recording() as recorded:
        with tokenpnl.step("plan"):
            pass
        with pytest.raises(LookupError, match="'step plan'"):
            recorded.span("step nothing")
        recorded.clear()
        assert recorded.spans == []
