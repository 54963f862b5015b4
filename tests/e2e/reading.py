"""Rows from a served collector's read API."""

import json
from typing import Any

import pyarrow as pa
from tests.ingest.test_receiver_http import call

from tokenpnl_ingest.home import Running


def rows(running: Running, table: str, **params: object) -> list[dict[str, Any]]:
    """Return rows of a table as dicts."""
    asked = {"name": "table", "params": {"name": table, **params}}
    answer = call(running, "POST", "/api/query", json.dumps(asked).encode())
    assert answer.status == 200, answer.content
    return pa.ipc.open_stream(answer.content).read_all().to_pylist()
