"""OpenAI, `GET /v1/organization/costs`: dollars by day, project and line item.

A page holds buckets of a day in UTC (`start_time`, `end_time`, Unix seconds) with `results`: `amount.value`,
`amount.currency` (lower case), `line_item` (such as `gpt-5.4-2026-03-05, cached input`) and `project_id`, the last two
null unless the report was grouped by them; newer reports give `quantity`. Tokens are in the usage report.
"""

from typing import Any

from tokenpnl_analytics.closing.invoices.amounts import money, whole
from tokenpnl_analytics.closing.invoices.form import DEFAULT_ACCOUNT, OTHER_SERVICE, Fault, Invoice
from tokenpnl_analytics.closing.invoices.kinds import kind_of, tier_of
from tokenpnl_analytics.closing.invoices.pages import Bucketed, gather, pages_of

SOURCE = "OpenAI costs"
RESULT = "organization.costs.result"


def recognises(document: object) -> bool:
    """Return whether the JSON holds pages of this report."""
    return any(result.get("object") == RESULT for _, result in pages_of(document))


def read(document: object, *, name: str) -> Invoice:
    """Return the report in the normal form.

    Raises:
        RefusedInputError: a result has no day, amount or currency; every such one is listed.
    """
    return gather(document, _line, name=name, source=SOURCE)


def _line(at: Bucketed, result: dict[str, Any]) -> list[dict[str, Any]] | Fault:
    amount = result.get("amount")
    value = money(amount.get("value")) if isinstance(amount, dict) else None
    currency = amount.get("currency") if isinstance(amount, dict) else None
    if value is None or not isinstance(currency, str):
        return Fault(at.row, f"amount is {amount!r}, expected {{value: a number, currency: a code}}")
    words = result.get("line_item")
    model, kind = _told(words)
    line = {
        "provider": "openai",
        "account": result.get("project_id") or DEFAULT_ACCOUNT,
        "day": at.day,
        "model": model,
        "usage_kind": kind,
        "quantity": whole(result.get("quantity")),
        "cost": value,
        "currency": currency.upper(),
        "charge_category": "Credit" if value < 0 else "Usage",
        "service_tier": tier_of(words or ""),
        "description": words,
    }
    return [line]


def _told(words: str | None) -> tuple[str | None, str | None]:
    """Return model and kind of a line item; both None where the report was not grouped by it."""
    if not words:
        return None, None
    model, comma, meter = words.partition(",")
    kind = kind_of(meter if comma else words)
    if comma and kind is not None:
        return model.strip(), kind
    return None, kind or OTHER_SERVICE
