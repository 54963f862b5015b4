"""The table contract as SQLAlchemy tables of the attached database, and its DDL."""

from typing import Any

import sqlalchemy as sa
from duckdb_sqlalchemy import Dialect
from duckdb_sqlalchemy.datatypes import TimestampNs
from sqlalchemy.schema import CreateTable

from tokenpnl.schema import Table, Type
from tokenpnl.tables import TABLES

CATALOG = "store"
DIALECT = Dialect(paramstyle="numeric_dollar")

_SQL: dict[Type, Any] = {
    Type.TEXT: sa.Text(),
    Type.INT: sa.BigInteger(),
    Type.FLOAT: sa.Double(),
    Type.BOOL: sa.Boolean(),
    Type.MONEY: sa.Numeric(38, 12),
    Type.TIME: TimestampNs(),
}


def _sql_table(metadata: sa.MetaData, table: Table) -> sa.Table:
    # No key and no index: duplicates are kept out by the load, and ART indexes are in most reports of corrupt files.
    columns = (sa.Column(c.name, _SQL[c.type], nullable=not c.required) for c in table.columns)
    return sa.Table(table.name, metadata, *columns, schema=CATALOG)


METADATA = sa.MetaData()
SQL_TABLES = {table.name: _sql_table(METADATA, table) for table in TABLES}
CONTRACT = {table.name: table for table in TABLES}


def create_statements() -> list[str]:
    """Return one CREATE TABLE IF NOT EXISTS per table."""
    tables = METADATA.tables.values()
    return [str(CreateTable(table, if_not_exists=True).compile(dialect=DIALECT)) for table in tables]
