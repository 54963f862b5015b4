import hashlib
import random
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl_analytics.closing.digest import digest
from tokenpnl_analytics.frames import MONEY, TIME

ROWS = pl.DataFrame(
    {
        "name": ["é:1", None],
        "usd": [Decimal("0.000009"), Decimal(-12)],
        "n": [3, None],
        "at": [datetime(2026, 10, 1, tzinfo=UTC), None],
        "billed": [True, None],
        "score": [0.5, None],
    },
    schema={"name": pl.String, "usd": MONEY, "n": pl.Int64, "at": TIME, "billed": pl.Boolean, "score": pl.Float64},
)


def cells(*texts: str) -> str:
    return "".join(f"{len(text.encode())}:{text}" for text in texts)


def test_the_digest_is_the_one_that_a_reader_computes_by_hand() -> None:
    head = cells(
        "name:String", "usd:Decimal(precision=38, scale=12)", "n:Int64",
        "at:Datetime(time_unit='ns', time_zone='UTC')", "billed:Boolean", "score:Float64",
    )  # fmt: skip
    # 1 October 2026 is day 20,727; 0.5 is 0x3FE0000000000000; é takes two bytes.
    first = "4:é:1" + cells("0.000009000000", "3", f"{20_727 * 86_400}000000000", "true", str(0x3FE0 << 48))
    second = "-" + cells("-12.000000000000") + "----"
    hashes = sorted(hashlib.sha256(row.encode()).digest() for row in (first, second))
    assert digest(ROWS) == hashlib.sha256(head.encode() + b"".join(hashes)).hexdigest()


@given(st.lists(st.tuples(st.text(max_size=3), st.none() | st.integers(-5, 5)), max_size=8), st.randoms())
def test_order_and_batches_do_not_count(rows: list[tuple[str, int | None]], chance: random.Random) -> None:
    schema = {"name": pl.String, "n": pl.Int64}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    moved = list(rows)
    chance.shuffle(moved)
    again = pl.concat([pl.DataFrame([row], schema=schema, orient="row") for row in moved] or [frame], rechunk=False)
    assert digest(again) == digest(frame)


@pytest.mark.parametrize(
    "other",
    [
        ROWS.with_columns(pl.col("name").fill_null("")),
        ROWS.with_columns(pl.col("usd") + Decimal("0.000000000001")),
        ROWS.with_columns(pl.col("n").fill_null(0)),
        ROWS.rename({"n": "m"}),
        ROWS.select("usd", "name", "n", "at", "billed", "score"),
        ROWS.with_columns(pl.col("n").cast(pl.Int32)),
        pl.concat([ROWS, ROWS.head(1)]),
        ROWS.head(1),
    ],
)
def test_any_other_content_has_another_digest(other: pl.DataFrame) -> None:
    assert digest(other) != digest(ROWS)


def test_text_cannot_pretend_to_be_two_cells() -> None:
    joined, split = pl.DataFrame({"a": ["x1:y"], "b": ["z"]}), pl.DataFrame({"a": ["x"], "b": ["y1:z"]})
    assert digest(joined) != digest(split)


def test_a_type_without_a_spelling_is_refused() -> None:
    with pytest.raises(ValueError, match="column 'a' is List"):
        digest(pl.DataFrame({"a": [[1]]}))
