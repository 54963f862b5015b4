"""The control store: price versions, closes, sign-offs, alerts, the audit chain. `ControlStore.of(home)` opens it."""

from tokenpnl_ingest.control.chain import AuditRow
from tokenpnl_ingest.control.records import (
    Alert,
    Close,
    CloseState,
    Freeze,
    FxRate,
    MonthSpan,
    PriceVersion,
    Rebook,
    Reconciled,
    Reconciliation,
    Scheduled,
    SignOff,
)
from tokenpnl_ingest.control.schedule import Section, sections
from tokenpnl_ingest.control.store import ControlStore

__all__ = [
    "Alert", "AuditRow", "Close", "CloseState", "ControlStore", "Freeze", "FxRate", "MonthSpan", "PriceVersion",
    "Rebook", "Reconciled", "Reconciliation", "Scheduled", "Section", "SignOff", "sections",
]  # fmt: skip
