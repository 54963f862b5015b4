"""Agents' contracts on every surface: the report, the memo of the statement and of the summary, the page of waste."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from streamlit.testing.v1 import AppTest
from tests.dashboard.frames import book_of
from tests.dashboard.months import NOVEMBER_5, OCTOBER_5, load, run
from tests.dashboard.test_pages import APP, opened, said

from tokenpnl_analytics.periods import Period
from tokenpnl_analytics.rules.agents import AgentsFile
from tokenpnl_dashboard import state
from tokenpnl_dashboard.book import open_book
from tokenpnl_dashboard.cli import tokenpnl as program
from tokenpnl_dashboard.questions.contracts import agents_frame, breaches_frame, checked, over_limit
from tokenpnl_dashboard.shapes import contract_tables
from tokenpnl_ingest.home import Home

ALL = Period("all", None, None)
ONE_STEP = AgentsFile.model_validate({"agents": [{"agent": "desk", "limits": {"max_steps": 1}}]})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home in which October has a run of three calls and November one of two; each call costs $0.021."""
    home = Home.at(tmp_path_factory.mktemp("contracts"))
    home.config.mkdir(parents=True)
    (home.config / "agents.yaml").write_text("agents: [{agent: desk, limits: {max_steps: 1}}]")
    load(home, *run(1, OCTOBER_5, 2, 3, 4), *run(2, NOVEMBER_5, 2, 3))
    return home


def told(home: Home, *words: str) -> Any:
    done = CliRunner().invoke(program, ["report", *words, "--home", str(home.path), "--json"], standalone_mode=False)
    assert done.exception is None, done.output
    return json.loads(done.stdout)


def test_every_breach_is_reported_with_its_span_and_its_price(home: Home) -> None:
    with open_book(home) as book:
        rows = breaches_frame(checked(book, ONE_STEP, ALL)).to_dicts()
    assert [(row["run_id"], row["clause"], row["value"], str(row["over_limit_usd"])) for row in rows] == [
        ("run-1", "max_steps", "3", "0.042000000000"),
        ("run-2", "max_steps", "2", "0.021000000000"),
    ]
    assert rows[0]["span_id"] == f"{1:08x}{3:08x}"


def test_over_limit_cost_is_of_the_period_and_of_what_was_asked_for(home: Home) -> None:
    november = Period("2026-11", NOVEMBER_5.replace(day=1), None)
    with open_book(home) as book:
        found = checked(book, ONE_STEP, ALL)
    assert found is not None
    assert over_limit(found, november, {})["run_id"].unique().to_list() == ["run-2"]
    assert over_limit(found, ALL, {"customer_id": ["acme"]}).is_empty()
    assert over_limit(found, ALL, {"customer_id": [None]})["run_id"].n_unique() == 2


def test_without_a_contract_nothing_is_checked_and_without_its_agent_nothing_is_found(home: Home) -> None:
    other = AgentsFile.model_validate({"agents": [{"agent": "nobody"}]})
    with open_book(home) as book:
        assert checked(book, AgentsFile(), ALL) is None
        assert agents_frame(checked(book, other, ALL)).is_empty()
    assert agents_frame(None).is_empty()
    assert breaches_frame(None).is_empty()


def test_a_table_for_eyes_names_clause_limit_and_cost(home: Home) -> None:
    with open_book(home) as book:
        found = checked(book, ONE_STEP, ALL)
    assert found is not None
    assert contract_tables.agents(agents_frame(found)).rows() == [("desk", "2", "2", "0%", "$0.0630")]
    assert contract_tables.breaches(found.breaches).row(0) == (
        *("run-1", "desk", "Steps", "1", "3", "$0.0420"),
        f"{1:08x}{3:08x}",
    )


def test_every_surface_says_the_same_over_limit_cost(home: Home) -> None:
    assert told(home, "summary")["memo"]["over_limit_usd"] == "0.063"
    rows = told(home, "pnl", "--by", "month")
    rows = rows["rows"] if isinstance(rows, dict) else rows
    assert [row["over_limit_usd"] for row in rows] == ["0.042", "0.021"]
    assert [row["effective_usd"] for row in rows] == ["0.063", "0.042"]


def test_the_page_of_waste_shows_over_limit_cost_as_a_memo_with_every_breach(home: Home) -> None:
    with open_book(home) as book:
        state.serve(book, home)
        app = AppTest.from_file(APP, default_timeout=60)
        app.query_params["period"] = "all"
        app.switch_page("views/waste.py").run()
        assert not app.exception
        agents, breaches = (frame.value for frame in app.dataframe[-2:])
    assert "Memo: what ran past an agent's contract" in said(app)
    assert "Never added in" in said(app)
    assert agents.to_numpy().tolist() == [["desk", "2", "2", "0%", "$0.0630"]]
    assert [expander.label for expander in app.expander] == ["2 breaches"]
    assert breaches.iloc[:, 0].to_list() == ["run-1", "run-2"]


def test_without_a_contract_the_page_of_waste_has_no_memo() -> None:
    assert "Memo: what ran past" not in said(opened("waste", book_of(40), period="all"))


@pytest.mark.parametrize("words", [("pnl", "--by", "agent"), ("contracts", "--by", "model")], ids=" ".join)
def test_by_agent_belongs_to_contracts(words: tuple[str, ...], tmp_path: Path) -> None:
    done = CliRunner().invoke(program, ["report", *words, "--home", str(tmp_path)])
    assert done.exit_code == 2
    assert "--by agent belongs to contracts" in done.stderr
