import pytest

from tokenpnl import tables
from tokenpnl.schema import Table, Type, must, text

TABLES = [table for table in vars(tables).values() if isinstance(table, Table)]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_tables_columns_are_distinct_and_each_has_its_sentence(table: Table) -> None:
    assert len(set(table.names)) == len(table.columns)
    assert all(column.doc.endswith(".") for column in table.columns)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_money_is_in_usd_and_money_alone_is_decimal(table: Table) -> None:
    named = {column.name for column in table.columns if column.name.endswith("_usd")}
    assert named <= {column.name for column in table.columns if column.type in {Type.MONEY, Type.FLOAT}}


def test_a_column_is_found_by_name_and_a_wrong_name_is_an_error() -> None:
    table = Table("t", "one row", (must(text("a", "A.")),))
    assert table["a"].required
    with pytest.raises(KeyError):
        table["b"]
