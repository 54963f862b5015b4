"""Invoice reconciliation: from the traced cost of a month to its invoices, in steps of a fixed order that add up.

traced + coverage + price + commitment + credits and free tier + fees and tax + FX + timing + unexplained = billed.
"""

from calendar import monthrange
from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl

from tokenpnl.errors import ConfigurationError
from tokenpnl_analytics.closing.billing_cells import UNMAPPED, account_of, billed_account, cells
from tokenpnl_analytics.closing.differences import differences, judged
from tokenpnl_analytics.closing.findings import findings
from tokenpnl_analytics.closing.invoice_charges import AMORTISED, charges_of, in_usd
from tokenpnl_analytics.closing.tolerances import ACCOUNT, verdicts
from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.rules.prices import FxFile
from tokenpnl_analytics.rules.reconciliation import ReconciliationFile

STEPS = ("coverage", "price", "commitment", "credits", "fees_and_tax", "fx_residual", "timing", "unexplained")
WATERFALL = ("traced", *STEPS, "billed")
_OF_CELLS = {
    "traced": "traced_usd",
    "coverage": "coverage_usd",
    "price": "price_usd",
    "credits": "free_tier_usd",
    "timing": "timing_usd",
    "unexplained": "unexplained_usd",
}
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Terms:
    """What the two sides are compared by.

    Attributes:
        rules: accounts and model names; default one account a provider.
        fx: month averages book an invoice, the rate of its date pays it; default USD only.
        invoiced_on: date of the invoice, whose rate is taken; None: the first day after the month.
    """

    rules: ReconciliationFile = field(default_factory=ReconciliationFile)
    fx: FxFile = field(default_factory=FxFile)
    invoiced_on: date | None = None


@dataclass(frozen=True)
class Reconciliation:
    """A month of invoices against the traces, for every provider that they bill.

    Attributes:
        month: YYYY-MM, days in UTC.
        waterfall: `provider, account, step` (`WATERFALL`, in order), `net_usd`, `gross_usd` (sum of the amounts without
            their signs); the net of the steps between adds up from traced to billed.
        cells: result of `differences`, the days of the month.
        charges: result of `charges_of`.
        findings: result of `findings`.
        verdicts: result of `verdicts`.
    """

    month: str
    waterfall: pl.DataFrame
    cells: pl.DataFrame
    charges: pl.DataFrame
    findings: pl.DataFrame
    verdicts: pl.DataFrame


def days_of_month(month: str) -> tuple[date, date]:
    """Return the first and the last day of a month.

    Raises:
        ConfigurationError: it is not written YYYY-MM.
    """
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError as error:
        raise ConfigurationError(f"a month is written YYYY-MM, such as 2026-10, not {month!r}") from error
    return first, first.replace(day=monthrange(first.year, first.month)[1])


def reconcile(
    line_items: pl.DataFrame, invoice: pl.DataFrame, month: str, terms: Terms | None = None
) -> Reconciliation:
    """Return the way from the traces to the invoices.

    Args:
        line_items: table `line_items`; with a day before and after the month, calls at its edge that were billed on the
            other side are seen as such.
        invoice: normal form, usage reports beside costs where there are some; days around the month serve the same.
        month: YYYY-MM, in UTC like the days of all providers.
        terms: accounts, names and rates.

    Raises:
        ConfigurationError: the files bill nothing in the month, or in a currency without rate.
    """
    terms = terms or Terms()
    first, last = days_of_month(month)
    in_month = pl.col("day").is_between(first, last)
    near = invoice.filter(pl.col("day").is_between(first - _DAY, last + _DAY))
    known = in_usd(near, terms.fx, month=month, invoiced_on=terms.invoiced_on or last + _DAY)
    billed = known.filter(in_month, pl.col("cost").is_not_null())
    if billed.is_empty():
        hint = "give the costs of that month (a usage report alone has no dollars)"
        raise ConfigurationError(f"the files bill nothing in {month}: they hold {_span(invoice)}; {hint}")
    usage = known.filter(
        pl.col("charge_category") == "Usage", pl.col("provider").is_in(billed["provider"].unique().implode())
    )
    traced = _where_told(_of_sellers(line_items, billed, terms.rules), known, in_month)
    every = differences(cells(traced, usage, terms.rules))
    found = every.filter(in_month)
    charges = charges_of(billed, traced.filter(in_month), terms.rules)
    payable = billed.group_by("provider", billed_account(terms.rules).alias("account")).agg(pl.col("payable_usd").sum())
    steps = _waterfall(found, charges, payable)
    return Reconciliation(
        month=month,
        waterfall=steps,
        cells=found,
        charges=charges,
        findings=findings(every, charges, in_month),
        verdicts=verdicts(found, steps),
    )


def _span(invoice: pl.DataFrame) -> str:
    charges = invoice.filter(pl.col("cost").is_not_null())
    return f"charges of {charges['day'].min()!s} to {charges['day'].max()!s}" if charges.height else "no charge at all"


def _of_sellers(line_items: pl.DataFrame, billed: pl.DataFrame, rules: ReconciliationFile) -> pl.DataFrame:
    """Return the line items of the providers and accounts that are billed, and those that fit no account."""
    sellers = billed.select("provider", billed_account(rules).alias("account"))
    known = pl.concat([sellers, sellers.with_columns(pl.lit(UNMAPPED).alias("account"))]).unique()
    ours = line_items.with_columns(account_of(rules).alias("account"))
    return ours.join(known, on=ACCOUNT, how="semi").drop("account")


def _where_told(line_items: pl.DataFrame, invoice: pl.DataFrame, in_month: pl.Expr) -> pl.DataFrame:
    """Return the line items of the month, and of the days around it that the provider's files hold too."""
    dated = line_items.with_columns(pl.col("started_at").dt.date().alias("day"))
    told = invoice.select("provider", "day").unique()
    return pl.concat([dated.filter(in_month), dated.filter(~in_month).join(told, on=["provider", "day"], how="semi")])


def _waterfall(found: pl.DataFrame, charges: pl.DataFrame, payable: pl.DataFrame) -> pl.DataFrame:
    amortised = charges.filter(pl.col("description") == AMORTISED)
    amounts = [
        *(_amounts(judged(found), pl.lit(step), pl.col(name)) for step, name in _OF_CELLS.items()),
        # What the books amortise is traced cost, though it is no tokens.
        _amounts(amortised, pl.lit("traced"), -pl.col("booked_usd")),
        _amounts(charges, pl.col("step"), pl.col("booked_usd")),
        _amounts(payable, pl.lit("billed"), pl.col("payable_usd")),
    ]
    sums = (
        pl.concat(amounts)
        .group_by(*ACCOUNT, "step")
        .agg(pl.col("usd").sum().alias("net_usd"), pl.col("usd").abs().sum().alias("gross_usd"))
    )
    order = pl.DataFrame({"step": WATERFALL}).with_row_index("place")
    every = sums.select(ACCOUNT).unique().join(order, how="cross")
    return (
        every.join(sums, on=[*ACCOUNT, "step"], how="left")
        .with_columns(pl.col("net_usd", "gross_usd").fill_null(pl.lit(0, MONEY)))
        .sort(*ACCOUNT, "place")
        .drop("place")
    )


def _amounts(frame: pl.DataFrame, step: pl.Expr, usd: pl.Expr) -> pl.DataFrame:
    return frame.select(*ACCOUNT, step.alias("step"), usd.alias("usd"))
