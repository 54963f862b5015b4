"""Rows as Arrow tables of the contract."""

from decimal import Decimal

import pyarrow as pa
import pytest

from tokenpnl.schema import Table
from tokenpnl.tables import FACTS, OUTCOMES, TABLES
from tokenpnl_ingest.rows import arrow_schema, arrow_table


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_table_has_an_arrow_schema_in_contract_order(table: Table) -> None:
    schema = arrow_schema(table)
    assert tuple(schema.names) == table.names
    assert [field.nullable for field in schema] == [not column.required for column in table.columns]


@pytest.mark.parametrize("table", FACTS, ids=lambda table: table.name)
def test_no_rows_are_an_empty_table_of_the_schema(table: Table) -> None:
    assert arrow_table(table, [], 1, 1).schema == arrow_schema(table)


def test_arrival_is_stamped_on_and_money_and_time_keep_their_digits() -> None:
    row = {
        "outcome_id": "o",
        "status": "success",
        "value_usd": Decimal("0.000000000001"),
        "effective_at": 1_764_000_000_000_000_001,
    }
    (back,) = arrow_table(OUTCOMES, [row], 1_764_000_000_000_000_002, 7).to_pylist()
    table = arrow_table(OUTCOMES, [row], 1_764_000_000_000_000_002, 7)
    assert back["value_usd"] == Decimal("0.000000000001")
    assert table["effective_at"].cast(pa.int64()).to_pylist() == [1_764_000_000_000_000_001]
    assert table["recorded_at"].cast(pa.int64()).to_pylist() == [1_764_000_000_000_000_002]
    assert back["batch_no"] == 7
