"""The statement as finance lays it out: lines down, periods or dimensions across, in words and in figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from tokenpnl.model import WITHOUT_DIRECT_RESULT, CostCategory
from tokenpnl_analytics.closing.billed_ladder import STEP_COLUMNS
from tokenpnl_analytics.pricing.trueups import ESTIMATED
from tokenpnl_dashboard import words
from tokenpnl_dashboard.closing import reconcile_words
from tokenpnl_dashboard.shapes import figures

INDENT = "\u2003"
NONE = "(none)"
PERIODS = {"day": timedelta(days=1), "week": timedelta(days=7), "month": None}

LADDER = (
    ("list_usd", "List cost"),
    ("discount_usd", "Negotiated discount"),
    ("contracted_usd", "Contracted cost"),
    ("covered_usd", "Paid by commitments"),
    ("commitment_usd", "Commitments, amortised"),
    ("effective_usd", "Effective cost"),
)
BILLED = (
    ("not_invoiced_usd", "On no reconciled invoice"),
    ("traced_usd", "Traced cost of what is invoiced"),
    *((STEP_COLUMNS[step], INDENT + reconcile_words.STEP[step]) for step in STEP_COLUMNS),
    ("billed_usd", "Billed"),
)
BUDGET = (
    ("budget_usd", "Budget"),
    ("budget_spent_usd", "Spent of the budget"),
    ("budget_variance_usd", "Budget less spent"),
)
TRUE_UP = ((ESTIMATED, "Volume true-up, estimated until the close"),)
NO_INVOICE = "no invoice"
OF_INVOICES = tuple(name for name, _ in BILLED)
BESIDE = tuple(name for name, _ in (*TRUE_UP, *BILLED, *BUDGET))
RESULT = (CostCategory.PRODUCTIVE, CostCategory.FALLBACK)
LOST = WITHOUT_DIRECT_RESULT
REST = tuple(category for category in CostCategory if category not in (*RESULT, *LOST))
UNIT = (
    ("value_usd", "Stated value"),
    ("contribution_usd", "Contribution on stated value"),
    ("n_runs", "Runs"),
    ("successes", "Successes"),
    ("usd_per_success", "Cost per success, settled"),
    ("outcome_coverage", "Outcome coverage"),
    ("priced_share", "Priced share of usage lines"),
)
MEMO = (
    ("cache_savings_usd", "Memo: saved by cache reads"),
    ("cache_write_premium_usd", "Memo: premium of cache writes"),
    ("cache_net_usd", "Memo: caches, net"),
    ("batch_savings_usd", "Memo: saved by batch and other tiers"),
    ("app_cache_avoided_usd", "Memo: avoided by the application's cache"),
    ("fallback_premium_usd", "Memo: premium of fallbacks"),
    ("over_limit_usd", "Memo: over-limit cost of agents"),
)
CATEGORIES_OF = {"without_result_usd": [category.value for category in LOST]}
DEDUCTED = ("discount_usd", "covered_usd")
UNIT_PRICES = ("usd_per_success",)
SHARES = ("outcome_coverage", "priced_share")
COUNTS = ("n_runs", "successes")


@dataclass(frozen=True)
class Shown:
    """A statement on screen.

    Args:
        words: `Line`, then one column a period or value, as text.
        figures: the same with full decimals, for a file.
        lines: what each row is: a cost category, or a column of the statement.
        values: column of `words` -> what selects it in an address.
    """

    words: pl.DataFrame
    figures: pl.DataFrame
    lines: list[str]
    values: dict[str, str]


def lines_of(found: pl.DataFrame) -> list[tuple[str, str]]:
    """Return the (column, title) of every line that the statement has something to say on, in order."""
    lines = [*LADDER, *TRUE_UP, *BILLED]
    for category in (*RESULT, *REST):
        lines.append((f"{category.value}_usd", INDENT + words.category(category)))
    lines.append(("without_result_usd", INDENT + "Without direct result"))
    lines.extend((f"{category.value}_usd", 2 * INDENT + words.category(category)) for category in LOST)
    lines.extend((*BUDGET, *UNIT, *MEMO))
    always = {"list_usd", "discount_usd", "contracted_usd", "effective_usd", "without_result_usd"}
    if "billed_usd" in found.columns:
        # Where something is billed every step says so, also with 0; else two lines say that nothing is.
        always |= {"traced_usd", "billed_usd"} if found["billed_usd"].null_count() == found.height else {*OF_INVOICES}
    if "budget_usd" in found.columns:
        always |= {name for name, _ in BUDGET}
    return [(name, title) for name, title in lines if name in always or _says(found, name)]


def transposed(found: pl.DataFrame, total: pl.DataFrame, *, by: str) -> Shown:
    """Return the statement with a column for each row of it, the total, and the change of the last period.

    Args:
        found: rows of `statement` by `by`, in reading order.
        total: its one row without dimensions.
        by: a grain of time, or a dimension.
    """
    # A bill belongs to the whole alone where an invoice cannot tell the values apart.
    whole = [name for name in BESIDE if name in total.columns and name not in found.columns]
    lines = lines_of(pl.concat([found, total.select(whole)], how="diagonal") if whole else found)
    heads = [_head(value, by) for value in found[by]]
    rows = dict(zip(heads, found.to_dicts(), strict=True))
    if found.height > 1 or whole:
        rows["Total"] = total.row(0, named=True)
    largest = total["effective_usd"][0]
    shown = {
        head: [words_of(name, row[name], like=largest) if name in row else "" for name, _ in lines]
        for head, row in rows.items()
    }
    if by in PERIODS and len(heads) > 1:
        before, now = rows[heads[-2]], rows[heads[-1]]
        shown["Change"] = [_change(name, now.get(name), before.get(name)) or "" for name, _ in lines]
    text = pl.DataFrame({"Line": [title for _, title in lines], **shown})
    plain = [title.strip(INDENT) for _, title in lines]
    figures_of = {head: [_exact(row.get(name)) for name, _ in lines] for head, row in rows.items()}
    exact = pl.DataFrame({"Line": plain, **figures_of})
    return Shown(text, exact, [_line(name) for name, _ in lines], dict(_addresses(found[by], heads, by)))


def closed_months(months: pl.DataFrame) -> pl.DataFrame:
    """Return the result of `restated_months` in words: Month, As closed, Restated, Difference."""
    money = {"As closed": "as_closed_usd", "Restated": "restated_usd", "Difference": "difference_usd"}
    # A month may begin some hours before midnight UTC.
    names = [f"{begins + timedelta(days=1):%Y-%m}" for begins in months["period"]]
    return pl.DataFrame(
        {"Month": names, **{title: [words.usd(usd) for usd in months[name]] for title, name in money.items()}}
    )


def words_of(name: str, value: Any, *, like: Decimal | None) -> str:
    """Return one figure of a line: money lines up with the largest of the statement, unit cost with itself."""
    if name in SHARES:
        return words.percent(value)
    if name in COUNTS:
        return words.count(value)
    if name in UNIT_PRICES:
        return words.usd(value)
    if name in DEDUCTED or (name == "not_invoiced_usd" and (value or 0) > 0):
        return words.deduction(value, like=like)
    if value is None and name in OF_INVOICES:
        return NO_INVOICE
    if name == "not_invoiced_usd":
        value = -value
    return words.usd(value, like=like).replace("$", "")


def _change(name: str, now: Any, before: Any) -> str | None:
    """Return the change of a line: of a share in points, else relative; a unit cost has none without its interval."""
    if name in UNIT_PRICES:
        return None
    return words.points(now, before) if name in SHARES else words.change(figures.relative_change(now, before))


def _says(found: pl.DataFrame, name: str) -> bool:
    return name in found.columns and bool((found[name].fill_null(0) != 0).any())


def _line(name: str) -> str:
    word = name.removesuffix("_usd")
    return word if word in words.CATEGORY else name


def _head(value: Any, by: str) -> str:
    if value is None:
        return NONE
    if by not in PERIODS:
        return str(value)
    if by == "month":
        return f"{value:%b %Y}"
    return f"{value:%-d %b %Y}" if by == "day" else f"Week of {value:%-d %b}"


def _addresses(values: Sequence[Any] | pl.Series, heads: list[str], by: str) -> list[tuple[str, str]]:
    if by not in PERIODS:
        return [
            (head, NONE if value is None else value)
            for head, value in zip(heads, values, strict=True)
            if value != figures.OTHERS
        ]
    return [(head, _period(value, by)) for head, value in zip(heads, values, strict=True)]


def _period(start: datetime, by: str) -> str:
    length = PERIODS[by]
    if length is None:
        return f"{start:%Y-%m}"
    return f"{start:%Y-%m-%d}..{start + length - timedelta(days=1):%Y-%m-%d}"


def _exact(value: Any) -> str | None:
    if value is None:
        return None
    return f"{value:f}" if isinstance(value, Decimal) else f"{value}"
