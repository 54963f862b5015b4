"""What the control store hands out: frozen records, times aware and UTC, money exact."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any


class CloseState(StrEnum):
    """How far a month is; a month without a record is open."""

    OPEN = "open"
    SOFT = "soft"
    CLOSED = "closed"
    REOPENED = "reopened"


@dataclass(frozen=True)
class PriceVersion:
    """A rate card as it was stored; the content is asked for by its version."""

    version: str
    content_sha256: str
    sources: dict[str, Any]
    recorded_at: datetime
    recorded_by: str


@dataclass(frozen=True)
class Scheduled:
    """A posting: the version prices the usage of [since, until); None is open on that side.

    Args:
        into_closed: it also changes how months read that were closed then; their closed figures stand all the same.
    """

    id: int
    version: str
    since: datetime | None
    until: datetime | None
    reason: str
    posted_at: datetime
    posted_by: str
    into_closed: bool = False


@dataclass(frozen=True)
class Rebook:
    """A request to book the usage of [since, until) again."""

    id: int
    since: datetime | None
    until: datetime | None
    reason: str
    requested_at: datetime
    requested_by: str


@dataclass(frozen=True)
class MonthSpan:
    """A month such as `2026-10` in a reporting zone, and the UTC span [since, until) that it is."""

    month: str
    since: datetime
    until: datetime
    zone: str = "UTC"


@dataclass(frozen=True)
class FxRate:
    """The month's average rate of a currency, frozen by the close."""

    currency: str
    usd_per_unit: Decimal
    source: str


@dataclass(frozen=True)
class Close:
    """One step of a month: soft closed, closed under a hash, or reopened for a reason."""

    id: int
    month: str
    state: CloseState
    since: datetime
    until: datetime
    zone: str
    at: datetime
    preparer: str
    approver: str | None
    reason: str | None
    snapshot_sha256: str | None
    detail: dict[str, Any]

    @property
    def span(self) -> MonthSpan:
        """The month that it is about."""
        return MonthSpan(self.month, self.since, self.until, self.zone)


@dataclass(frozen=True)
class Freeze:
    """A span whose figures did not move from `at` until `lifted_at`; None: they still do not."""

    since: datetime
    until: datetime
    at: datetime
    lifted_at: datetime | None


@dataclass(frozen=True)
class Reconciled:
    """An invoice set against the traces, per provider, account and month.

    Args:
        passed: within the tolerances.
        billed_usd: net, as invoiced.
        traced_usd: what the line items of the month add up to.
        unexplained_usd: what no step of the waterfall explains; signed.
        detail: the waterfall and whatever else the page shows, JSON.
    """

    month: str
    provider: str
    account: str
    passed: bool
    billed_usd: Decimal | None
    traced_usd: Decimal | None
    unexplained_usd: Decimal | None
    detail: dict[str, Any]


@dataclass(frozen=True)
class Reconciliation:
    """A stored result, and who took responsibility for what it leaves unexplained."""

    id: int
    result: Reconciled
    recorded_at: datetime
    recorded_by: str
    signed_at: datetime | None
    signed_by: str | None
    signed_reason: str | None

    @property
    def settled(self) -> bool:
        """Whether it blocks no close: it passed, or somebody signed for the rest."""
        return self.result.passed or self.signed_at is not None


@dataclass(frozen=True)
class SignOff:
    """Somebody's responsibility for a condition of a month's close, such as `unpriced`."""

    id: int
    month: str
    subject: str
    reason: str
    signed_at: datetime
    signed_by: str


@dataclass(frozen=True)
class Alert:
    """What was sent under a key, and whether somebody took note with a reason."""

    key: str
    first_sent_at: datetime
    sent_at: datetime
    n_sent: int
    detail: dict[str, Any]
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    reason: str | None


@dataclass(frozen=True)
class SavedScenario:
    """A what-if scenario file as it was saved last under its name."""

    name: str
    content: str
    saved_at: datetime
    saved_by: str
