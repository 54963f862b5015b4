"""Anthropic, `GET /v1/organizations/usage_report/messages`: tokens by day, workspace and model; no dollars.

The groups are disjoint: `uncached_input_tokens`, `cache_read_input_tokens`, `cache_creation` by lifetime,
`output_tokens`; web searches are in `server_tool_use`. Buckets are of a minute, an hour or a day.
"""

from typing import Any

from tokenpnl.model import ChargeKind, UsageKind
from tokenpnl_analytics.closing.invoices.amounts import whole
from tokenpnl_analytics.closing.invoices.form import DEFAULT_ACCOUNT, OUTPUT, Fault, Invoice
from tokenpnl_analytics.closing.invoices.pages import Bucketed, gather, pages_of

SOURCE = "Anthropic usage report"


def recognises(document: object) -> bool:
    """Return whether the JSON holds pages of this report."""
    return any("uncached_input_tokens" in result for _, result in pages_of(document))


def read(document: object, *, name: str) -> Invoice:
    """Return the report in the normal form, one line a model and kind; a kind of 0 tokens has none.

    Raises:
        RefusedInputError: a result has no model, or a count is no whole number; every such one is listed.
    """
    found = gather(document, _lines, name=name, source=SOURCE)
    prioritised = found.lines["service_tier"].str.starts_with("priority").any()
    notes = ("Priority-tier tokens are in this usage report and not in the cost report",) if prioritised else ()
    return Invoice(found.lines, found.source, (*found.notes, *notes))


def _lines(at: Bucketed, result: dict[str, Any]) -> list[dict[str, Any]] | Fault:
    model, tier = result.get("model"), result.get("service_tier")
    if not isinstance(model, str):
        return Fault(at.row, f"expected model (group_by=model), got {model!r}")
    written = result.get("cache_creation") or {}
    searched = result.get("server_tool_use") or {}
    told = {
        UsageKind.INPUT_UNCACHED: result.get("uncached_input_tokens"),
        UsageKind.INPUT_CACHE_READ: result.get("cache_read_input_tokens", 0),
        UsageKind.INPUT_CACHE_WRITE_5M: written.get("ephemeral_5m_input_tokens", 0),
        UsageKind.INPUT_CACHE_WRITE_1H: written.get("ephemeral_1h_input_tokens", 0),
        OUTPUT: result.get("output_tokens"),
        ChargeKind.WEB_SEARCH: searched.get("web_search_requests", 0),
    }
    counts = {str(kind): whole(value) for kind, value in told.items()}
    wrong = [f"{kind} is {told[kind]!r}" for kind in told if counts[str(kind)] is None]
    if wrong:
        return Fault(at.row, f"{', '.join(wrong)}, expected a whole number of tokens")
    line = {
        "provider": "anthropic",
        "account": result.get("workspace_id") or DEFAULT_ACCOUNT,
        "day": at.day,
        "model": model,
        "service_tier": None if tier == "standard" else tier,
    }
    return [line | {"usage_kind": kind, "quantity": count} for kind, count in counts.items() if count]
