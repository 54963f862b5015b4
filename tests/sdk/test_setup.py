"""Every claim about `init` runs in a process of its own: the global provider can be set only once."""

import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

_spec = importlib.util.spec_from_file_location("receiver", Path(__file__).with_name("receiver.py"))
assert _spec is not None
assert _spec.loader is not None
receiver: ModuleType = importlib.util.module_from_spec(_spec)
sys.modules["receiver"] = receiver
_spec.loader.exec_module(receiver)

WORK = """
with tokenpnl.workflow("support_reply", run_id="r-1", customer="acme") as run:
    with tokenpnl.step("plan"):
        pass
tokenpnl.outcome("success", run_id="r-1")
"""


def python(program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a fresh interpreter with these variables and no other OTEL ones."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TOKENPNL_"))}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import tokenpnl\n{program}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**clean, **variables},
    )


def said(program: str, **variables: str) -> str:
    """Return what the program printed; it must succeed and complain about nothing."""
    done = python(program, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_spans_and_later_outcomes_leave_over_http_at_exit_without_a_flush() -> None:
    with receiver.http_receiver() as received:
        said(f"tokenpnl.init('bot', endpoint='{received.address}', instrument=False)\n{WORK}")
    assert sorted(received.names) == ["invoke_workflow support_reply", "step plan"]
    assert sorted(received.paths) == ["/v1/logs", "/v1/traces"]
    assert received.services == {"bot"}
    assert receiver.attributes_of(received.logs[0])["tokenpnl.run.id"] == "r-1"


def test_spans_and_later_outcomes_leave_over_grpc() -> None:
    with receiver.grpc_receiver() as received:
        said(
            f"tokenpnl.init(instrument=False)\n{WORK}",
            OTEL_EXPORTER_OTLP_ENDPOINT=received.address,
            OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
            OTEL_SERVICE_NAME="bot-by-variable",
        )
    assert sorted(received.names) == ["invoke_workflow support_reply", "step plan"]
    assert received.services == {"bot-by-variable"}
    assert len(received.logs) == 1


def test_the_exporters_own_variables_count() -> None:
    with receiver.http_receiver() as received:
        said(
            f"tokenpnl.init(instrument=False)\n{WORK}",
            OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{received.address}/elsewhere",
            OTEL_EXPORTER_OTLP_TRACES_HEADERS="x-key=abc",
            OTEL_EXPORTER_OTLP_TRACES_COMPRESSION="gzip",
            OTEL_RESOURCE_ATTRIBUTES="service.name=bot,team.id=7",
            OTEL_BSP_MAX_EXPORT_BATCH_SIZE="1",
            OTEL_LOGS_EXPORTER="none",
        )
    assert received.paths == ["/elsewhere"] * 2
    assert received.headers["x-key"] == "abc"
    assert received.headers["content-encoding"] == "gzip"
    assert received.services == {"bot"}


def test_a_sampler_that_drops_all_is_honoured() -> None:
    with receiver.http_receiver() as received:
        said(
            f"tokenpnl.init(endpoint='{received.address}', instrument=False)\n{WORK}",
            OTEL_TRACES_SAMPLER="always_off",
        )
    assert received.names == []
    assert len(received.logs) == 1


def test_sampling_is_warned_about() -> None:
    done = python(
        "print(tokenpnl.init(instrument=False).sampler)",
        OTEL_TRACES_SAMPLER="traceidratio",
        OTEL_TRACES_SAMPLER_ARG="0.1",
    )
    assert "cost becomes an estimate" in done.stderr
    assert "TraceIdRatioBased" in done.stdout


def test_a_disabled_sdk_records_and_sends_nothing() -> None:
    with receiver.http_receiver() as received:
        program = (
            f"print(tokenpnl.init(endpoint='{received.address}').status)\nwith tokenpnl.workflow('a') as run: pass"
        )
        assert said(program, OTEL_SDK_DISABLED="true") == "disabled"
    assert received.paths == []


def test_an_existing_provider_is_attached_to_and_not_replaced() -> None:
    program = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
hosts = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(hosts))
trace.set_tracer_provider(provider)
setup = tokenpnl.init(endpoint=ADDRESS, instrument=False)
assert trace.get_tracer_provider() is provider
with tokenpnl.workflow("a"), trace.get_tracer("host").start_as_current_span("host"):
    pass
print(setup.status, [span.name for span in hosts.get_finished_spans()])
"""
    with receiver.http_receiver() as received:
        assert said(program.replace("ADDRESS", repr(received.address))) == "attached ['host', 'invoke_workflow a']"
    assert received.names == ["host", "invoke_workflow a"]


def test_a_second_init_attaches_nothing_twice() -> None:
    with receiver.http_receiver() as received:
        call = f"tokenpnl.init(endpoint='{received.address}', instrument=False)"
        assert said(f"print({call} is {call})\n{WORK}") == "True"
    assert len(received.names) == 2


def test_a_given_provider_is_used_beside_the_global_one() -> None:
    program = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
provider = TracerProvider()
tokenpnl.init(endpoint=ADDRESS, instrument=False, provider=provider)
with tokenpnl.workflow("a"):
    pass
print(trace.get_tracer_provider() is provider)
"""
    with receiver.http_receiver() as received:
        assert said(program.replace("ADDRESS", repr(received.address))) == "False"
    assert received.names == ["invoke_workflow a"]


def test_an_exit_limit_that_is_no_number_loses_nothing() -> None:
    with receiver.http_receiver() as received:
        program = f"tokenpnl.init(endpoint={received.address!r}, instrument=False)\n{WORK}"
        assert python(program, TOKENPNL_EXIT_SECONDS="soon").returncode == 0
    assert received.names


def test_a_dead_collector_delays_the_exit_by_a_bounded_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        program = f"tokenpnl.init(endpoint='{address}', instrument=False)\n{WORK}print('ran')"
        # By itself the exporter would wait for this collector for ten minutes, and so would the program.
        patience = {"OTEL_EXPORTER_OTLP_TIMEOUT": "600"}
        done = python(program, TOKENPNL_EXIT_SECONDS="1", **patience)
    assert done.stdout.strip() == "ran"
    assert done.returncode == 0


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "carrier-pigeon"},
        {"OTEL_TRACES_EXPORTER": "fax"},
        {"BAGGAGE": "%%,;=;", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_a_wrong_setting_never_stops_the_host(variables: dict[str, str]) -> None:
    done = python(f"tokenpnl.init(instrument=False)\n{WORK}print('ran')", OTEL_LOGS_EXPORTER="none", **variables)
    assert (done.returncode, done.stdout.strip()) == (0, "ran")


def test_a_child_process_works_for_the_run_of_its_parent() -> None:
    child = "import tokenpnl; tokenpnl.init('child', instrument=False)\nwith tokenpnl.step('far'): pass"
    program = f"""
import os, subprocess, sys
tokenpnl.init("parent", instrument=False)
with tokenpnl.workflow("a", run_id="r-1", customer="acme", feature="inbox"):
    headers = {{name.upper(): value for name, value in tokenpnl.carrier().items()}}
    subprocess.run([sys.executable, "-c", {child!r}], env={{**os.environ, **headers}}, check=True)
"""
    with receiver.http_receiver() as received:
        said(program, OTEL_EXPORTER_OTLP_ENDPOINT=received.address)
    far, run = sorted(received.spans, key=lambda span: span.name, reverse=True)
    assert far.trace_id == run.trace_id
    assert far.parent_span_id == run.span_id
    assert receiver.attributes_of(far)["tokenpnl.run.id"] == "r-1"
    assert received.services == {"parent", "child"}


def test_flush_sends_now_and_says_so() -> None:
    with receiver.http_receiver() as received:
        program = f"tokenpnl.init(endpoint='{received.address}', instrument=False)\n{WORK}"
        assert said(f"{program}\nprint(tokenpnl.flush(), flush=True)\nimport os; os._exit(0)") == "True"
    assert len(received.names) == 2


def test_real_instrumentation_of_a_real_client_joins_run_and_attempt() -> None:
    program = """
import http.server, json, threading
class Provider(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-5-2026",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}],
            "usage": {"prompt_tokens": 101, "completion_tokens": 53, "total_tokens": 154}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Provider)
threading.Thread(target=server.serve_forever, daemon=True).start()

tokenpnl.init("bot", endpoint=ADDRESS)
import openai
client = openai.OpenAI(base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="k")
with tokenpnl.workflow("support_reply", run_id="r-1"):
    for attempt in tokenpnl.attempts():
        with attempt:
            client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "secret"}])
print([(c.client, c.status) for c in tokenpnl.instrumented() if c.client == "openai"])
"""
    with receiver.http_receiver() as received:
        done = python(program.replace("ADDRESS", repr(received.address)).replace("-W error", ""))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[('openai', 'instrumented')]"
    (model_span,) = [span for span in received.spans if span.name == "chat gpt-5"]
    told = receiver.attributes_of(model_span)
    assert (told["tokenpnl.run.id"], told["tokenpnl.attempt.reason"]) == ("r-1", "first")
    assert "gen_ai.workflow.name" not in told
