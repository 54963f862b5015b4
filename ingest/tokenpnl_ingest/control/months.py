"""Months: soft close, close, reopening, with the rates that were frozen; who signed for what stands in the way."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from tokenpnl.errors import RefusedInputError
from tokenpnl_ingest.control.chain import canonical
from tokenpnl_ingest.control.connected import Connected, Deed, object_of
from tokenpnl_ingest.control.records import Close, CloseState, Freeze, FxRate, MonthSpan, SignOff
from tokenpnl_ingest.control.tables import CLOSES, FX_RATES, SIGN_OFFS, utc_text


class Months(Connected):
    """The part of the control store that knows closes."""

    def soft_close(self, span: MonthSpan, *, preparer: str, detail: dict[str, Any]) -> Close:
        """Note that the month is soft closed, once more if it was; `detail` holds the accrual. Its figures still move.

        Raises:
            RefusedInputError: the month is closed.
        """
        with self._deed() as deed:
            if self._state(deed.connection, span.month) is CloseState.CLOSED:
                raise RefusedInputError(f"{span.month} is closed; reopen it first, with a reason")
            return _noted(deed, CloseState.SOFT, span, {"preparer": preparer, "detail": detail})

    def close(
        self,
        span: MonthSpan,
        *,
        people: tuple[str, str],
        snapshot_sha256: str,
        fx: Sequence[FxRate] = (),
        detail: dict[str, Any],
    ) -> Close:
        """Note that the month is closed: its figures are those of the snapshot from now on.

        Args:
            span: the month.
            people: preparer and approver, two persons.
            snapshot_sha256: overall hash of the snapshot's manifest.
            fx: rates that are frozen with it.
            detail: the manifest.

        Raises:
            RefusedInputError: the two are one person, or the month was not soft closed before.
        """
        insist_on_two_persons(span.month, *people)
        preparer, approver = people
        with self._deed() as deed:
            state = self._state(deed.connection, span.month)
            if state is not CloseState.SOFT:
                raise RefusedInputError(f"{span.month} is {state.value}; a month is soft closed before it is closed")
            told = {"preparer": preparer, "approver": approver, "snapshot_sha256": snapshot_sha256, "detail": detail}
            closed = _noted(deed, CloseState.CLOSED, span, told)
            for rate in fx:
                deed.connection.execute(FX_RATES.insert().values(close_id=closed.id, **vars(rate)))
                frozen = {"month": span.month, "currency": rate.currency, "usd_per_unit": f"{rate.usd_per_unit:f}"}
                deed.note(preparer, "freeze_fx", frozen | {"source": rate.source})
            return closed

    def reopen(self, month: str, *, actor: str, reason: str) -> Close:
        """Note that a soft closed or closed month is open again, for a reason.

        Raises:
            RefusedInputError: the month is neither, or the reason is empty.
        """
        if not reason.strip():
            raise RefusedInputError(f"{month} is reopened for a reason only; none was given")
        with self._deed() as deed:
            last = self._newest(deed.connection, month)
            if last is None or last.state is CloseState.REOPENED:
                raise RefusedInputError(f"{month} is open; there is nothing to reopen")
            return _noted(deed, CloseState.REOPENED, last.span, {"preparer": actor, "reason": reason, "detail": {}})

    def closes(self) -> list[Close]:
        """Return the newest step of every month that has one, by month."""
        newest = {step.month: step for step in self.close_steps()}
        return [newest[month] for month in sorted(newest)]

    def close_steps(self, month: str | None = None) -> list[Close]:
        """Return every step of one month, or of all, in the order in which they were taken."""
        asked = sa.select(CLOSES).order_by(CLOSES.c.id)
        if month is not None:
            asked = asked.where(CLOSES.c.month == month)
        with self._reading() as connection:
            return [_close(row) for row in connection.execute(asked).mappings()]

    def state_of(self, month: str) -> CloseState:
        """Return how far a month is."""
        with self._reading() as connection:
            return self._state(connection, month)

    def frozen_spans(self) -> list[tuple[datetime, datetime]]:
        """Return the spans [since, until) whose figures do not move now, by time."""
        return sorted((freeze.since, freeze.until) for freeze in self.freezes() if freeze.lifted_at is None)

    def freezes(self) -> list[Freeze]:
        """Return every span that was ever closed, by the time of its close, and when it was reopened."""
        steps = self.close_steps()
        return [
            Freeze(
                step.since,
                step.until,
                step.at,
                next((later.at for later in steps[place + 1 :] if later.month == step.month), None),
            )
            for place, step in enumerate(steps)
            if step.state is CloseState.CLOSED
        ]

    def fx_rates(self, month: str) -> list[FxRate]:
        """Return the rates that the month's newest close froze, by currency; none while it is not closed."""
        with self._reading() as connection:
            last = self._newest(connection, month)
            if last is None or last.state is not CloseState.CLOSED:
                return []
            asked = sa.select(FX_RATES).where(FX_RATES.c.close_id == last.id).order_by(FX_RATES.c.currency)
            rows = connection.execute(asked).all()
        return [FxRate(row.currency, row.usd_per_unit, row.source) for row in rows]

    def sign_off(self, month: str, subject: str, reason: str, *, actor: str) -> None:
        """Take responsibility for a condition of a month's close, such as `unpriced`.

        Raises:
            RefusedInputError: the reason is empty.
        """
        if not reason.strip():
            raise RefusedInputError(f"{subject} of {month} is signed with a reason only; none was given")
        with self._deed() as deed:
            row = {"month": month, "subject": subject, "reason": reason}
            by = {"signed_at": deed.at, "signed_by": actor}
            deed.connection.execute(SIGN_OFFS.insert().values(row | by))
            deed.note(actor, "sign_off", row)

    def sign_offs(self, month: str) -> list[SignOff]:
        """Return what was signed for the month since it was last reopened, in order."""
        asked = sa.select(SIGN_OFFS).where(SIGN_OFFS.c.month == month).order_by(SIGN_OFFS.c.id)
        reopened = [step.at for step in self.close_steps(month) if step.state is CloseState.REOPENED]
        with self._reading() as connection:
            signed = [SignOff(**row) for row in connection.execute(asked).mappings()]
        return [one for one in signed if not reopened or one.signed_at > reopened[-1]]

    def _newest(self, connection: sa.Connection, month: str) -> Close | None:
        asked = sa.select(CLOSES).where(CLOSES.c.month == month).order_by(CLOSES.c.id.desc()).limit(1)
        row = connection.execute(asked).mappings().first()
        return _close(row) if row else None

    def _state(self, connection: sa.Connection, month: str) -> CloseState:
        last = self._newest(connection, month)
        return last.state if last else CloseState.OPEN


def insist_on_two_persons(month: str, preparer: str, approver: str) -> None:
    """Refuse names that are one name in another spelling: case, spaces, width of letters, marks that nobody sees.

    Raises:
        RefusedInputError: the two are one person, or one has no name.
    """
    names = [_spelled(name) for name in (preparer, approver)]
    if not all(names):
        raise RefusedInputError(f"preparer and approver of {month} must be named; got {preparer!r} and {approver!r}")
    if names[0] == names[1]:
        raise RefusedInputError(
            f"preparer and approver of {month} must be two persons; {preparer!r} and {approver!r} are one"
        )


def _spelled(name: str) -> str:
    seen = "".join(letter for letter in unicodedata.normalize("NFKC", name) if unicodedata.category(letter) != "Cf")
    return unicodedata.normalize("NFKC", " ".join(seen.casefold().split()))


def _noted(deed: Deed, state: CloseState, span: MonthSpan, told: dict[str, Any]) -> Close:
    detail = told["detail"]
    row = {"approver": None, "reason": None, "snapshot_sha256": None} | told
    row |= vars(span) | {"state": state.value, "at": deed.at, "detail": canonical(detail)}
    number = deed.connection.scalar(CLOSES.insert().values(row).returning(CLOSES.c.id))
    kept = {name: value for name, value in told.items() if name != "detail" and value is not None}
    kept |= {"since": utc_text(span.since), "until": utc_text(span.until), "zone": span.zone}
    action = {CloseState.SOFT: "soft_close", CloseState.CLOSED: "close", CloseState.REOPENED: "reopen"}[state]
    deed.note(told["preparer"], action, {"id": number, "month": span.month, **kept})
    return Close(**{**row, "id": number, "state": state, "detail": detail})


def _close(row: sa.RowMapping) -> Close:
    return Close(**{**row, "state": CloseState(row["state"]), "detail": object_of(row["detail"])})
