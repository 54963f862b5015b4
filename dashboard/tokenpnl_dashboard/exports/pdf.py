"""The P&L on one page of paper: ladder, categories, unit costs, and what they rest on.

Written with the fonts that every PDF reader has, so that nothing is fetched and the file stays small; letters that they
lack are spelled without accents, else as a question mark, and the page then says so.
"""

import unicodedata
from decimal import Decimal
from typing import Any

from fpdf import FPDF
from fpdf.enums import MethodReturnValue

from tokenpnl_dashboard import words
from tokenpnl_dashboard.charts import theme
from tokenpnl_dashboard.exports.pack import Pack
from tokenpnl_dashboard.shapes.statement_table import INDENT, OF_INVOICES, lines_of, words_of

_FONT = "Helvetica"
_LEFT, _WIDTH = 15.0, 180.0
_ROW = 5.0
_MOST_UNITS = 8
_SMALL, _BOTTOM = 3.4, 10.0
_BAR = 7.0
_LINE_HEIGHT, _LEAST_HEIGHT = 4.6, 3.2
_BELOW = 42.0  # what unit costs have above them, and what the figures rest on
_TEXT, _MUTED, _LINE = "#1B2330", "#5A6472", "#DDE1E7"
_SPELLED = {
    "–": "-",
    "—": "-",
    "−": "-",
    "≥": ">=",
    "≤": "<=",
    "×": "x",
    "…": "...",
    "“": '"',
    "”": '"',
    "’": "'",
    "Ł": "L",
    "ł": "l",
}


def one_pager(pack: Pack) -> bytes:
    """Return the report as a PDF of one page (A4)."""
    page = FPDF(format="A4")
    page.set_auto_page_break(False)
    page.set_title(plain(f"Token P&L, {pack.period}"))
    page.set_lang("en")
    page.set_creation_date(pack.as_of)
    page.set_margins(_LEFT, 15)
    page.c_margin = 0
    page.add_page()
    _write(page, "Token P&L", size=18, bold=True, height=9)
    _write(page, f"{pack.period}, read {words.moment(pack.as_of)}, USD", colour=_MUTED, height=7)
    row = pack.total.row(0, named=True)
    _headline(page, row)
    _bar(page, row)
    _statement(page, pack)
    _units(page, pack)
    _disclosure(page, pack)
    return bytes(page.output())


def plain(text: str) -> str:
    """Return the text in the letters that the core fonts have; what cannot be spelled is a question mark."""
    return "".join(_letter(letter) for letter in text)


def _letter(letter: str) -> str:
    spelled = _SPELLED.get(letter, letter)
    if len(spelled.encode("cp1252", errors="ignore")) == len(spelled):
        return spelled
    bare = "".join(part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part))
    return bare.encode("cp1252", errors="replace").decode("cp1252")


def _write(
    page: FPDF, text: str, *, size: float = 9, bold: bool = False, colour: str = _TEXT, height: float = _ROW
) -> None:
    page.set_font(_FONT, "B" if bold else "", size)
    page.set_text_color(colour)
    page.cell(_WIDTH, height, _fitting(page, plain(text), _WIDTH), new_x="LMARGIN", new_y="NEXT")


def _headline(page: FPDF, row: dict[str, Any]) -> None:
    page.ln(2)
    lost, cost = row["without_result_usd"], row["effective_usd"]
    share = f" ({words.percent(float(lost / cost))})" if lost is not None and cost else ""
    unit = row.get("usd_per_success")
    figures = [
        ("Effective cost", ("at least " if (row["priced_share"] or 0) < 1 else "") + words.usd(cost)),
        ("Without direct result", f"{words.usd(lost)}{share}"),
        ("Cost per success, settled", words.usd(unit) if unit is not None else "no success yet"),
    ]
    top, width = page.get_y(), _WIDTH / len(figures)
    for place, (title, figure) in enumerate(figures):
        page.set_xy(_LEFT + place * width, top)
        page.set_font(_FONT, "", 8)
        page.set_text_color(_MUTED)
        page.cell(width, 4.5, plain(title), new_x="LEFT", new_y="NEXT")
        page.set_font(_FONT, "B", 14)
        page.set_text_color(_TEXT)
        page.cell(width, 7, _fitting(page, plain(figure), width - 2))
    page.set_xy(_LEFT, top + 15)


def _bar(page: FPDF, row: dict[str, Any]) -> None:
    """Draw effective cost by category as one bar with its key."""
    costs = {name: row[f"{name}_usd"] or Decimal(0) for name in theme.COLOUR}
    paid = {category: cost for category, cost in costs.items() if cost > 0}
    whole = sum(paid.values(), Decimal(0))
    if not whole:
        return
    left, top = _LEFT, page.get_y()
    for category, cost in paid.items():
        width = _WIDTH * float(cost / whole)
        page.set_fill_color(theme.colour(category))
        page.rect(left, top, width, _BAR, style="F")
        left += width
    page.set_xy(_LEFT, top + _BAR + 2)
    for category, cost in paid.items():
        _key(page, category, f"{words.category(category)} {words.percent(float(cost / whole))}")
    page.set_xy(_LEFT, page.get_y() + 7)


def _key(page: FPDF, category: str, text: str) -> None:
    page.set_font(_FONT, "", 8)
    page.set_text_color(_MUTED)
    width = page.get_string_width(plain(text)) + 9
    if page.get_x() + width > _LEFT + _WIDTH:
        page.set_xy(_LEFT, page.get_y() + 4.5)
    page.set_fill_color(theme.colour(category))
    page.rect(page.get_x(), page.get_y() + 1.1, 2.4, 2.4, style="F")
    page.set_x(page.get_x() + 3)
    page.cell(width - 3, 4.5, plain(text))


def _statement(page: FPDF, pack: Pack) -> None:
    row = pack.total.row(0, named=True)
    _rule(page, "Statement", ["USD", "of effective"], [125, 30, 25])
    effective, lines = row["effective_usd"], lines_of(pack.total)
    room = page.h - _BOTTOM - page.get_y() - _BELOW - _LINE_HEIGHT * min(pack.units.height, _MOST_UNITS)
    height = min(max(room / len(lines), _LEAST_HEIGHT), _LINE_HEIGHT)
    for name, title in lines:
        figure = words_of(name, row[name], like=effective)
        inside = title.startswith(INDENT) and name not in OF_INVOICES
        share = words.percent(float(row[name] / effective)) if inside and row[name] is not None and effective else ""
        bold = name in ("effective_usd", "billed_usd")
        _row(page, [title.replace(INDENT, "    "), figure, share], [125, 30, 25], bold=bold, height=height)


def _units(page: FPDF, pack: Pack) -> None:
    page.ln(3)
    widths = [55.0, 20, 22, 25, 58]
    _rule(page, "Cost per success, settled", ["runs", "successes", "USD", "95% interval"], widths)
    dearest = pack.units.sort("cost_usd", descending=True, nulls_last=True)
    for unit in dearest.head(_MOST_UNITS).iter_rows(named=True):
        if unit["settled_usd"] is None:
            interval = (unit["caveats"] or "").split("; ")[0]
        else:
            interval = words.interval(unit["low"], unit["high"]).removeprefix("95% interval ")
        figures = [
            words.count(unit["n_runs"]),
            words.count(unit["successes"]),
            words.usd(unit["settled_usd"]),
            interval,
        ]
        _row(page, [unit["workflow"] or "(none)", *figures], widths)
    if dearest.height > _MOST_UNITS:
        _write(page, f"The {_MOST_UNITS} dearest of {dearest.height} workflows.", size=8, colour=_MUTED)


def _disclosure(page: FPDF, pack: Pack) -> None:
    page.ln(3)
    page.set_font(_FONT, "", 7)
    page.set_text_color(_MUTED)
    told = [*pack.disclosure]
    names = [str(name) for name in pack.units["workflow"].drop_nulls()]
    if any("?" in plain(name) and "?" not in name for name in names):
        told.append(("Letters", "what this page's fonts lack reads ?; the workbook has the names in full"))
    text = plain(". ".join(f"{what}: {words_}" for what, words_ in told) + ".")
    lines = page.multi_cell(_WIDTH, _SMALL, text, align="L", dry_run=True, output=MethodReturnValue.LINES)
    assert isinstance(lines, list)
    room = int((page.h - _BOTTOM - page.get_y()) / _SMALL)
    if len(lines) > room:
        lines = [*lines[: max(room - 1, 0)], "... the workbook says the rest, on its sheet Disclosure."]
    page.multi_cell(_WIDTH, _SMALL, "\n".join(lines), align="L")


def _rule(page: FPDF, title: str, heads: list[str], widths: list[float]) -> None:
    page.set_font(_FONT, "B", 9)
    page.set_text_color(_TEXT)
    page.set_draw_color(_LINE)
    for text, width in zip([title, *heads], widths, strict=True):
        align = "L" if text == title else "R"
        page.cell(width, 6, plain(text), border="B", align=align)
    page.ln()


def _row(
    page: FPDF, cells: list[str], widths: list[float], *, bold: bool = False, height: float = _LINE_HEIGHT
) -> None:
    page.set_font(_FONT, "B" if bold else "", 8.5 * height / _LINE_HEIGHT)
    page.set_text_color(_TEXT)
    for place, (text, width) in enumerate(zip(cells, widths, strict=True)):
        page.cell(width, height, _fitting(page, plain(text), width - 1), align="R" if place else "L")
    page.ln()


def _fitting(page: FPDF, text: str, width: float) -> str:
    """Return the text, cut with dots where it is wider than its cell."""
    if page.get_string_width(text) <= width:
        return text
    while text and page.get_string_width(f"{text}...") > width:
        text = text[:-1]
    return f"{text}..."
