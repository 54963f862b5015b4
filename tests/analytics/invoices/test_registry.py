"""Formats told apart by content."""

import gzip
import io
import json
from typing import Any

import polars as pl
import pytest

from tokenpnl.errors import RefusedInputError, TooLargeError
from tokenpnl_analytics.closing.invoices import registry
from tokenpnl_analytics.closing.invoices.registry import read_invoice, together

COSTS = {
    "data": [
        {
            "start_time": 1_791_331_200,
            "end_time": 1_791_417_600,
            "results": [
                {"object": "organization.costs.result", "amount": {"value": 0.1, "currency": "usd"}, "line_item": None}
            ],
        }
    ]
}
FOCUS = "BilledCost,BillingCurrency,ChargeCategory,ChargePeriodStart,ProviderName\n{cost},USD,Tax,2026-10-01,OpenAI\n"


def as_json(document: Any = COSTS) -> bytes:
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "content",
    [as_json(), as_json([COSTS]), as_json() + b"\n" + as_json({"data": []}), gzip.compress(as_json())],
    ids=["page", "pages", "lines", "gzip"],
)
def test_pages_are_known_however_they_are_packed(content: bytes) -> None:
    invoice = read_invoice(content, name="x")
    assert invoice.source == "OpenAI costs"
    assert invoice.lines.height == 1


def test_two_members_of_gzip_are_one_file() -> None:
    halves = gzip.compress(FOCUS[:40].encode()) + gzip.compress(FOCUS[40:].format(cost=1).encode())
    assert read_invoice(halves, name="x").source == "FOCUS"


def test_a_number_of_json_passes_through_no_float() -> None:
    exact = as_json().replace(b"0.1,", b"0.100000000001,")
    assert f"{read_invoice(exact, name='x').lines['cost'][0]}" == "0.100000000001"


def test_parquet_is_known() -> None:
    content = io.BytesIO()
    pl.read_csv(io.StringIO(FOCUS.format(cost=1))).write_parquet(content)
    assert read_invoice(content.getvalue(), name="x").source == "FOCUS"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"data": []}', "JSON of no report that is known"),
        (b'{"data": [', "neither a JSON document"),
        (b"a,b\n1,2\n", "has the columns a, b"),
        (b"\x1f\x8bnothing", "begins as gzip and is none"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:-9], "ends too early"),
    ],
)
def test_what_is_not_known_is_refused_with_what_is(content: bytes, reason: str) -> None:
    with pytest.raises(RefusedInputError, match=reason):
        read_invoice(content, name="x")


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MOST_BYTES", 1000)
    with pytest.raises(TooLargeError):
        read_invoice(gzip.compress(b"a" * 100_000), name="x")


def test_the_same_charge_in_two_files_is_refused() -> None:
    once = read_invoice(as_json(), name="a")
    with pytest.raises(RefusedInputError, match="two files hold the same line of openai on 2026-10-07"):
        together([once, once])


def test_a_provider_billed_by_two_formats_is_refused() -> None:
    both = [read_invoice(as_json(), name="a"), read_invoice(FOCUS.format(cost=1).encode(), name="b")]
    with pytest.raises(RefusedInputError, match="billed by FOCUS and by OpenAI costs"):
        together(both)
