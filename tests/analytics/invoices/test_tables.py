"""Tables as text."""

import io

import polars as pl
import pytest

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.closing.invoices.tables import collected, each, tabular


def test_text_is_stripped_and_the_empty_is_unknown() -> None:
    table = tabular("\ufeffa;b\n x ; \n".encode(), name="t.csv")
    assert collected(table.text(["a", "b", "c"]), name="t.csv").rows() == [("row 2", "x", None, None)]


def test_a_row_with_more_fields_than_the_head_is_refused() -> None:
    with pytest.raises(RefusedInputError, match="more fields"):
        tabular(b"a,b\n1,2\n1,2,3,4\n", name="t.csv")


def test_a_table_that_breaks_off_is_refused() -> None:
    content = io.BytesIO()
    pl.DataFrame({"a": ["x" * 50] * 1000}).write_parquet(content, compression="uncompressed")
    broken = content.getvalue().replace(b"x" * 50, b"\xff" * 50)
    with pytest.raises(RefusedInputError, match=r"t\.parquet cannot be read to its end"):
        collected(tabular(broken, name="t.parquet").text(["a"]), name="t.parquet")


@pytest.mark.parametrize("content", [b"PAR1 and no more", b"", b"\xff\xfe,\x00\n"])
def test_what_is_no_table_is_refused(content: bytes) -> None:
    with pytest.raises(RefusedInputError, match="cannot be read as"):
        tabular(content, name="t")


def test_each_distinct_value_is_read_once() -> None:
    asked: list[str] = []
    frame = pl.DataFrame({"x": ["a", None, "a", "b"]})

    def reading(value: str) -> str:
        asked.append(value)
        return value.upper()

    assert frame.select(each(frame, "x", reading, pl.String()))["x"].to_list() == ["A", None, "A", "B"]
    assert asked == ["a", "b"]
