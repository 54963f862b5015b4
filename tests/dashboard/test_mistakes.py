"""What a user sees after a mistake, and where the tables of the command line would else not fit."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tokenpnl.errors import ConfigurationError
from tokenpnl_dashboard.cli import tokenpnl

PROGRAM = Path(sys.executable).with_name("tokenpnl")
RUN = CliRunner(catch_exceptions=False)


def call_spans(path: Path) -> Path:
    told = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini"}
    usage = {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100}
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in told.items()]
    attributes += [{"key": key, "value": {"intValue": value}} for key, value in usage.items()]
    span = {"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "2", "name": "chat", "attributes": attributes}
    span |= {"startTimeUnixNano": "1795000000000000000", "endTimeUnixNano": "1795000001000000000"}
    document = {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "lib"}, "spans": [span]}]}]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document) + "\n")
    return path


@pytest.mark.parametrize("port", ["-1", "99999"])
@pytest.mark.parametrize("option", ["--port", "--http-port", "--grpc-port"])
def test_a_port_that_cannot_be_is_wrong_usage(option: str, port: str) -> None:
    done = RUN.invoke(tokenpnl, ["serve", option, port])
    assert done.exit_code == 2
    assert "0<=x<=65535" in done.output


def test_a_report_on_an_empty_store_says_so_and_what_to_do(tmp_path: Path) -> None:
    done = RUN.invoke(tokenpnl, ["report", "pnl", "--home", str(tmp_path)], standalone_mode=False)
    assert f"nothing is stored in {tmp_path.resolve()} yet" in done.stderr


def test_a_taken_port_is_named_with_the_option_that_gives_another(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        asked = ["serve", "--http-port", str(port), "--grpc-port", "0", "--home", str(tmp_path)]
        with pytest.raises(ConfigurationError, match=rf"port {port} .* give another by --http-port"):
            RUN.invoke(tokenpnl, asked, standalone_mode=False)


@pytest.mark.parametrize("form", ["--csv", "--md"])
def test_a_summary_is_not_printed_in_a_form_that_it_does_not_have(form: str, tmp_path: Path) -> None:
    done = RUN.invoke(tokenpnl, ["report", "summary", form, "--home", str(tmp_path)])
    assert done.exit_code == 2
    assert "--csv and --md are for pnl, usage and units" in done.output


def test_a_score_beyond_its_range_is_wrong_usage(tmp_path: Path) -> None:
    done = RUN.invoke(tokenpnl, ["outcome", "r1", "success", "--score", "7", "--home", str(tmp_path)])
    assert done.exit_code == 2
    assert "0<=x<=1" in done.output


def test_a_recorded_outcome_says_in_which_store(tmp_path: Path) -> None:
    done = RUN.invoke(tokenpnl, ["outcome", "r1", "success", "--home", str(tmp_path)], standalone_mode=False)
    assert done.stdout == f"recorded: success for r1 in {tmp_path.resolve()}\n"


def test_an_audit_of_several_files_leaves_out_the_folder_that_they_share(tmp_path: Path) -> None:
    files = [str(call_spans(tmp_path / name / "capture.otlp.jsonl")) for name in ("a", "b")]
    table = RUN.invoke(tokenpnl, ["audit", *files], standalone_mode=False).stdout
    assert "a/capture.otlp.jsonl" in table
    assert str(tmp_path) not in table
    rows = json.loads(RUN.invoke(tokenpnl, ["audit", *files, "--json"], standalone_mode=False).stdout)
    assert [row["file"] for row in rows] == files


@pytest.mark.parametrize("month", ["all", "last-7d", "2026-10-01..2026-10-31", "2026-13", "\u0662026-10", "../2026-10"])
def test_nothing_but_a_month_passes_for_a_month(month: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"YYYY-MM|names no real date"):
        RUN.invoke(tokenpnl, ["close", "check", month, "--home", str(tmp_path)], standalone_mode=False)


def test_doctor_does_without_color_where_nobody_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    done = RUN.invoke(tokenpnl, ["doctor", "--home", str(tmp_path)], standalone_mode=False, color=True)
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_during_the_start_leaves_no_process_behind(number: int, tmp_path: Path) -> None:
    program = [str(PROGRAM), "serve", "--home", str(tmp_path)]
    ports = ["--http-port", "0", "--grpc-port", "0", "--port", "0"]
    with subprocess.Popen([*program, *ports], stderr=subprocess.PIPE, text=True, start_new_session=True) as parent:
        give_up = time.monotonic() + 20
        while not children_of(parent.pid) and time.monotonic() < give_up:
            time.sleep(0.01)
        os.killpg(parent.pid, number) if number == signal.SIGINT else parent.send_signal(number)
        _, said = parent.communicate(timeout=30)
    assert said == "stopped before it served\n"
    assert parent.returncode == 0


def children_of(pid: int) -> str:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text()


@pytest.mark.parametrize(
    ("words", "meant"), [(["reort"], "report"), (["prices", "lst"], "list"), (["close", "staus"], "status")]
)
def test_a_misspelt_verb_is_told_which_one_may_be_meant(words: list[str], meant: str) -> None:
    with pytest.raises(click.UsageError, match=f"did you mean '{meant}'"):
        RUN.invoke(tokenpnl, words, standalone_mode=False, catch_exceptions=False)


def test_the_verbs_of_a_group_are_told_in_whole_sentences() -> None:
    assert "..." not in RUN.invoke(tokenpnl, ["prices", "--help"]).stdout.split("Commands:")[1]


def test_a_file_that_cannot_be_written_is_said_in_a_sentence(tmp_path: Path) -> None:
    asked = ["export", "csv", "--home", str(tmp_path), "-o", str(tmp_path / "absent" / "lines.csv")]
    with pytest.raises(ConfigurationError, match="cannot be written"):
        RUN.invoke(tokenpnl, asked, standalone_mode=False, catch_exceptions=False)
