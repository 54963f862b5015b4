"""The table contract: every table and column of the product, with type, unit and one sentence.

This is the one home of the schema: the store compiles it to DDL, the journal to Arrow, analytics to Polars.
Facts are stored as they arrived; derived tables can always be rebuilt from them.
A column is nullable unless `required`; NULL means unknown, never zero.
"""

from tokenpnl.book_tables import (
    ATTEMPTS,
    CALLS,
    CAPACITY_ITEMS,
    DUPLICATES,
    FEES,
    KIND_COLUMNS,
    LINE_ITEMS,
    LINKS,
    RUNS,
    UNBOOKED,
)
from tokenpnl.fact_tables import BATCHES, EVALUATIONS, METRICS, OUTCOMES, QUARANTINE, REPORTED_USAGE, RESOURCES, SPANS
from tokenpnl.schema import Table, integer, must, text, time

__all__ = [
    "ATTEMPTS", "BATCHES", "BOOKED", "CALLS", "CAPACITY_BOOKED", "CAPACITY_ITEMS", "DERIVED", "DUPLICATES",
    "EVALUATIONS", "FACTS", "FEES", "KIND_COLUMNS", "LINE_ITEMS", "LINKS", "METRICS", "OUTCOMES", "QUARANTINE",
    "REPORTED_USAGE", "RESOURCES", "RUNS", "SPANS", "TABLES", "UNBOOKED",
]  # fmt: skip

BOOKED = Table(
    "booked",
    "one bookkeeping round: every batch up to `batch_no` is in the derived tables",
    (
        must(integer("batch_no", "Last journal batch of the round.")),
        must(time("booked_at", "When the round was committed.")),
    ),
)

CAPACITY_BOOKED = Table(
    "capacity_booked",
    "how far `capacity_items` go: one row",
    (
        must(integer("batch_no", "Every batch up to it is in them.")),
        must(time("since", "Every hour from it on is in them.")),
        must(time("until", "Every hour up to it is in them.")),
        must(text("rules_hash", "Rules of pools and commitments that they were made by.")),
    ),
)

FACTS = (SPANS, RESOURCES, OUTCOMES, EVALUATIONS, METRICS, QUARANTINE, BATCHES)
DERIVED = (ATTEMPTS, CALLS, FEES, RUNS, LINE_ITEMS, DUPLICATES, LINKS, UNBOOKED)
TABLES = (*FACTS, *DERIVED, CAPACITY_ITEMS, BOOKED, CAPACITY_BOOKED)
