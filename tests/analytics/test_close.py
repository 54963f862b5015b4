from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from tests.analytics.closed_lines import line, lines_of

from tokenpnl.tables import LINE_ITEMS
from tokenpnl_analytics.closing.close import Frozen, differences, manifest, overall_sha256, with_origin
from tokenpnl_analytics.closing.digest import digest
from tokenpnl_analytics.frames import conform

OCTOBER = {"month": "2026-10", "since": datetime(2026, 10, 1, tzinfo=UTC), "until": datetime(2026, 11, 1, tzinfo=UTC),
           "zone": "UTC"}  # fmt: skip
LINES = lines_of(
    line("a/output_text", "0.000009"), line("b/output_text", None, quantity=7),
    line("c/fee", "2", usage_kind="fee", quantity=1),
)  # fmt: skip


@pytest.fixture(scope="module")
def frozen(rows: SimpleNamespace) -> Frozen:
    return Frozen(
        LINES,
        rows.runs({"outcome": "success"}, {"outcome": "failure"}, {}),
        {"outcomes.yaml": "version: 1\n"},
        {"EUR": Decimal("1.0800")},
        {"card 1": "ab" * 32, "old card": None},
    )


@pytest.fixture(scope="module")
def listed(frozen: Frozen) -> dict[str, Any]:
    return manifest(frozen, **OCTOBER)


def test_the_manifest_counts_rows_tokens_and_money(listed: dict[str, Any], frozen: Frozen) -> None:
    assert listed["line_items"] == {
        "rows": 3, "sha256": digest(LINES), "tokens": 1007, "unpriced_rows": 1, "list_cost_usd": "2.000009",
        "contracted_cost_usd": "2.000009", "cost_usd": "2.000009",
    }  # fmt: skip
    assert listed["runs"]["outcomes"] == {"success": 1, "failure": 1, "abandoned": 0, "none": 1}
    assert listed["rules"] == {"outcomes.yaml": sha256(b"version: 1\n").hexdigest()}
    assert listed["fx"] == {"EUR": "1.08"}
    assert listed["prices"] == {"card 1": "ab" * 32, "old card": None}
    assert (listed["since"], listed["until"]) == ("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z")


def test_one_hash_covers_all_of_it(listed: dict[str, Any]) -> None:
    assert listed["sha256"] == overall_sha256(listed)
    assert overall_sha256({"b": 1, "a": "é", "sha256": "any"}) == sha256('{"a":"é","b":1}'.encode()).hexdigest()


def test_the_hash_does_not_depend_on_the_order_of_rows(frozen: Frozen, listed: dict[str, Any]) -> None:
    turned = Frozen(LINES.reverse(), frozen.runs.reverse(), frozen.rules, frozen.fx, frozen.prices)
    assert manifest(turned, **OCTOBER) == listed


def test_differences_are_told_part_by_part(frozen: Frozen, listed: dict[str, Any]) -> None:
    other = manifest(Frozen(LINES, frozen.runs, {}, {}, frozen.prices), **OCTOBER)
    told = differences(listed, other)
    assert [sentence.split(" is ")[0] for sentence in told] == ["fx", "rules", "sha256"]
    assert told[0] == 'fx is {}, but {"EUR": "1.08"} was closed'
    assert differences(listed, dict(listed)) == []


def test_line_items_of_a_close_know_their_origin() -> None:
    assert with_origin(conform(LINES, LINE_ITEMS))["origin_period"].null_count() == 3
    adjustment = LINES.head(1).with_columns(pl.lit("2026-09").alias("origin_period"))
    assert with_origin(adjustment)["origin_period"].to_list() == ["2026-09"]


def test_money_that_nobody_knows_is_null(frozen: Frozen) -> None:
    unpriced = Frozen(lines_of(line("b/output_text", None)), frozen.runs, {}, {}, {})
    assert manifest(unpriced, **OCTOBER)["line_items"]["cost_usd"] is None
