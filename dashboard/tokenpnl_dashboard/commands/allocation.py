"""`tokenpnl allocation`: who pays, by which rule."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tokenpnl_dashboard.cli import OK, Group
from tokenpnl_dashboard.commands.options import HOME, formats

if TYPE_CHECKING:
    import polars as pl

    from tokenpnl_analytics.rules.allocation import AllocationFile

BY = {"owner": "owner", "org": "org", "team": "team", "product": "product", "workflow": "workflow"}
BY |= {"customer": "customer_id", "method": "method", "rule": "rule", "day": "period", "month": "period"}


@click.group("allocation", cls=Group)
def command() -> None:
    """Show who pays for which cost; charge owners for closed months."""


@command.command("show")
@click.option(
    "--by", type=click.Choice(list(BY)), multiple=True, help="Sum by this; may be repeated.  [default: owner]"
)
@click.option("--rules", "by_rule", is_flag=True, help="Show the rules and what each caught instead.")
@click.option("--period", default="all", show_default=True, help="Such as 2026-10, last-30d, mtd.")
@click.option("--zone", default="UTC", show_default=True, help="Time zone of days and months.")
@HOME
@formats
def show(by: tuple[str, ...], period: str, zone: str, home: Path | None, form: str, *, by_rule: bool) -> int:
    """Print who would pay for a period: direct and shared cost by owner; what nobody owns is a line of its own.

    Shares are decided over the whole period, so that its days add up to it.
    """
    from tokenpnl_analytics.finance.allocation import allocate, allocated_by, rule_hits
    from tokenpnl_analytics.rules.allocation import ALLOCATION
    from tokenpnl_analytics.statement import in_periods
    from tokenpnl_dashboard.commands.export import opened
    from tokenpnl_dashboard.output import print_disclosed

    with opened(home, period, zone) as source:
        rules = source.rules.read(ALLOCATION)
        allocated = allocate(source.lines(), rules)
        title = f"allocation, {source.period.label}, as of {source.as_of:%Y-%m-%d %H:%M} UTC"
        _say(allocated, rules, source.rules.folder)
        told = source.rests_on()
    if by_rule:
        print_disclosed(rule_hits(allocated, rules), form, told, title=title, names=2)
        return OK
    grains = [name for name in by if name in ("day", "month")]
    if len(grains) > 1:
        raise click.UsageError("--by day and --by month at once would count everything twice; name one of them")
    if grains:
        allocated = in_periods(allocated, grains[0], zone, at="hour")
    columns = list(dict.fromkeys(BY[name] for name in by or ("owner",)))
    summed = allocated_by(allocated, columns)
    if grains:
        summed = summed.sort("period", maintain_order=True)
    print_disclosed(_named(summed, form), form, told, title=title, names=len(columns))
    return OK


@command.command("chargeback")
@click.argument("month")
@HOME
@formats
def charge(month: str, home: Path | None, form: str) -> int:
    """Print what each owner is charged for a closed MONTH, by the lines and rules frozen at its close."""
    from tokenpnl_dashboard.closing.allocations import CHARGED_BY, chargeback
    from tokenpnl_dashboard.output import print_frame
    from tokenpnl_ingest.home import Home

    charged = chargeback(Home.at(home), month).table()
    title, names = f"chargeback, {month} as closed", len(CHARGED_BY) + 1
    if form == "table":
        charged, names, title = _by_owner(charged), len(_OWNERS), f"{title}; by workflow and customer: --csv"
    print_frame(_named(charged, form), form, title=title, names=names)
    return OK


@command.command("template")
def template() -> int:
    """Print an allocation.yaml to begin with."""
    from tokenpnl_analytics.rules.allocation import TEMPLATE

    click.echo(TEMPLATE, nl=False)
    return OK


_OWNERS = ("owner", "method", "rule", "shared_from")


def _by_owner(charged: "pl.DataFrame") -> "pl.DataFrame":
    """Return what each owner is charged over all its workflows and customers."""
    import polars as pl

    summed = charged.group_by(_OWNERS).agg(pl.col("cost_usd").sum(), pl.col("rules_version").first())
    return summed.sort(*_OWNERS, nulls_last=True)


def _say(allocated: "pl.DataFrame", rules: "AllocationFile", folder: Path) -> None:
    from tokenpnl_analytics.finance.allocation import unallocated_share
    from tokenpnl_dashboard import words
    from tokenpnl_dashboard.closing.allocations import template_hint

    lost, share = unallocated_share(allocated)
    target = words.percent(float(rules.target_unallocated_percent) / 100)
    click.echo(f"unallocated {words.with_share(lost, share)}, target below {target}", err=True)
    if not rules.rules:
        click.echo(template_hint(folder), err=True)


def _named(found: "pl.DataFrame", form: str) -> "pl.DataFrame":
    """Return the frame as people read it: who has no owner says so."""
    import polars as pl

    if form not in ("table", "md") or "owner" not in found.columns:
        return found
    return found.with_columns(pl.col("owner").fill_null("(unallocated)"))
