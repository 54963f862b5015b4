"""The vocabulary of the table contract: a type, a column, a table. The tables themselves are in `tables`."""

from dataclasses import dataclass, field
from enum import StrEnum


class Type(StrEnum):
    """Column types; each engine has one rendering of each."""

    TEXT = "text"
    INT = "int"  # signed 64 bit
    FLOAT = "float"  # double; estimates and durations, never money
    BOOL = "bool"
    MONEY = "money"  # Decimal(38, 12)
    TIME = "time"  # UTC, nanoseconds


@dataclass(frozen=True)
class Column:
    """One column: its name carries the unit, `doc` says what it holds."""

    name: str
    type: Type
    doc: str
    required: bool = False


@dataclass(frozen=True)
class Table:
    """One table: `grain` says what one row is."""

    name: str
    grain: str
    columns: tuple[Column, ...] = field(repr=False)

    def __getitem__(self, name: str) -> Column:
        """Return the column of that name.

        Raises:
            KeyError: when the table has no such column.
        """
        return {column.name: column for column in self.columns}[name]

    @property
    def names(self) -> tuple[str, ...]:
        """The column names in order."""
        return tuple(column.name for column in self.columns)


def text(name: str, doc: str) -> Column:
    """Return a text column."""
    return Column(name, Type.TEXT, doc)


def integer(name: str, doc: str) -> Column:
    """Return a 64-bit integer column."""
    return Column(name, Type.INT, doc)


def real(name: str, doc: str) -> Column:
    """Return a double column; never for money."""
    return Column(name, Type.FLOAT, doc)


def boolean(name: str, doc: str) -> Column:
    """Return a boolean column."""
    return Column(name, Type.BOOL, doc)


def money(name: str, doc: str) -> Column:
    """Return a Decimal(38, 12) column in USD."""
    return Column(name, Type.MONEY, doc)


def time(name: str, doc: str) -> Column:
    """Return a UTC nanosecond column."""
    return Column(name, Type.TIME, doc)


def must(column: Column) -> Column:
    """Return the column as one that is never NULL."""
    return Column(column.name, column.type, column.doc, required=True)
