"""The normal form and its refusals."""

import polars as pl
import pytest

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.closing.invoices.form import INVOICE_LINES, Fault, invoice_lines, refuse


def test_what_a_file_does_not_tell_is_null_or_at_its_default() -> None:
    lines = invoice_lines(pl.DataFrame({"provider": ["openai"]}))
    assert lines.schema == INVOICE_LINES
    (row,) = lines.to_dicts()
    assert {name: value for name, value in row.items() if value is not None} == {
        "provider": "openai", "charge_category": "Usage", "commitment": False, "spread": False,
    }  # fmt: skip


def test_a_file_with_a_fault_is_refused_whole() -> None:
    refuse([], name="a.csv", source="FOCUS")
    with pytest.raises(RefusedInputError, match=r"a\.csv is not taken as FOCUS, nothing of it was read: row 3: no day"):
        refuse([Fault("row 3", "no day")], name="a.csv", source="FOCUS")
