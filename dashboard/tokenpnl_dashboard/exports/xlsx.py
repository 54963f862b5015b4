"""The statement as a workbook whose figures are formulas over its own lines.

Excel calculates with 15 digits. Beside every figure stands its exact text with all twelve decimals, and each formula
carries the value that it gives, so that a reader who does not calculate shows it too.
"""

import io
from decimal import Decimal
from typing import Any

import polars as pl
import xlsxwriter
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from tokenpnl.errors import RefusedInputError
from tokenpnl.model import WITHOUT_DIRECT_RESULT, ChargeKind
from tokenpnl_analytics.closing.billed_ladder import STEP_COLUMNS
from tokenpnl_dashboard import words
from tokenpnl_dashboard.exports.pack import Pack
from tokenpnl_dashboard.shapes.statement_table import INDENT, NO_INVOICE, OF_INVOICES, lines_of

_MOST_ROWS = 1_048_575
_NAMES = (
    "workflow", "customer_id", "environment", "provider", "model", "usage_kind", "cost_category", "charge_category",
)  # fmt: skip
_HEADS = ("month", *_NAMES, "lines", "quantity", "list_usd", "contracted_usd", "effective_usd")
_EXACT = ("list_exact", "contracted_exact", "effective_exact")
_COLUMN = {name: chr(ord("A") + place) for place, name in enumerate((*_HEADS, *_EXACT))}
_UNITS = (
    "workflow", "runs", "successes", "cost_usd", "usd_per_success_to_date", "direct_usd", "inline_evaluation_usd",
    "capacity_share_usd", "usd_per_success_settled", "low_95", "high_95", "method", "caveats", "settled_exact",
)  # fmt: skip
_SHARES = ("outcome_coverage", "priced_share")
_COUNTS = ("n_runs", "successes")


def workbook(pack: Pack) -> bytes:
    """Return the workbook: Summary, Units, Lines and Disclosure.

    Raises:
        RefusedInputError: the lines do not fit into a sheet.
    """
    buffer = io.BytesIO()
    safe = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(buffer, safe) as book:
        book.set_properties({"title": f"Token P&L, {pack.period}", "created": pack.as_of.replace(tzinfo=None)})
        sums = line_sums(pack.lines)
        style = _styles(book, pack)
        summary, units, lines, disclosure = (
            book.add_worksheet(name) for name in ("Summary", "Units", "Lines", "Disclosure")
        )
        _summary(summary, pack, sums.height, style)
        _units(units, pack.units, style)
        _lines(lines, sums, style)
        _disclosure(disclosure, pack, style)
    return buffer.getvalue()


def line_sums(lines: pl.DataFrame) -> pl.DataFrame:
    """Return the line items summed by month and the names of the Lines sheet: its rows, with `Decimal` money.

    List and contracted cost of a commitment's fee are NULL, as the ladder counts the usage that it covers instead.

    Raises:
        RefusedInputError: there are more of them than a sheet has rows.
    """
    fee = pl.col("usage_kind") == ChargeKind.COMMITMENT.value
    keys = ["month", *_NAMES]
    sums = (
        lines.with_columns(pl.col("started_at").dt.strftime("%Y-%m").alias("month"))
        .group_by(keys)
        .agg(
            pl.len().alias("lines"),
            pl.col("quantity").sum(),
            *(
                pl.when((pl.col(name).count() > 0) & ~fee.all()).then(pl.col(name).sum()).alias(head)
                for name, head in (("list_cost_usd", "list_usd"), ("contracted_cost_usd", "contracted_usd"))
            ),
            pl.when(pl.col("cost_usd").count() > 0).then(pl.col("cost_usd").sum()).alias("effective_usd"),
        )
        .sort(keys, nulls_last=True)
    )
    if sums.height > _MOST_ROWS:
        raise RefusedInputError(
            f"a sheet holds {_MOST_ROWS:,} rows and these lines make {sums.height:,}; "
            "choose a shorter period, or `tokenpnl export parquet`"
        )
    return sums


def _styles(book: Workbook, pack: Pack) -> dict[str, Any]:
    largest = abs(pack.total["effective_usd"][0] or Decimal(0))
    places = "0.00" if largest >= 1000 else "0.0000" if largest >= 1 else "0.000000"
    money = f"#,##{places};[Red](#,##{places});{places}"
    return {
        "title": book.add_format({"bold": True, "font_size": 14}),
        "head": book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"}),
        "bold": book.add_format({"bold": True}),
        "money": book.add_format({"num_format": money}),
        "total": book.add_format({"num_format": money, "bold": True, "top": 1}),
        "unit": book.add_format({"num_format": "#,##0.000000;[Red](#,##0.000000)"}),
        "count": book.add_format({"num_format": "#,##0"}),
        "share": book.add_format({"num_format": "0.0%"}),
        "wrap": book.add_format({"text_wrap": True, "valign": "top"}),
    }


def _summary(sheet: Worksheet, pack: Pack, height: int, style: dict[str, Any]) -> None:
    sheet.write_string(0, 0, f"Token P&L, {pack.period}", style["title"])
    sheet.write_string(1, 0, "Formulas over the sheet Lines; Excel calculates with 15 digits, `exact` has all.")
    for place, head in enumerate(("Line", "USD", "exact", "share of effective")):
        sheet.write_string(3, place, head, style["head"])
    row = pack.total.row(0, named=True)
    rows = lines_of(pack.total)
    at = {name: 4 + place for place, (name, _) in enumerate(rows)}
    for name, title in rows:
        _figure(sheet, at, name, title, row, formula=_formula(name, height, at), style=style)
    sheet.set_column(0, 0, 44)
    sheet.set_column(1, 3, 20)
    sheet.freeze_panes(4, 0)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)


def _figure(  # noqa: PLR0913 - one row of the sheet
    sheet: Worksheet,
    at: dict[str, int],
    name: str,
    title: str,
    row: dict[str, Any],
    *,
    formula: str | None,
    style: dict[str, Any],
) -> None:
    line, value = at[name], row[name]
    ladder = title == title.strip(INDENT) and name.endswith("_usd")
    kind = "share" if name in _SHARES else "count" if name in _COUNTS else "total" if ladder else "money"
    sheet.write_string(line, 0, title.replace(INDENT, "    "), style["bold"] if ladder else None)
    if value is None:
        sheet.write_string(line, 1, NO_INVOICE if name in OF_INVOICES else words.UNKNOWN)
        return
    if formula is None:
        sheet.write_number(line, 1, float(value), style[kind])
    else:
        sheet.write_formula(line, 1, formula, style[kind], float(value))
    if isinstance(value, Decimal):
        sheet.write_string(line, 2, f"{value:f}")
    effective = row["effective_usd"]
    if effective and title.startswith(INDENT) and name not in OF_INVOICES:
        sheet.write_formula(
            line, 3, f"=B{line + 1}/B{at['effective_usd'] + 1}", style["share"], float(value / effective)
        )


def _formula(name: str, height: int, at: dict[str, int]) -> str | None:
    """Return the formula of a line of the statement; None where its figure does not follow from the lines."""
    word = name.removesuffix("_usd")
    effective = _range("effective_usd", height)
    if word in words.CATEGORY:
        return f'=SUMIFS({effective},{_range("cost_category", height)},"{word}")'
    cell = {line: f"B{row + 1}" for line, row in at.items()}
    lost = [cell[f"{category.value}_usd"] for category in WITHOUT_DIRECT_RESULT if f"{category.value}_usd" in cell]
    known = {
        "list_usd": f"=SUM({_range('list_usd', height)})",
        "contracted_usd": f"=SUM({_range('contracted_usd', height)})",
        "effective_usd": f"=SUM({effective})",
        "commitment_usd": f'=SUMIFS({effective},{_range("usage_kind", height)},"{ChargeKind.COMMITMENT.value}")',
        "without_result_usd": f"=SUM({','.join(lost)})" if lost else "=0",
    }
    sums = {
        "discount_usd": ("list_usd", "-", "contracted_usd"),
        "not_invoiced_usd": ("effective_usd", "-", "traced_usd"),
        "billed_usd": tuple(part for name in ("traced_usd", *STEP_COLUMNS.values()) for part in (name, "+"))[:-1],
        "budget_spent_usd": ("effective_usd",),
        "budget_variance_usd": ("budget_usd", "-", "budget_spent_usd"),
        "covered_usd": ("contracted_usd", "+", "commitment_usd", "-", "effective_usd"),
        "cache_net_usd": ("cache_savings_usd", "-", "cache_write_premium_usd"),
    }
    parts = sums.get(name, ())
    if parts and all(part in cell or len(part) == 1 for part in parts):
        return "=" + "".join(cell.get(part, part) for part in parts)
    return known.get(name)


def _range(head: str, height: int) -> str:
    return f"Lines!${_COLUMN[head]}$2:${_COLUMN[head]}${max(height, 1) + 1}"


def _units(sheet: Worksheet, units: pl.DataFrame, style: dict[str, Any]) -> None:
    for place, head in enumerate(_UNITS):
        sheet.write_string(0, place, head, style["head"])
    for line, row in enumerate(units.iter_rows(named=True), start=1):
        sheet.write_string(line, 0, row["workflow"] or "(none)")
        sheet.write_number(line, 1, row["n_runs"], style["count"])
        sheet.write_number(line, 2, row["successes"], style["count"])
        _amount(sheet, line, 3, row["cost_usd"], style["money"])
        if row["to_date_usd"] is not None:
            sheet.write_formula(line, 4, f"=D{line + 1}/C{line + 1}", style["unit"], float(row["to_date_usd"]))
        for place, part in enumerate(("direct_usd", "inline_evaluation_usd", "capacity_share_usd"), start=5):
            _amount(sheet, line, place, row[part], style["unit"])
        if row["settled_usd"] is not None:
            sheet.write_formula(line, 8, f"=SUM(F{line + 1}:H{line + 1})", style["unit"], float(row["settled_usd"]))
            sheet.write_string(line, 13, f"{row['settled_usd']:f}")
        _amount(sheet, line, 9, row["low"], style["unit"])
        _amount(sheet, line, 10, row["high"], style["unit"])
        sheet.write_string(line, 11, row["method"] or words.UNKNOWN)
        sheet.write_string(line, 12, row["caveats"] or "")
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, 13, 16)
    sheet.freeze_panes(1, 1)


def _amount(sheet: Worksheet, line: int, place: int, value: Decimal | float | None, style: Any) -> None:
    if value is not None:
        sheet.write_number(line, place, float(value), style)


def _lines(sheet: Worksheet, sums: pl.DataFrame, style: dict[str, Any]) -> None:
    for place, head in enumerate((*_HEADS, *_EXACT)):
        sheet.write_string(0, place, head, style["head"])
    numbers = len(_NAMES) + 1
    for line, row in enumerate(sums.iter_rows(), start=1):
        for place, text in enumerate(row[:numbers]):
            sheet.write_string(line, place, "(none)" if text is None else text)
        for place, count in enumerate(row[numbers : numbers + 2], start=numbers):
            sheet.write_number(line, place, count, style["count"])
        for place, money in enumerate(row[numbers + 2 :], start=numbers + 2):
            if money is not None:
                sheet.write_number(line, place, float(money), style["money"])
                sheet.write_string(line, place + len(_EXACT), f"{money:f}")
    sheet.autofilter(0, 0, max(sums.height, 1), len(_HEADS) + len(_EXACT) - 1)
    sheet.set_column(0, len(_HEADS) + len(_EXACT), 17)
    sheet.freeze_panes(1, 2)


def _disclosure(sheet: Worksheet, pack: Pack, style: dict[str, Any]) -> None:
    sheet.write_string(0, 0, "What these figures rest on", style["title"])
    told = (
        *pack.disclosure,
        ("Digits", "Excel keeps 15 digits of a number; the columns `exact` keep all of them as text"),
    )
    for line, (what, text) in enumerate(told, start=2):
        sheet.write_string(line, 0, what, style["bold"])
        sheet.write_string(line, 1, text, style["wrap"])
    sheet.set_column(0, 0, 22)
    sheet.set_column(1, 1, 110)
