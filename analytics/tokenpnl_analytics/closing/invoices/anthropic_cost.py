"""Anthropic, `GET /v1/organizations/cost_report`: dollars by day, workspace, model and token type.

`amount` is a decimal string in *cents*. Grouped by description a result tells `cost_type` (tokens, web_search,
code_execution, session_usage), `model`, `token_type`, `service_tier`, `context_window`, `inference_geo`; ungrouped they
are null. `workspace_id` null is the default workspace. The cost of the Priority tier is not in this report at all.
"""

from decimal import Decimal
from typing import Any

from tokenpnl.model import ChargeKind, UsageKind
from tokenpnl_analytics.closing.invoices.amounts import exact, money
from tokenpnl_analytics.closing.invoices.form import DEFAULT_ACCOUNT, OTHER_SERVICE, OUTPUT, Fault, Invoice
from tokenpnl_analytics.closing.invoices.pages import Bucketed, gather, pages_of

SOURCE = "Anthropic cost report"
PRIORITY_ABSENT = "Anthropic's cost report leaves out the Priority tier; its commitment is on the invoice only"
_CENTS = Decimal(100)
_TOKEN_TYPES = {
    "uncached_input_tokens": UsageKind.INPUT_UNCACHED.value,
    "cache_read_input_tokens": UsageKind.INPUT_CACHE_READ.value,
    "cache_creation.ephemeral_5m_input_tokens": UsageKind.INPUT_CACHE_WRITE_5M.value,
    "cache_creation.ephemeral_1h_input_tokens": UsageKind.INPUT_CACHE_WRITE_1H.value,
    "output_tokens": OUTPUT,
}


def recognises(document: object) -> bool:
    """Return whether the JSON holds pages of this report."""
    return any("amount" in result and "workspace_id" in result for _, result in pages_of(document))


def read(document: object, *, name: str) -> Invoice:
    """Return the report in the normal form.

    Raises:
        RefusedInputError: a result's amount is no decimal string of US cents, or its token type is not known; every
            such one is listed.
    """
    found = gather(document, _line, name=name, source=SOURCE)
    return Invoice(found.lines, found.source, (*found.notes, PRIORITY_ABSENT))


def _line(at: Bucketed, result: dict[str, Any]) -> list[dict[str, Any]] | Fault:
    cents, currency = result.get("amount"), result.get("currency")
    amount = money(cents) if isinstance(cents, str) else None
    if amount is None or currency != "USD":
        return Fault(at.row, f"expected amount, a decimal string of US cents, got {cents!r} {currency!r}")
    token_type, cost_type = result.get("token_type"), result.get("cost_type")
    if token_type is not None and token_type not in _TOKEN_TYPES:
        known = ", ".join(_TOKEN_TYPES)
        return Fault(at.row, f"token_type is {token_type!r}, expected one of {known}")
    kind = _TOKEN_TYPES[token_type] if token_type else _service(cost_type)
    tier = result.get("service_tier")
    line = {
        "provider": "anthropic",
        "account": result.get("workspace_id") or DEFAULT_ACCOUNT,
        "day": at.day,
        "model": result.get("model"),
        "usage_kind": kind,
        "cost": exact(amount / _CENTS),
        "currency": currency,
        "charge_category": "Credit" if amount < 0 else "Usage",
        "service_tier": None if tier == "standard" else tier,
        "description": result.get("description"),
    }
    return [line]


def _service(cost_type: str | None) -> str | None:
    if cost_type is None or cost_type == "tokens":
        return None
    known = (ChargeKind.WEB_SEARCH.value, ChargeKind.CODE_EXECUTION.value)
    return cost_type if cost_type in known else OTHER_SERVICE
