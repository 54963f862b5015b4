"""How a report is laid out for eyes: rounded, with its units, and no wider than a terminal can show."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import polars as pl

from tokenpnl_analytics.statement import GRAINS
from tokenpnl_dashboard import words
from tokenpnl_dashboard.shapes.statement_table import NO_INVOICE, OF_INVOICES

_MOST_ACROSS = 5
_BILL = ("traced_usd", "billed_usd")
"""What says so where no invoice is reconciled; else every step does, also with 0."""
_FACTORS = ("design_effect", "runs_per_business_id")
_CONTRIBUTION = ("cost_usd", "successes", "usd_per_success")
_BRIEF = {
    "pnl": (
        *("effective_usd", "billed_usd", "budget_usd", "budget_variance_usd", "n_runs", "successes", "usd_per_success"),
        *("productive_usd", "without_result_usd", "pending_usd", "evaluation_usd", "unattributed_usd", "priced_share"),
    ),
    "units": (
        *("settled_usd", "low", "high", "to_date_usd", "expected_usd"),
        *("n_runs", "n_settled", "successes", "outcome_coverage", "priced_share"),
    ),
    "usage": ("usage_kind", "quantity", "cost_usd", "n_lines", "n_unpriced_lines"),
    "categories": ("cost_usd", "share", "reversed_cost_usd", "n_lines", "n_unpriced_lines"),
    "causes": ("cause", "gross_usd", "share", "addressable_usd", "n_lines"),
    "unattributed": ("provider", "model", "cost_usd", "n_lines"),
    "contracts": ("clause", "limit", "value", "n_past", "n_runs", "n_broken", "within_share", "over_limit_usd"),
}

_NAMED_BY = {
    "usage": (),
    "unattributed": ("lacks", "step"),
    "contracts": ("agent", "run_id"),
    "categories": ("cost_category",),
    "causes": ("cost_category",),
}
"""Reports with a row for each of these, whatever they are asked by."""


def for_eyes(what: str, found: pl.DataFrame, by: str | None) -> pl.DataFrame:
    """Return a report as text: first the columns that name a row, then its figures.

    Few values of the dimension stand side by side with the lines down, which leaves room for every line that says
    something. Many stand below each other, the dearest first and periods in order, with the main figures only.

    Args:
        what: pnl, usage, units, categories, causes, unattributed or contracts.
        found: the report.
        by: its dimension or grain; None for the whole.
    """
    key = "period" if by in GRAINS else by
    if what in _NAMED_BY:
        named = [name for name in _NAMED_BY[what] if name in found.columns]
        return _values_down(
            found, [*([key] if key in found.columns and key not in named else []), *named], _BRIEF[what]
        )
    if "workflow" in found.columns and key != "workflow":
        return _values_down(found, ["workflow", *([key] if key else [])], _CONTRIBUTION)
    if key and found.height > _MOST_ACROSS:
        if by not in GRAINS:
            cost = "effective_usd" if what == "pnl" else "settled_usd"
            found = found.sort(cost, descending=True, nulls_last=True, maintain_order=True)
        return _values_down(
            found, [key], [name for name in _BRIEF[what] if name in found.columns and _says(found[name])]
        )
    return _lines_down(found, key)


def _values_down(found: pl.DataFrame, keys: list[str], brief: Sequence[str]) -> pl.DataFrame:
    measures = [name for name in brief if name in found.columns]
    columns = {
        **{key: _heads(found[key]) for key in keys},
        **{name: [_cell(name, value) for value in found[name]] for name in measures},
    }
    return pl.DataFrame(columns, schema_overrides=dict.fromkeys(columns, pl.String))


def _lines_down(found: pl.DataFrame, key: str | None) -> pl.DataFrame:
    invoiced = "billed_usd" in found.columns and found["billed_usd"].count() > 0
    always = OF_INVOICES if invoiced else _BILL
    measures = [name for name in found.columns if name != key and (name in always or _says(found[name]))]
    heads = _heads(found[key]) if key else ["total"]
    columns = {
        head: [_cell(name, row[name]) for name in measures]
        for head, row in zip(heads, found.iter_rows(named=True), strict=True)
    }
    return pl.DataFrame({"line": measures, **columns}, schema_overrides=dict.fromkeys(columns, pl.String))


def _says(figures: pl.Series) -> bool:
    if figures.dtype == pl.Boolean:
        return bool(figures.any())
    return bool((figures != 0).any()) if figures.dtype.is_numeric() else figures.null_count() < len(figures)


def _heads(values: pl.Series) -> list[str]:
    return [
        "(none)" if value is None else f"{value:%Y-%m-%d}" if isinstance(value, datetime) else str(value)
        for value in values
    ]


def _cell(name: str, value: object) -> str | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (Decimal, float)):
        return _figure(name, value)
    if isinstance(value, int):
        return words.count(value)
    if value is None and name in OF_INVOICES:
        return NO_INVOICE
    if value is None:
        return "unknown" if name == "addressable_usd" else None
    return str(value)


def _figure(name: str, value: Decimal | float) -> str:
    if name in _FACTORS:
        return f"{value:.2f}"
    if name.endswith(("share", "_coverage")):
        return words.percent(value)
    return words.days(float(value)) if name == "window_days" else words.usd(value)
