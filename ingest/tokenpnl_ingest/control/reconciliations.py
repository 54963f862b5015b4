"""Results of invoice reconciliation, and the signed reasons for what they leave unexplained."""

import sqlalchemy as sa

from tokenpnl.errors import RefusedInputError
from tokenpnl_ingest.control.chain import canonical
from tokenpnl_ingest.control.connected import Connected, object_of
from tokenpnl_ingest.control.records import Reconciled, Reconciliation
from tokenpnl_ingest.control.tables import RECONCILIATIONS

_OF_RESULT = ("month", "provider", "account", "passed", "billed_usd", "traced_usd", "unexplained_usd")


class Reconciliations(Connected):
    """The part of the control store that knows invoices."""

    def record_reconciliation(self, result: Reconciled, *, actor: str) -> int:
        """Store a result and return its number; it replaces an earlier one of its provider, account and month.

        What was signed before does not cover the new figures.
        """
        row = vars(result) | {"detail": canonical(result.detail)}
        with self._deed() as deed:
            by = {"recorded_at": deed.at, "recorded_by": actor}
            inserted = RECONCILIATIONS.insert().values(row | by).returning(RECONCILIATIONS.c.id)
            number = int(deed.connection.scalar(inserted) or 0)
            unexplained = None if result.unexplained_usd is None else f"{result.unexplained_usd:f}"
            key = {name: row[name] for name in ("month", "provider", "account", "passed")}
            deed.note(actor, "record_reconciliation", {"id": number, **key, "unexplained_usd": unexplained})
        return number

    def reconciliations(self, month: str) -> list[Reconciliation]:
        """Return the newest result of every provider and account of the month, by provider and account."""
        table = RECONCILIATIONS.c
        asked = sa.select(RECONCILIATIONS).where(table.month == month).order_by(table.id)
        with self._reading() as connection:
            rows = connection.execute(asked).mappings().all()
        newest = {(row["provider"], row["account"]): _reconciliation(row) for row in rows}
        return [newest[key] for key in sorted(newest)]

    def reconciled_months(self) -> list[str]:
        """Return the months that have a result, in order."""
        asked = sa.select(RECONCILIATIONS.c.month).distinct().order_by(RECONCILIATIONS.c.month)
        with self._reading() as connection:
            return list(connection.scalars(asked))

    def sign(self, number: int, reason: str, *, actor: str) -> None:
        """Take responsibility for what a result leaves unexplained.

        Raises:
            RefusedInputError: there is no such result, or the reason is empty.
        """
        if not reason.strip():
            raise RefusedInputError(f"reconciliation {number} is signed with a reason only; none was given")
        with self._deed() as deed:
            signed = {"signed_at": deed.at, "signed_by": actor, "signed_reason": reason}
            chosen = RECONCILIATIONS.c.id == number
            if not deed.connection.execute(RECONCILIATIONS.update().where(chosen).values(signed)).rowcount:
                raise RefusedInputError(f"there is no reconciliation {number} to sign")
            deed.note(actor, "sign_reconciliation", {"id": number, "reason": reason})


def _reconciliation(row: sa.RowMapping) -> Reconciliation:
    told = {name: value for name, value in row.items() if name not in _OF_RESULT and name != "detail"}
    result = Reconciled(**{name: row[name] for name in _OF_RESULT}, detail=object_of(row["detail"]))
    return Reconciliation(**told, result=result)
