"""The repository keeps its own promises: short files, true READMEs, locks without addresses."""

import re
import subprocess
from pathlib import Path

import pytest

from tokenpnl import tables
from tokenpnl_dashboard.cli import VERBS

ROOT = Path(__file__).parents[1]
PACKAGES = ["sdk/tokenpnl", "ingest/tokenpnl_ingest", "analytics/tokenpnl_analytics", "dashboard/tokenpnl_dashboard"]
FOLDERS = ["sdk", "ingest", "analytics", "dashboard", "tests", "sample_traces", "examples", "benchmarks"]


def tracked(pattern: str) -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", pattern],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [ROOT / line for line in listing.stdout.splitlines() if (ROOT / line).exists()]


def test_python_files_stay_under_400_lines() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in tracked("*.py")}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_folder_explains_itself_on_one_page(folder: str) -> None:
    lines = (ROOT / folder / "README.md").read_text().splitlines()
    assert 5 < len(lines) <= 80


def test_locks_carry_hashes_and_no_address() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / lock).read_text()
        pins = re.findall(r"^[a-z0-9].*==", text, re.MULTILINE)
        assert len(pins) > 50
        assert text.count("--hash=sha256:") >= len(pins)
        assert "://" not in text
        assert "index-url" not in text.replace("--no-emit-index-url", "")


def test_every_path_that_the_readme_names_exists() -> None:
    for readme in [ROOT / "README.md", *(ROOT / folder / "README.md" for folder in FOLDERS)]:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", readme.read_text()):
            assert (readme.parent / target).exists(), f"{readme.relative_to(ROOT)} points to {target}"


def test_every_verb_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text()
    assert [verb for verb in VERBS if f"tokenpnl {verb}" not in text] == []


@pytest.mark.parametrize("table", tables.TABLES, ids=lambda table: table.name)
def test_every_column_says_what_it_holds(table: tables.Table) -> None:
    assert len(set(table.names)) == len(table.names)
    assert [column.name for column in table.columns if not column.doc.endswith(".")] == []
