"""What `import tokenpnl` gives and what it costs."""

import ast
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tokenpnl

README = Path(__file__).parents[2] / "sdk" / "README.md"
DETAIL = Path(__file__).parents[2] / "docs" / "sdk.md"
HEAVY = {"duckdb", "polars", "pandas", "numpy", "streamlit", "pydantic", "grpc", "requests", "google.protobuf"}


def python(program: str) -> str:
    """Return what a program prints in a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    return done.stdout


def test_the_public_names_are_sorted_and_there() -> None:
    assert list(tokenpnl.__all__) == sorted(tokenpnl.__all__)
    assert all(hasattr(tokenpnl, name) for name in tokenpnl.__all__)


@pytest.mark.parametrize("name", tokenpnl.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    doc = inspect.getdoc(getattr(tokenpnl, name)) or ""
    assert doc.splitlines()[0].endswith((".", "...``.", ":"))
    assert f"`{name}" in README.read_text(encoding="utf-8")


def test_the_programs_of_the_documents_are_valid_and_use_names_that_exist() -> None:
    documents = README.read_text(encoding="utf-8") + DETAIL.read_text(encoding="utf-8")
    programs = re.findall(r"```python\n(.*?)```", documents, re.DOTALL)
    assert len(programs) == 5
    for program in programs:
        compile(program, str(README), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        used = set(re.findall(r"tokenpnl\.(\w+)", program)) - {"customer"}
        assert used <= set(tokenpnl.__all__)


def test_a_plain_import_loads_nothing_heavy() -> None:
    loaded = json.loads(python("import tokenpnl, sys, json; print(json.dumps(sorted(sys.modules)))"))
    assert HEAVY & set(loaded) == set()
    assert "opentelemetry.sdk.trace" not in loaded
