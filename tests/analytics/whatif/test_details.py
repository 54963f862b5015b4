"""What spans say of prompts: lists of fingerprints out of their attributes."""

import json
from datetime import UTC, datetime

import polars as pl

from tokenpnl_analytics.whatif.details import SPAN_COLUMNS, call_details


def said(attributes: dict[str, object]) -> dict[str, object]:
    at = datetime(2026, 10, 5, tzinfo=UTC)
    row = ("t", "s", "v", at, None, json.dumps(attributes))
    return call_details(pl.DataFrame([row], schema=list(SPAN_COLUMNS), orient="row")).row(0, named=True)


def test_fingerprints_of_messages_and_blocks_are_lists_in_order() -> None:
    found = said({"tokenpnl.prompt.messages": ["b2", "a1"], "tokenpnl.prompt.blocks": ["c3"]})
    assert (found["messages"], found["blocks"]) == (["b2", "a1"], ["c3"])


def test_what_is_no_list_of_texts_is_unknown() -> None:
    found = said({"tokenpnl.prompt.messages": "b2"})
    assert (found["messages"], found["blocks"]) == (None, None)
