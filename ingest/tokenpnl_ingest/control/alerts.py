"""What was alerted, so that nobody is told twice, and who took note of it."""

from typing import Any

import sqlalchemy as sa

from tokenpnl.errors import RefusedInputError
from tokenpnl_ingest.control.chain import canonical
from tokenpnl_ingest.control.connected import Connected, object_of
from tokenpnl_ingest.control.records import Alert
from tokenpnl_ingest.control.tables import ALERTS


class Alerts(Connected):
    """The part of the control store that knows alerts."""

    def alert_sent(self, key: str) -> Alert | None:
        """Return what was sent under the key; None: nothing yet."""
        with self._reading() as connection:
            row = connection.execute(sa.select(ALERTS).where(ALERTS.c.key == key)).mappings().first()
        return _alert(row) if row else None

    def alerts(self) -> list[Alert]:
        """Return every alert, the one sent last first."""
        asked = sa.select(ALERTS).order_by(ALERTS.c.sent_at.desc(), ALERTS.c.key)
        with self._reading() as connection:
            return [_alert(row) for row in connection.execute(asked).mappings()]

    def record_alert(self, key: str, detail: dict[str, Any], *, actor: str = "alerts") -> None:
        """Note that an alert was sent now; sent again under its key it is unacknowledged again."""
        told = canonical(detail)
        with self._deed() as deed:
            again = {"sent_at": deed.at, "detail": told, "n_sent": ALERTS.c.n_sent + 1}
            cleared = {"acknowledged_at": None, "acknowledged_by": None, "reason": None}
            known = ALERTS.update().where(ALERTS.c.key == key).values(again | cleared)
            if not deed.connection.execute(known).rowcount:
                first = {"key": key, "first_sent_at": deed.at, "sent_at": deed.at, "n_sent": 1, "detail": told}
                deed.connection.execute(ALERTS.insert().values(first))
            deed.note(actor, "alert", {"key": key})

    def acknowledge(self, key: str, reason: str, *, actor: str) -> None:
        """Note that somebody has seen an alert, and why it needs nothing more.

        Raises:
            RefusedInputError: nothing was sent under the key, or the reason is empty.
        """
        if not reason.strip():
            raise RefusedInputError(f"alert {key!r} is acknowledged with a reason only; none was given")
        with self._deed() as deed:
            seen = {"acknowledged_at": deed.at, "acknowledged_by": actor, "reason": reason}
            if not deed.connection.execute(ALERTS.update().where(ALERTS.c.key == key).values(seen)).rowcount:
                raise RefusedInputError(f"no alert was sent under {key!r}; see `tokenpnl alerts list`")
            deed.note(actor, "acknowledge", {"key": key, "reason": reason})


def _alert(row: sa.RowMapping) -> Alert:
    return Alert(**{**row, "detail": object_of(row["detail"])})
