"""An outcome of a run that nobody knows yet is kept, and said to be so."""

from pathlib import Path

from click.testing import CliRunner
from tests.dashboard.months import OCTOBER_5, load, run

from tokenpnl_dashboard.cli import tokenpnl as program
from tokenpnl_ingest.home import Home


def test_an_outcome_of_an_unknown_run_is_kept_and_said_to_be_so(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    load(home, *run(1, OCTOBER_5, 2))
    known, wrong = (
        CliRunner().invoke(program, ["outcome", name, "success", "--home", str(home.path)], standalone_mode=False)
        for name in ("run-1", "run-7")
    )
    assert (known.return_value, known.stderr) == (0, "")
    assert (wrong.return_value, wrong.stderr) == (
        0, "no run of run-7 is known yet; the outcome is kept and counts when one comes\n",
    )  # fmt: skip
