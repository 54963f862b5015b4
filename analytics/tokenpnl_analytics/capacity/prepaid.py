"""Prepaid credit: an asset until the provider's usage takes it, first bought first used; it changes no cost."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import polars as pl

from tokenpnl.model import ChargeKind, CostSource
from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.rules.commitments import Prepaid

BOUGHT, USED, EXPIRED = "bought", "used", "expired"
_MOVES = (BOUGHT, USED, EXPIRED)
MOVES = pl.Schema(
    {
        "name": pl.String(),
        "provider": pl.String(),
        "day": pl.Date(),
        "move": pl.String(),  # bought, used, expired
        "usd": MONEY,  # never negative
    }
)
_NOT_USAGE = [kind.value for kind in (ChargeKind.FEE, ChargeKind.GPU_TIME, ChargeKind.COMMITMENT, ChargeKind.TRUE_UP)]


def usage_by_day(lines: pl.DataFrame) -> pl.DataFrame:
    """Return what each provider's usage cost by contract, UTC day by day: what its credit is taken for.

    Usage that a commitment serves is paid by its fee, and fees that spans report go to third parties.

    Args:
        lines: table `line_items`.

    Returns:
        `provider, day, usd`, sorted; usage without a price or a provider is left out.
    """
    return (
        lines.filter(
            pl.col("charge_category") == "Usage",
            ~pl.col("usage_kind").is_in(_NOT_USAGE),
            pl.col("cost_source") != CostSource.COMMITMENT.value,
            pl.col("contracted_cost_usd").is_not_null(),
            pl.col("provider").is_not_null(),
        )
        .group_by("provider", pl.col("started_at").dt.date().alias("day"))
        .agg(pl.col("contracted_cost_usd").sum().alias("usd"))
        .sort("provider", "day")
    )


def moves(entries: Sequence[Prepaid], usage: pl.DataFrame, *, as_of: date) -> pl.DataFrame:
    """Return every purchase, use and expiry of credit until a day, included.

    Args:
        entries: what was bought.
        usage: result of `usage_by_day`, from the first purchase on.
        as_of: last day to look at; credit of that day may still be used.

    Returns:
        Schema `MOVES`, by day, name and move. For each credit bought - used - expired is its balance, which is never
        negative, to the last digit.
    """
    bought = sorted((each for each in entries if each.bought_on <= as_of), key=lambda each: (each.bought_on, each.name))
    left = dict(zip((each.name for each in bought), _in_usd(bought), strict=True))
    rows = [(each.name, each.provider, each.bought_on, BOUGHT, left[each.name]) for each in bought]
    for provider, day, cost in usage.filter(pl.col("usd") > 0, pl.col("day") <= as_of).sort("day").iter_rows():
        owed = cost
        for each in bought:
            if each.provider != provider or each.bought_on > day or (each.expires is not None and each.expires < day):
                continue
            used = min(owed, left[each.name])
            left[each.name] -= used
            owed -= used
            rows.append((each.name, provider, day, USED, used))
    rows += [
        (each.name, each.provider, each.expires, EXPIRED, left[each.name])
        for each in bought
        if each.expires is not None and each.expires < as_of
    ]
    found = pl.DataFrame([row for row in rows if row[4]], schema=MOVES, orient="row")
    return found.sort("day", "name", "move")


def balances(entries: Sequence[Prepaid], usage: pl.DataFrame, *, as_of: date) -> pl.DataFrame:
    """Return what each credit came to, in the order of purchase.

    Returns:
        `name, provider, bought_on, expires, bought_usd, used_usd, expired_usd, balance_usd`; what is not bought yet has
        no row.
    """
    known = pl.DataFrame(
        [(each.name, each.provider, each.bought_on, each.expires) for each in entries if each.bought_on <= as_of],
        schema={"name": pl.String, "provider": pl.String, "bought_on": pl.Date, "expires": pl.Date},
        orient="row",
    )
    sums = moves(entries, usage, as_of=as_of).group_by("name").agg(*(_sum(move) for move in _MOVES))
    return (
        known.join(sums, on="name", how="left")
        .with_columns((pl.col("bought_usd") - pl.col("used_usd") - pl.col("expired_usd")).alias("balance_usd"))
        .sort("bought_on", "name")
    )


def in_month(entries: Sequence[Prepaid], usage: pl.DataFrame, *, first: date, last: date) -> pl.DataFrame:
    """Return what each credit came to in a month, and what was left of it at its end, in the order of purchase.

    Args:
        entries: what was bought.
        usage: result of `usage_by_day`, from the first purchase on.
        first: first day of the month.
        last: last day of the month, or the newest that is known.

    Returns:
        `name, provider, bought_usd, used_usd, expired_usd` of the month, `balance_usd` at the end of its last day;
        credit that nothing was left of before the month, or that is bought later, has no row.
    """
    # What expires on the last day is known to have expired the day after.
    until = moves(entries, usage, as_of=last + timedelta(days=1)).filter(pl.col("day") <= last)
    here = pl.col("day") >= first
    signed = pl.when(pl.col("move") == BOUGHT).then(pl.col("usd")).otherwise(-pl.col("usd"))
    sums = until.group_by("name", "provider", maintain_order=True).agg(
        *(pl.col("usd").filter(here & (pl.col("move") == move)).sum().alias(f"{move}_usd") for move in _MOVES),
        signed.filter(~here).sum().alias("before_usd"),
        signed.sum().alias("balance_usd"),
    )
    return sums.filter((pl.col("before_usd") != 0) | (pl.col("bought_usd") != 0)).drop("before_usd")


def _sum(move: str) -> pl.Expr:
    return pl.col("usd").filter(pl.col("move") == move).sum().alias(f"{move}_usd")


def _in_usd(entries: Sequence[Prepaid]) -> list[Decimal]:
    schema = {"amount": MONEY, "rate": MONEY}
    amounts = pl.DataFrame([(each.amount, each.usd_rate) for each in entries], schema=schema, orient="row")
    found: list[Decimal] = amounts.select(pl.col("amount") * pl.col("rate")).to_series().to_list()
    return found
