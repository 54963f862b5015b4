"""Unit costs against those before: the words of a difference, and the report that asks for it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.dashboard.months import NOVEMBER_5, OCTOBER_5, load, run

from tokenpnl_dashboard.cli import tokenpnl as program
from tokenpnl_dashboard.shapes.unit_tables import difference
from tokenpnl_ingest.home import Home

SURE = {"refused_because": None, "ratio": 1.27, "low": 1.12, "high": 1.45, "differs": True}


def test_a_difference_is_told_with_its_interval() -> None:
    assert difference(SURE) == "27% dearer (95% interval 12% dearer to 45% dearer)"
    unsure = SURE | {"ratio": 0.88, "low": 0.7, "high": 1.2, "differs": False}
    assert difference(unsure) == "no difference shown: 12% cheaper (95% interval 30% cheaper to 20% dearer)"
    assert difference(SURE | {"high": None}) == "27% dearer (95% interval 12% dearer to no bound)"


def test_a_refused_comparison_says_why() -> None:
    assert difference({"refused_because": "few"}) == "not compared: few"


def test_a_report_against_an_earlier_period_refuses_thin_figures(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    load(home, *run(1, OCTOBER_5, 2), *run(2, NOVEMBER_5, 2))
    asked = ["report", "units", "--period", "2026-11", "--against", "2026-10", "--home", str(home.path)]
    told = CliRunner().invoke(program, [*asked, "--json"], standalone_mode=False)
    assert told.exception is None, told.output
    document = json.loads(told.stdout)
    rows = document["rows"] if isinstance(document, dict) else document
    assert rows[0]["refused_because"] == "fewer than 10 successes on one side: at least, no comparison"
    assert "not compared" in CliRunner().invoke(program, asked, standalone_mode=False).stdout


@pytest.mark.parametrize("words", [("pnl",), ("units", "--by", "day")], ids=" ".join)
def test_against_belongs_to_unit_costs_by_what_runs_have(words: tuple[str, ...], tmp_path: Path) -> None:
    done = CliRunner().invoke(program, ["report", *words, "--against", "2026-10", "--home", str(tmp_path)])
    assert done.exit_code == 2 or done.exception is not None
