"""`tokenpnl reconcile` as its users run it, and the page that shows its result."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from streamlit.testing.v1 import AppTest
from tests.dashboard.frames import book_of, empty_book

import tokenpnl_dashboard
from tokenpnl_dashboard import state
from tokenpnl_dashboard.book import open_book
from tokenpnl_dashboard.cli import CHECK_FAILED, OK
from tokenpnl_dashboard.cli import tokenpnl as program
from tokenpnl_dashboard.closing.reconciliations import days_of, money_of, shares_of, waterfall_of
from tokenpnl_ingest.control import ControlStore
from tokenpnl_ingest.home import Home

APP = str(Path(tokenpnl_dashboard.__file__).parent / "app.py")
HEAD = (
    "BilledCost,BillingCurrency,ChargeCategory,ChargePeriodStart,ProviderName,SubAccountId,ConsumedQuantity,"
    "ConsumedUnit,SkuMeter,ResourceName,ChargeDescription\n"
)


def charge(cost: str, tokens: str = "", meter: str = "", category: str = "Usage", words: str = "") -> str:
    day = "2026-10-05T00:00:00Z"
    return f"{cost},USD,{category},{day},OpenAI,proj_a,{tokens},Tokens,{meter},gpt-4o-mini,{words}\n"


@pytest.fixture
def exact(home: Home) -> str:
    """Return the lines of an invoice that bills exactly what was traced in October."""
    with open_book(home) as book:
        lines = book.query("table", name="line_items")
    october = lines.filter(lines["started_at"].dt.month() == 10).group_by("usage_kind").agg("quantity", "cost_usd")
    meters = {
        "input_uncached": "Input tokens",
        "input_cache_read": "Cached input tokens",
        "output_text": "Output tokens",
    }
    return "".join(
        charge(f"{sum(cost):f}", f"{sum(tokens)}", meters[kind])
        for kind, tokens, cost in october.sort("usage_kind").iter_rows()
    )


def run(home: Home, text: str, *options: str) -> Result:
    file = home.path / "invoice.csv"
    file.write_text(HEAD + text)
    arguments = ["reconcile", str(file), "--month", "2026-10", "--home", str(home.path), *options]
    return CliRunner().invoke(program, arguments, standalone_mode=False)


def results(done: Result) -> Any:
    return json.loads(done.stdout)["results"]


def test_an_invoice_of_what_was_traced_passes(home: Home, exact: str) -> None:
    done = run(home, exact, "--json")
    assert done.return_value == OK, done.output
    (found,) = results(done)
    assert (found["passed"], found["findings"], found["coverage_share"]) == (True, [], 1.0)
    assert found["billed_usd"] == found["traced_usd"]


def test_a_tax_is_said_in_a_sentence_and_does_not_fail_the_check(home: Home, exact: str) -> None:
    done = run(home, exact + charge("12.40", category="Tax", words="Tax"))
    assert done.return_value == OK
    assert "Tax of $12.40 is on the invoice and not in the traces." in done.stdout
    assert "Billed" in done.stdout


def test_untraced_usage_fails_until_somebody_signs(home: Home, exact: str) -> None:
    more = exact + charge("90", "1000000", "Output tokens")
    assert run(home, more).return_value == CHECK_FAILED
    assert run(home, more, "--sign", "an outage, written off", "--by", "ann").return_value == OK
    with ControlStore.of(home) as control:
        (stored,) = control.reconciliations("2026-10")
    assert (stored.settled, stored.result.passed, stored.signed_by) == (True, False, "ann")


def test_what_is_stored_is_what_the_page_reads(home: Home, exact: str) -> None:
    # Output costs $0.60 a million, on the invoice as in the traces.
    run(home, exact + charge("0.6", "1000000", "Output tokens") + charge("-5", category="Credit", words="Promotion"))
    with ControlStore.of(home) as control:
        stored = control.reconciliations("2026-10")
    net = dict(waterfall_of(stored).select("step", "net_usd").iter_rows())
    assert (f"{net['coverage'].normalize():f}", f"{net['credits'].normalize():f}") == ("0.6", "-5")
    assert f"{money_of(stored, 'residual_usd').normalize():f}" == "0.6"
    assert f"{days_of(stored)['residual_usd'].sum().normalize():f}" == "0.6"
    assert 0 < (shares_of(stored)["coverage_share"] or 0) < 1


def test_a_signature_needs_a_name(home: Home, exact: str) -> None:
    assert "nobody's" in str(run(home, exact, "--sign", "because").exception)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--provider", "mistral"), "the files bill no provider 'mistral'; they bill openai"),
        (("--account", "proj_a"), "add accounts to"),
    ],
)
def test_what_the_files_do_not_hold_is_wrong_usage(
    home: Home, exact: str, options: tuple[str, ...], reason: str
) -> None:
    assert reason in str(run(home, exact, *options).exception)


def test_an_account_is_reconciled_alone(home: Home, exact: str) -> None:
    (home.config / "reconciliation.yaml").write_text("accounts:\n  - {environment: prod*, account: proj_a}\n")
    (found,) = results(run(home, exact, "--account", "proj_a", "--json"))
    assert (found["account"], found["passed"]) == ("proj_a", True)


def opened(home: Home) -> AppTest:
    with open_book(home) as book:
        state.serve(book, home)
        app = AppTest.from_file(APP, default_timeout=60)
        app.query_params["month"] = "2026-10"
        app.switch_page("views/close.py")
        return app.run()


def said(app: AppTest) -> str:
    return "\n".join(str(element.value) for element in [*app.header, *app.markdown, *app.caption, *app.code])


def test_the_page_says_how_to_begin_and_what_the_close_waits_for(home: Home) -> None:
    app = opened(home)
    assert not app.exception
    assert "No invoice of 2026-10 yet" in said(app)
    assert "tokenpnl reconcile" in said(app)
    assert "**Reconciled.**" in said(app)


def test_the_page_shows_the_bridge_its_findings_and_who_signed(home: Home, exact: str) -> None:
    run(home, exact + charge("90", "1000000", "Output tokens"), "--sign", "written off", "--by", "ann")
    app = opened(home)
    assert not app.exception
    assert {metric.label: metric.value for metric in app.metric}["Residual"] == "$90.00"
    assert len(app.get("plotly_chart")) == 2
    text = said(app)
    assert "1,000,000 tokens of gpt-4o-mini were billed on 5 Oct 2026 and not traced" in text
    assert "Signed by ann" in text


def test_the_page_without_data_or_without_a_home_says_why_it_is_empty() -> None:
    for book, told in ((empty_book(), "OTEL_EXPORTER_OTLP_ENDPOINT"), (book_of(1), "without a home")):
        state.serve(book)
        app = AppTest.from_file(APP, default_timeout=60)
        app.switch_page("views/close.py")
        app.run()
        assert not app.exception
        assert told in said(app)


def test_the_page_of_a_closed_month_shows_it_as_closed_and_as_it_reads_now(home: Home) -> None:
    for arguments in (
        ("2026-10", "--soft", "--preparer", "ann"),
        ("sign", "2026-10", "unreconciled", "--by", "ann", "--reason", "none"),
        ("2026-10", "--preparer", "ann", "--approver", "bob"),
    ):
        done = CliRunner().invoke(program, ["close", *arguments, "--home", str(home.path)], standalone_mode=False)
        assert done.return_value == OK, done.output
    app = opened(home)
    assert not app.exception
    assert "approved by bob" in said(app)
    assert "As closed, and as it reads now" in said(app)


def test_the_page_shows_what_a_month_used_of_prepaid_credit(home: Home) -> None:
    assert "Prepaid credit" not in said(opened(home))
    (home.config / "commitments.yaml").write_text(
        "prepaid:\n  - {name: start, provider: openai, amount: 100, bought_on: 2026-10-01}\n"
    )
    app = opened(home)
    assert not app.exception
    assert "Prepaid credit" in said(app)
    (row,) = next(frame.value for frame in app.dataframe if "Credit" in frame.value.columns).to_numpy().tolist()
    # Three calls of October at $0.021.
    assert row == ["start", "openai", "$100.00", "$0.0630", "$0", "$99.94"]
