"""The control store, opened by `ControlStore.of(home)`: price versions, closes, sign-offs, alerts, scenarios, audit."""

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
    SavedScenario,
    Scheduled,
    SignOff,
)
from tokenpnl_ingest.control.schedule import Section, sections
from tokenpnl_ingest.control.store import ControlStore

__all__ = [
    "Alert", "AuditRow", "Close", "CloseState", "ControlStore", "Freeze", "FxRate", "MonthSpan", "PriceVersion",
    "Rebook", "Reconciled", "Reconciliation", "SavedScenario", "Scheduled", "Section", "SignOff", "sections",
]  # fmt: skip
