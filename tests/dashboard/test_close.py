"""`tokenpnl close` as its users run it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.dashboard.months import OCTOBER_5, load, run

from tokenpnl_dashboard.cli import CHECK_FAILED, OK, UNTRUSTED
from tokenpnl_dashboard.cli import tokenpnl as program
from tokenpnl_ingest.home import Home

Close = Callable[..., Result]
SOFT = ("2026-10", "--soft", "--preparer", "ann")
HARD = ("2026-10", "--preparer", "ann", "--approver", "bob")
SIGN = ("sign", "2026-10", "unreconciled", "--by", "ann", "--reason", "no invoices in this test")


@pytest.fixture
def close(home: Home) -> Close:
    def run_it(*arguments: str) -> Result:
        return CliRunner().invoke(program, ["close", *arguments, "--home", str(home.path)], standalone_mode=False)

    return run_it


def rows(result: Result) -> Any:
    assert result.exit_code in (OK, CHECK_FAILED), result.output
    return json.loads(result.stdout)


def test_a_month_is_closed_in_three_steps(close: Close) -> None:
    [accrued] = rows(close(*SOFT, "--json"))
    assert (accrued["provider"], accrued["accrued_usd"]) == ("openai", "0.063")
    assert close(*SIGN).return_value == OK
    [closed] = rows(close(*HARD, "--json"))
    assert (closed["state"], closed["preparer"], closed["approver"]) == ("closed", "ann", "bob")
    assert rows(close("status", "--json")) == [closed]
    assert rows(close("verify", "--json"))["faults"] == []


def test_a_refusal_is_a_failed_check_that_says_what_to_do(close: Close) -> None:
    refused = close(*HARD)
    assert refused.return_value == CHECK_FAILED
    assert "2026-10 is open; soft close it first: `tokenpnl close 2026-10 --soft --preparer NAME`" in refused.stderr


def test_the_conditions_are_a_table_with_remedies(close: Close) -> None:
    told = close("check", "2026-10", "--json")
    assert told.return_value == CHECK_FAILED
    found = {row["condition"]: row["what_to_do"] for row in rows(told)}
    assert list(found) == ["month_over", "books_done", "mapped", "priced", "reconciled", "audit_chain"]
    assert "tokenpnl close sign MONTH unreconciled --by NAME --reason WHY" in found["reconciled"]
    close(*SIGN)
    assert close("check", "2026-10").return_value == OK


def test_restated_and_adjustments_say_what_changed_since(close: Close, home: Home) -> None:
    for step in (SOFT, SIGN, HARD):
        close(*step)
    load(home, *run(2, OCTOBER_5, 2, 3))
    [restated] = rows(close("restated", "2026-10", "--by", "workflow", "--json"))
    assert (restated["workflow"], restated["difference_usd"], restated["now_lines"]) == ("desk", "0.021", 8)
    posted = rows(close("adjustments", "--json"))
    assert {(row["origin_period"], row["workflow"]) for row in posted} == {("2026-10", "desk")}
    assert [(row["usage_kind"], row["cost_usd"]) for row in posted] == [
        ("input_uncached", "0.015"),
        ("output_text", "0.006"),
    ]


def test_reopening_is_told_and_audited(close: Close) -> None:
    for step in (SOFT, SIGN, HARD):
        close(*step)
    assert close("reopen", "2026-10", "--by", "cfo", "--reason", "wrong account").return_value == OK
    [step] = rows(close("status", "--json"))
    assert (step["state"], step["preparer"], step["reason"]) == ("reopened", "cfo", "wrong account")


def test_a_changed_file_is_data_that_cannot_be_trusted(close: Close, home: Home) -> None:
    for step in (SOFT, SIGN, HARD):
        close(*step)
    file = home.closed / "2026-10" / "rules" / "accounts.yaml"
    file.chmod(0o600)
    file.write_text("accounts: []")
    told = close("verify")
    assert told.return_value == UNTRUSTED
    assert told.stdout.startswith('2026-10: rules is {"accounts.yaml": ')


def test_a_cut_audit_chain_is_accepted_under_a_name_only(close: Close, home: Home) -> None:
    close(*SIGN)
    (home.path / "audit-control.sqlite.head").write_text('{"seq": 99, "mac": "00"}')
    assert close("verify").return_value == UNTRUSTED
    assert "--accept needs --by NAME and --reason WHY" in str(close("verify", "--accept").exception)
    accepted = close("verify", "--accept", "--by", "cfo", "--reason", "restored from a backup")
    assert accepted.return_value == OK
    assert close("verify").return_value == OK


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("2026-10", "--preparer", "ann"), "a soft close has a preparer only"),
        ((*SOFT, "--approver", "bob"), "a soft close has a preparer only"),
        (("2026-13", "--soft", "--preparer", "ann"), "names no real date"),
        (("october",), "No such command 'october'"),
        (("sign", "2026-13", "unpriced", "--by", "a", "--reason", "b"), "names no real date"),
    ],
)
def test_wrong_usage_is_explained(close: Close, arguments: tuple[str, ...], complaint: str) -> None:
    assert complaint in str(close(*arguments).exception)


def test_help_tells_how_a_month_is_closed() -> None:
    told = CliRunner().invoke(program, ["close", "--help"], prog_name="tokenpnl").output
    assert "tokenpnl close 2026-10 --soft --preparer NAME" in told
    for verb in ("YYYY-MM", "status", "check", "sign", "restated", "adjustments", "reopen", "verify"):
        assert f"\n  {verb} " in told
