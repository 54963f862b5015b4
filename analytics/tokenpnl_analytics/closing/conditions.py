"""What stands in the way of a close: one condition each, with what to do. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import polars as pl

from tokenpnl.model import CostSource
from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.summary import usd_text

UNPRICED, UNRECONCILED = "unpriced", "unreconciled"  # what somebody may sign for
_PRICED, _RECONCILED = "priced", "reconciled"
RECONCILED = pl.Schema({"provider": pl.String(), "account": pl.String(), "settled": pl.Boolean(),
                        "unexplained_usd": MONEY})  # fmt: skip
"""The newest reconciliations of the month; `settled`: within tolerance, or signed for."""
_TOLD = 5


@dataclass(frozen=True)
class Condition:
    """One condition of a close.

    Args:
        name: a short code.
        fulfilled: whether it stands in the way no more.
        told: what was found, or who signed.
        remedy: what to do; empty when it is fulfilled.
    """

    name: str
    fulfilled: bool
    told: str
    remedy: str = ""


def month_over(month: str, until: datetime, *, now: datetime) -> Condition:
    """Return whether the month has ended."""
    if now >= until:
        return Condition("month_over", fulfilled=True, told=f"{month} ended at {until:%Y-%m-%d %H:%M} UTC")
    return Condition(
        "month_over",
        fulfilled=False,
        told=f"{month} ends at {until:%Y-%m-%d %H:%M} UTC",
        remedy="wait until it is over",
    )


def books_done(n_open: int) -> Condition:
    """Return whether no request to book again is open."""
    if not n_open:
        return Condition("books_done", fulfilled=True, told="no request to book again is open")
    told = f"{n_open} requests to book again are open"
    return Condition("books_done", fulfilled=False, told=told, remedy="let the collector finish them: `tokenpnl serve`")


def all_mapped(unmapped: pl.DataFrame) -> Condition:
    """Return whether every cost has an account; `unmapped` is `gl.unmapped` of the month."""
    if unmapped.is_empty():
        return Condition("mapped", fulfilled=True, told="every cost has an account")
    usd = unmapped.group_by("lacks").agg(pl.col("cost_usd").sum())["cost_usd"].max()
    workflows = unmapped["workflow"].fill_null("(none)").unique(maintain_order=True).head(_TOLD).to_list()
    told = f"{usd_text(_money(usd))} USD fit no rule of accounts.yaml: {', '.join(workflows)}"
    return Condition(
        "mapped", fulfilled=False, told=told, remedy="add rules; `tokenpnl export gl --template` begins one"
    )


def prepaid_posted(credits_of_month: pl.DataFrame, lacking: str) -> Condition:
    """Return whether the month's prepaid credit can be posted, and what it came to.

    Args:
        credits_of_month: result of `prepaid.in_month`.
        lacking: what the account map lacks for it; empty: nothing.
    """
    told = "; ".join(
        f"{row['name']} ({row['provider']}): {usd_text(row['used_usd'])} USD used, {usd_text(row['expired_usd'])} USD "
        f"expired, {usd_text(row['balance_usd'])} USD left"
        for row in credits_of_month.iter_rows(named=True)
    )
    if lacking:
        return Condition("prepaid", fulfilled=False, told=f"{told}; {lacking}", remedy="add it to accounts.yaml")
    expired = credits_of_month["expired_usd"].sum() > 0
    return Condition("prepaid", fulfilled=True, told=told + ("; write off what expired" if expired else ""))


def all_priced(lines: pl.DataFrame, most_unpriced_share: Decimal, signed: Mapping[str, str]) -> Condition:
    """Return whether enough tokens of the month have a price.

    Args:
        lines: table `line_items`.
        most_unpriced_share: tolerated share of tokens without one, 0 to 1.
        signed: who signed, by what for: `unpriced`, `unreconciled`.
    """
    tokens = lines.filter(pl.col("usage_kind").str.contains("^(?:input|output)_"))
    lacking = tokens.filter(pl.col("cost_source") == CostSource.UNPRICED.value)
    n, n_lacking = int(tokens["quantity"].sum()), int(lacking["quantity"].sum())
    told = f"{n_lacking:,} of {n:,} tokens have no price"
    if n_lacking <= most_unpriced_share * n:
        return Condition(_PRICED, fulfilled=True, told=told)
    models = lacking.group_by("model").agg(pl.col("quantity").sum()).sort("quantity", "model", descending=[True, False])
    told += f": {', '.join(models['model'].fill_null('(none)').head(_TOLD))}"
    return _signed_or(_PRICED, signed.get(UNPRICED), told, "add prices to override.yaml (`tokenpnl prices check`)")


def all_reconciled(lines: pl.DataFrame, reconciled: pl.DataFrame, signed: Mapping[str, str]) -> Condition:
    """Return whether every provider that cost something was set against an invoice, within tolerance or signed for.

    Args:
        lines: table `line_items`.
        reconciled: as `RECONCILED`.
        signed: who signed, by what for: `unpriced`, `unreconciled`.
    """
    usage = lines.filter((pl.col("charge_category") == "Usage") & (pl.col("cost_usd") > 0))
    providers = usage["provider"].drop_nulls().unique().sort().to_list()
    beyond = [
        f"{row['provider']} {row['account']} ({_unexplained(row['unexplained_usd'])})"
        for row in reconciled.filter(~pl.col("settled")).sort("provider", "account").iter_rows(named=True)
    ]
    if beyond:
        told = f"beyond tolerance: {', '.join(beyond)}"
        remedy = "find the cause, or sign it: `tokenpnl reconcile FILE... --sign REASON --by NAME`"
        return Condition(_RECONCILED, fulfilled=False, told=told, remedy=remedy)
    missing = sorted(set(providers) - set(reconciled["provider"]))
    if not missing:
        return Condition(_RECONCILED, fulfilled=True, told=f"{len(providers)} providers set against their invoices")
    told = f"no invoice was set against {', '.join(missing)}"
    return _signed_or(
        _RECONCILED, signed.get(UNRECONCILED), told, "set them against the traces: `tokenpnl reconcile FILE...`"
    )


def conditions_frame(conditions: Sequence[Condition]) -> pl.DataFrame:
    """Return `condition, fulfilled, found, what_to_do`, one row per condition in order."""
    rows = [(each.name, each.fulfilled, each.told, each.remedy) for each in conditions]
    schema = {"condition": pl.String, "fulfilled": pl.Boolean, "found": pl.String, "what_to_do": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _signed_or(name: str, signed: str | None, told: str, remedy: str) -> Condition:
    if signed is not None:
        return Condition(name, fulfilled=True, told=f"{told}; signed: {signed}")
    remedy = f"{remedy}, or sign it: `tokenpnl close sign MONTH un{name} --by NAME --reason WHY`"
    return Condition(name, fulfilled=False, told=told, remedy=remedy)


def _unexplained(usd: Decimal | None) -> str:
    return "unexplained amount unknown" if usd is None else f"{usd_text(usd)} USD unexplained"


def _money(usd: object) -> Decimal | None:
    assert usd is None or isinstance(usd, Decimal)
    return usd
