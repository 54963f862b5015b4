"""Scenarios that a home keeps: saved, listed, dropped from the command line."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tokenpnl.errors import ConfigurationError
from tokenpnl_dashboard.cli import tokenpnl

FILE = """
name: batch at night
scenarios:
  - {name: nightly, family: reprice, service_tier: batch, where: {step: label_check}}
"""


def told(home: Path, *words: str) -> Result:
    words = ("whatif", *words, "--home", str(home))
    return CliRunner().invoke(tokenpnl, words, standalone_mode=False, catch_exceptions=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "night.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


def test_a_saved_scenario_is_listed_until_it_is_dropped(tmp_path: Path, file: Path) -> None:
    told(tmp_path, "save", str(file), "--by", "ann")
    [row] = json.loads(told(tmp_path, "list", "--json").stdout)
    assert (row["scenario"], row["saved_by"]) == ("batch at night", "ann")
    told(tmp_path, "drop", "batch at night", "--by", "bob")
    assert json.loads(told(tmp_path, "list", "--json").stdout) == []


def test_a_file_that_breaks_the_model_is_not_kept(tmp_path: Path, file: Path) -> None:
    file.write_text(FILE.replace("batch,", "cheapest,"), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"night.yaml:4: scenarios.0.reprice.service_tier"):
        told(tmp_path, "save", str(file))
    assert json.loads(told(tmp_path, "list", "--json").stdout) == []


def test_an_empty_list_says_how_to_keep_one(tmp_path: Path) -> None:
    assert "tokenpnl whatif save" in told(tmp_path, "list").stdout
