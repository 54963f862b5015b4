"""Findings and verdicts of a reconciliation as sentences."""

from datetime import date
from typing import Any

from tokenpnl_analytics.closing.invoice_charges import AMORTISED
from tokenpnl_dashboard import words

STEP = {
    "traced": "Traced cost",
    "coverage": "Coverage",
    "price": "Price",
    "commitment": "Commitments",
    "credits": "Credits and free tier",
    "fees_and_tax": "Fees and tax",
    "fx_residual": "Exchange rates (fx residual)",
    "timing": "Timing",
    "unexplained": "Unexplained",
    "billed": "Billed",
}
STEP_MEANING = {
    "traced": "what the line items of these providers add up to",
    "coverage": "tokens billed and not traced, at the billed price; in parentheses: traced and not billed",
    "price": "the same tokens at another price",
    "commitment": "reserved throughput billed beyond what the books amortise",
    "credits": "credits, refunds, and tokens billed at nothing",
    "fees_and_tax": "charges beside usage",
    "fx_residual": "rate of the invoice's date against the month's average",
    "timing": "calls near midnight UTC that were billed on the day beside",
    "unexplained": "charges that tell no tokens, so that coverage and price cannot be told apart",
    "billed": "what the invoices add up to",
}
LEVEL = {
    "kind": "by day, model and token kind",
    "model": "by day and model, because the invoice tells no token kind",
    "day": "by day, because the invoice tells no model",
}


def finding(row: dict[str, Any]) -> str:
    """Return a row of `findings` as a sentence that names what it is and how large.

    Args:
        row: columns of `FINDINGS`.
    """
    return _SENTENCES[row["step"]](row)


def verdict(row: dict[str, Any]) -> str:
    """Return a row of `verdicts` as a sentence: whether it passes, by how much, and what that rests on."""
    within = "within tolerance" if row["passed"] else "outside tolerance"
    unexplained = words.usd(row["unexplained_usd"])
    if row["needs_reason"]:
        unexplained += f", over {words.usd(row['unexplained_limit_usd'])}: closes with a signed reason only"
    level = LEVEL.get(row["level"] or "", "without usage")
    residual = f"{words.usd(row['residual_usd'])} (limit {words.usd(row['tolerance_usd'])})"
    daily = f"{words.usd(row['daily_residual_usd'])} (limit {words.usd(row['daily_tolerance_usd'])})"
    accuracy = f"{words.percent(row['price_accuracy'])} on {words.percent(row['matched_share'])} of the usage billed"
    return (
        f"{seller(row)}: {within}. Residual {residual}; by day and model {daily}; unexplained {unexplained}. "
        f"Coverage {words.percent(row['coverage_share'])} of the billed tokens; price accuracy {accuracy}; "
        f"matched {level}.{_of_spread(row)}"
    )


def _of_spread(row: dict[str, Any]) -> str:
    if not row["spread_usd"]:
        return ""
    usage = words.usd(row["spread_usd"])
    return (
        f" {usage} of the usage is billed in rows of more than a day, spread over their days by hours: it is judged "
        "over the days of its row, and by day it is no measurement."
    )


def seller(row: dict[str, Any]) -> str:
    """Return provider and account, the account only where accounts are told apart."""
    provider: str = row["provider"]
    return provider if row["account"].startswith("(all") else f"{provider}, account {row['account']}"


def _coverage(row: dict[str, Any]) -> str:
    what = _tokens(row)
    if row["amount_usd"] > 0:
        return f"{what} billed on {_span(row)} and not traced: {words.usd(row['amount_usd'])}"
    twice = "spans may count twice (a proxy and an SDK both instrumented), or the invoice is not complete"
    return f"{what} traced on {_span(row)} and not billed: {words.usd(row['amount_usd'])}; {twice}"


def _price(row: dict[str, Any]) -> str:
    amount, model = words.usd(row["amount_usd"]), row["model"] or "usage without model"
    if row["ratio"] is None:
        return f"{model} has no price in the traces and was billed {amount} on {_span(row)}"
    return f"{model} was billed at {row['ratio']:.4g} times the traced price on {_span(row)}: {amount}"


def _commitment(row: dict[str, Any]) -> str:
    if row["detail"] == AMORTISED:
        return f"{words.usd(row['size_usd'])} of commitments is {AMORTISED}"
    return f"{row['detail']} of {words.usd(row['amount_usd'])} is a commitment on the invoice"


def _credits(row: dict[str, Any]) -> str:
    if row["detail"] is None:
        return f"{_tokens(row)} billed at nothing on {_span(row)}: {words.usd(row['amount_usd'])}"
    # A credit takes off, as its name says; only one that adds is strange enough for a sign.
    amount = row["size_usd"] if row["amount_usd"] < 0 else -row["size_usd"]
    return f"{row['detail']} of {words.usd(amount)} is on the invoice and not in the traces"


def _fees(row: dict[str, Any]) -> str:
    return f"{row['detail'] or 'A charge'} of {words.usd(row['amount_usd'])} is on the invoice and not in the traces"


def _fx(row: dict[str, Any]) -> str:
    amount = words.usd(row["amount_usd"])
    return f"{row['detail']} at the rate of the invoice's date instead of the month's average: {amount}"


def _timing(row: dict[str, Any]) -> str:
    net = words.usd(row["amount_usd"])
    what = f"{words.usd(row['size_usd'])} of {_models(row)}"
    return f"{what} traced on {_day(row['first_day'])} was billed on {_day(row['last_day'])}; net {net} in the month"


def _unexplained(row: dict[str, Any]) -> str:
    hint = "the invoice tells no tokens; give the provider's usage report too"
    return f"{words.usd(row['amount_usd'])} of {_models(row)} on {_span(row)} cannot be explained: {hint}"


_SENTENCES = {
    "coverage": _coverage,
    "price": _price,
    "commitment": _commitment,
    "credits": _credits,
    "fees_and_tax": _fees,
    "fx_residual": _fx,
    "timing": _timing,
    "unexplained": _unexplained,
}


def _tokens(row: dict[str, Any]) -> str:
    if not row["tokens"]:
        return f"Usage of {_models(row)} was"
    return f"{abs(row['tokens']):,} tokens of {_models(row)} were"


def _models(row: dict[str, Any]) -> str:
    if row["model"] is not None:
        return str(row["model"])
    n = row["n_models"] or 0
    return f"{n} models" if n > 1 else "no named model"


def _span(row: dict[str, Any]) -> str:
    first, last = row["first_day"], row["last_day"]
    return _day(first) if first == last else f"{_day(first)} to {_day(last)}"


def _day(day: date) -> str:
    return f"{day:%-d %b %Y}"
