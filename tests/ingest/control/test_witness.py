"""What an intruder with the database's password changes in the tables, the audit chain does not know."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from tests.ingest.control.conftest import Place

from tokenpnl_ingest.control import MonthSpan, Reconciled
from tokenpnl_ingest.control.engines import engine_of

OCTOBER = MonthSpan("2026-10", datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
BILL = Reconciled(
    "2026-10", "openai", "org", passed=False, billed_usd=None, traced_usd=None, unexplained_usd=None, detail={}
)

FORGED = """
INSERT INTO sign_offs (month, subject, reason, signed_at, signed_by)
VALUES ('2026-11', 'u', 'x', '2026-11-04T00:00:00.000000Z', 'ann')
"""


@pytest.fixture
def closed(place: Place) -> Place:
    """A home with a price version in force, an invoice that somebody signed for, and a closed month."""
    with place.open() as control:
        control.record_version("v1", b"{}", {}, actor="ann")
        control.schedule("v1", None, None, "first", actor="ann")
        control.sign(control.record_reconciliation(BILL, actor="ann"), "credit follows", actor="bob")
        control.sign_off("2026-10", "unpriced", "small", actor="ann")
        control.soft_close(OCTOBER, preparer="ann", detail={})
        control.close(OCTOBER, people=("ann", "bob"), snapshot_sha256="ab" * 32, detail={})
        assert control.verify() == []
    return place


def edited(place: Place, statement: str) -> list[str]:
    engine = engine_of(place.url)
    with engine.begin() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()
    with place.open() as control:
        return control.verify()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE closes SET approver = 'eve' WHERE id = 2", "closes 2: approver is not what the audit chain tells"),
        ("UPDATE closes SET state = 'reopened' WHERE id = 2", "closes 2: state is not what the audit chain tells"),
        (
            "UPDATE closes SET until = '2026-10-02T00:00:00.000000Z' WHERE id = 2",
            "closes 2: until is not what the audit chain tells",
        ),
        ("DELETE FROM closes WHERE id = 2", "closes 2 is told by the audit chain, but is gone from the database"),
        ("UPDATE reconciliations SET passed = true", "reconciliations 1: passed is not what the audit chain tells"),
        (
            "UPDATE reconciliations SET signed_by = 'cfo'",
            "reconciliations 1: who signed for it is not what the audit chain tells",
        ),
        (
            "UPDATE schedules SET since = '2026-10-02T00:00:00.000000Z'",
            "schedules 1: since is not what the audit chain tells",
        ),
        (
            "UPDATE price_versions SET content_sha256 = 'x'",
            "price version v1 is not the one that the audit chain tells of",
        ),
        ("DELETE FROM sign_offs", "2026-10: ann signed unpriced, but that is gone from the database"),
        (
            FORGED,
            "2026-11: u is signed by ann in the database, but the audit chain does not know it",
        ),
    ],
)
def test_a_table_that_says_otherwise_is_found(closed: Place, statement: str, told: str) -> None:
    assert edited(closed, statement) == [told]


def test_what_was_accepted_with_the_chain_is_told_no_more(closed: Place) -> None:
    (told,) = edited(closed, "DELETE FROM sign_offs")
    with closed.open() as control:
        assert control.accept_chain(actor="cfo", reason="restored by hand") == [told]
        assert control.verify() == []
