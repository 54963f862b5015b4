"""Capacity on the command line and on its page, from one store."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from streamlit.testing.v1 import AppTest
from tests.analytics.desk import START_NS, call, run, traces
from tests.dashboard.frames import book_of, empty_book
from tests.dashboard.test_pages import APP, said

from tokenpnl_dashboard import state
from tokenpnl_dashboard.book import open_book
from tokenpnl_dashboard.cli import tokenpnl
from tokenpnl_ingest.collector import Collector
from tokenpnl_ingest.home import Home
from tokenpnl_ingest.otlp import Signal

HOUR = datetime.fromtimestamp(START_NS / 1e9, UTC).replace(minute=0, second=0)
RULES = f"""
pools:
  - name: house
    usd_per_hour: 3.6
    replicas: [{{from: {HOUR.isoformat()}, to: {HOUR.replace(hour=HOUR.hour + 1).isoformat()}, count: 1}}]
"""
OWN = {"gen_ai.provider.name": "vllm", "gen_ai.request.model": "llama-3.3-8b"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with one call on our own GPU, one of a vendor, and a pool."""
    place = tmp_path_factory.mktemp("capacity") / "home"
    opened = Home.at(place)
    opened.config.mkdir(parents=True)
    (opened.config / "gpus.yaml").write_text(RULES, encoding="utf-8")
    with Collector(opened) as collector:
        spans = [run(1, "r1"), call(1, 1, parent=0, **OWN), call(1, 2, parent=0)]
        assert collector.submit(Signal.TRACES, traces(spans), "application/json").result(30).refused == 0
        assert collector.drain(30)
    return place


def printed(*arguments: str) -> str:
    result = CliRunner().invoke(tokenpnl, arguments, catch_exceptions=False, standalone_mode=False)
    assert result.return_value == 0
    return result.stdout


def test_the_verb_says_what_a_pool_cost_and_what_nothing_used(home: Path) -> None:
    told = json.loads(printed("capacity", "pools", "--home", str(home), "--json"))
    (row,) = told["rows"]
    # Half a second of $3.60 an hour.
    assert (row["pool"], row["paid_usd"], row["allocated_usd"], row["idle_usd"]) == ("house", "3.6", "0.0005", "3.5995")
    assert told["disclosure"]["priced_share"] == 1


def test_the_verb_compares_where_models_ran(home: Path) -> None:
    rows = json.loads(printed("capacity", "deployments", "--home", str(home), "--json"))["rows"]
    assert [(row["deployment"], row["calls"], row["cost_basis"]) for row in rows] == [
        ("managed_api", 1, "tokens"),
        ("self_host", 1, "gpu_time"),
    ]


def test_a_table_for_eyes_is_rounded(home: Path) -> None:
    assert "| house | $3.60 | $3.60 |" in printed("capacity", "pools", "--home", str(home), "--md")


def test_without_pools_the_verb_says_where_to_write_them(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        tokenpnl, ["capacity", "pools", "--home", str(tmp_path / "none")], standalone_mode=False
    )
    assert "no pools yet: write gpus.yaml or commitments.yaml in" in result.stderr


@pytest.fixture
def page(home: Path) -> Iterator[AppTest]:
    with open_book(Home.at(home)) as book:
        state.serve(book, Home.at(home))
        app = AppTest.from_file(APP, default_timeout=60)
        app.query_params["period"] = "all"
        yield app.switch_page("views/capacity.py").run()
    state.serve(empty_book())


def test_the_page_shows_paid_and_idle_and_the_options_side_by_side(page: AppTest) -> None:
    assert not page.exception
    assert page.title[0].value.endswith("how much of them is idle?")
    assert [metric.value for metric in page.metric][:2] == ["$3.60", "$3.60"]
    where = page.dataframe[-1].value
    assert where["Where"].to_list() == ["Managed API", "Self-hosted"]
    assert where["Costed by"].to_list() == ["token prices", "GPU time"]


def test_the_page_shows_prepaid_credit_and_what_is_left_of_it(page: AppTest, home: Path) -> None:
    assert "Prepaid credit" not in said(page)
    stated = Home.at(home).config / "commitments.yaml"
    stated.write_text("prepaid:\n  - {name: start, provider: openai, amount: 1, bought_on: 2020-01-01}\n")
    try:
        page.run()
        assert not page.exception
        (row,) = next(frame.value for frame in page.dataframe if "Credit" in frame.value.columns).to_numpy().tolist()
        # The vendor's one call: 1,002 tokens in at $0.15 and 101 out at $0.60 a million are $0.00021.
        assert row == ["start", "openai", "never", "$1.00", "$0.00021", "$0", "$1.00"]
    finally:
        stated.unlink()


def test_a_broken_file_is_named_with_its_line(page: AppTest, home: Path) -> None:
    rules = Home.at(home).config / "gpus.yaml"
    rules.write_text("pools:\n  - {name: house}\n", encoding="utf-8")
    try:
        page.run()
        assert not page.exception
        assert "gpus.yaml\\:2" in page.warning[0].value
    finally:
        rules.write_text(RULES, encoding="utf-8")


def test_without_capacity_the_page_says_how_to_state_it() -> None:
    state.serve(book_of(3))
    app = AppTest.from_file(APP, default_timeout=60)
    app.query_params["period"] = "all"
    app.switch_page("views/capacity.py").run()
    assert not app.exception
    assert "usd_per_hour: 2.49" in said(app)
