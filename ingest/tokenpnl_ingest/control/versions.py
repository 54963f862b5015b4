"""Price versions, when each is in force, and requests to book again."""

import hashlib
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from tokenpnl.errors import RefusedInputError
from tokenpnl_ingest.control.chain import canonical
from tokenpnl_ingest.control.connected import Connected, object_of
from tokenpnl_ingest.control.records import PriceVersion, Rebook, Scheduled
from tokenpnl_ingest.control.tables import ABOUT, PRICE_VERSIONS, REBOOKS, SCHEDULES, utc_text

_ABOUT_VERSION = [column for column in PRICE_VERSIONS.c if column.name != "content"]
_ABOUT_REBOOK = [column for column in REBOOKS.c if column.name != "finished_at"]


class Versions(Connected):
    """The part of the control store that knows prices."""

    def record_version(self, version: str, content: bytes, sources: dict[str, Any], *, actor: str) -> bool:
        """Store a rate card under its version and return whether it was new; a version never changes its content.

        Args:
            version: name and hash of the card, as line items carry it.
            content: the card as bytes.
            sources: files and packages that it was made of, with their hashes; JSON.
            actor: who brought it.

        Raises:
            RefusedInputError: the version is stored with another content.
        """
        digest = hashlib.sha256(content).hexdigest()
        if self._known_digest(version) == digest:
            return False
        with self._deed() as deed:
            known = _digest_of(deed.connection, version)
            if known not in (None, digest):
                raise RefusedInputError(
                    f"price version {version!r} is stored with another content (sha256 {known[:12]}, now "
                    f"{digest[:12]}); give the new card a version of its own"
                )
            if known is None:
                row = {"version": version, "content": content, "content_sha256": digest, "sources": canonical(sources)}
                by = {"recorded_at": deed.at, "recorded_by": actor}
                deed.connection.execute(PRICE_VERSIONS.insert().values(row | by))
                deed.note(actor, "record_version", {"version": version, "sha256": digest, "sources": sources})
            return known is None

    def versions(self) -> list[PriceVersion]:
        """Return every stored version, oldest first."""
        asked = sa.select(*_ABOUT_VERSION).order_by(PRICE_VERSIONS.c.recorded_at, PRICE_VERSIONS.c.version)
        with self._reading() as connection:
            rows = connection.execute(asked).mappings().all()
        return [PriceVersion(**{**row, "sources": object_of(row["sources"])}) for row in rows]

    def version_content(self, version: str) -> bytes:
        """Return the bytes of a stored card.

        Raises:
            RefusedInputError: no such version; the message names those that exist.
        """
        asked = sa.select(PRICE_VERSIONS.c.content).where(PRICE_VERSIONS.c.version == version)
        with self._reading() as connection:
            content = connection.scalar(asked)
        if content is None:
            raise RefusedInputError(f"no price version {version!r}; there are {self._names()}")
        return bytes(content)

    def schedule(
        self,
        version: str,
        since: datetime | None,
        until: datetime | None,
        reason: str,
        *,
        actor: str,
        into_closed: bool = False,
    ) -> Scheduled:
        """Post that the version prices the usage of [since, until); None is open. A later posting wins on its span.

        Closed months keep the prices of their close, unless `into_closed` says that they are to be read anew beside it.

        Raises:
            RefusedInputError: no such version, or a span that ends before it begins.
        """
        _check_span(since, until)
        if self._known_digest(version) is None:
            raise RefusedInputError(f"no price version {version!r} to schedule; there are {self._names()}")
        row = {"version": version, "since": since, "until": until, "reason": reason, "into_closed": into_closed}
        with self._deed() as deed:
            by = {"posted_at": deed.at, "posted_by": actor}
            number = int(deed.connection.scalar(SCHEDULES.insert().values(row | by).returning(SCHEDULES.c.id)) or 0)
            told = {"id": number, "version": version, "reason": reason, "into_closed": into_closed}
            deed.note(actor, "schedule", told | _told(since, until))
            return Scheduled(id=number, **row, **by)  # type: ignore[arg-type]  # the columns are the fields

    def schedules(self) -> list[Scheduled]:
        """Return the postings in their order; `schedule.sections` says what they come to."""
        with self._reading() as connection:
            rows = connection.execute(sa.select(SCHEDULES).order_by(SCHEDULES.c.id)).mappings().all()
        return [Scheduled(**row) for row in rows]

    def request_rebook(self, since: datetime | None, until: datetime | None, reason: str, *, actor: str) -> int:
        """Ask the bookkeeper to book the usage of [since, until) again, and return the request's number."""
        _check_span(since, until)
        row = {"since": since, "until": until, "reason": reason}
        with self._deed() as deed:
            by = {"requested_at": deed.at, "requested_by": actor}
            number = int(deed.connection.scalar(REBOOKS.insert().values(row | by).returning(REBOOKS.c.id)) or 0)
            deed.note(actor, "request_rebook", {"id": number, "reason": reason, **_told(since, until)})
        return number

    def open_rebooks(self) -> list[Rebook]:
        """Return the requests that are not finished, oldest first."""
        asked = sa.select(*_ABOUT_REBOOK).where(REBOOKS.c.finished_at.is_(None)).order_by(REBOOKS.c.id)
        with self._reading() as connection:
            return [Rebook(**row) for row in connection.execute(asked).mappings()]

    def finish_rebook(self, number: int, *, actor: str = "bookkeeper") -> None:
        """Note that a request is done; once more is no error."""
        with self._deed() as deed:
            still_open = (REBOOKS.c.id == number) & REBOOKS.c.finished_at.is_(None)
            done = deed.connection.execute(REBOOKS.update().where(still_open).values(finished_at=deed.at))
            if done.rowcount:
                deed.note(actor, "finish_rebook", {"id": number})

    def remembered(self, name: str) -> str | None:
        """Return what was last remembered under the name; None: nothing."""
        with self._reading() as connection:
            value: str | None = connection.scalar(sa.select(ABOUT.c.value).where(ABOUT.c.name == name))
        return value

    def remember(self, name: str, value: str, *, actor: str) -> None:
        """Keep a short text under a name, in the place of what was there."""
        with self._deed() as deed:
            deed.connection.execute(ABOUT.delete().where(ABOUT.c.name == name))
            deed.connection.execute(ABOUT.insert().values(name=name, value=value))
            deed.note(actor, "remember", {"name": name, "value": value})

    def _known_digest(self, version: str) -> str | None:
        with self._reading() as connection:
            return _digest_of(connection, version)

    def _names(self) -> str:
        return ", ".join(known.version for known in self.versions()) or "none yet"


def _digest_of(connection: sa.Connection, version: str) -> str | None:
    asked = sa.select(PRICE_VERSIONS.c.content_sha256).where(PRICE_VERSIONS.c.version == version)
    digest: str | None = connection.scalar(asked)
    return digest


def _check_span(since: datetime | None, until: datetime | None) -> None:
    if since is not None and until is not None and until <= since:
        raise RefusedInputError(f"the span {since.isoformat()} to {until.isoformat()} ends before it begins")


def _told(since: datetime | None, until: datetime | None) -> dict[str, str | None]:
    return {name: None if at is None else utc_text(at) for name, at in (("since", since), ("until", until))}
