"""`tokenpnl capacity`: what GPUs and commitments cost, how much of them is idle, and where models ran."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tokenpnl_dashboard.cli import OK, Group
from tokenpnl_dashboard.commands.options import HOME, formats

if TYPE_CHECKING:
    import polars as pl

    from tokenpnl_dashboard.questions.disclosure import Disclosure

_BRIEF = {
    "credit": (
        *("name", "provider", "bought_on", "expires"),
        *("bought_usd", "used_usd", "expired_usd", "balance_usd"),
    ),
    "pools": (
        *("pool", "paid_usd", "idle_usd", "allocated_share", "gpu_use", "cache_use", "tokens"),
        *("usd_per_million_tokens", "floor_usd_per_million_tokens", "reading"),
    ),
    "deployments": (
        *("workflow", "deployment", "calls", "tokens", "cost_basis", "cost_usd", "idle_usd"),
        *("usd_per_million_tokens", "latency_p50_ms", "latency_p95_ms"),
    ),
}


@click.group("capacity", cls=Group)
def command() -> None:
    """Show what our own GPUs and commitments cost, and how much of them is idle.

    Pools are stated in gpus.yaml, reserved throughput in commitments.yaml. Only hours that are over are paid.
    """


def _of_period(verb: Callable[..., Any]) -> Callable[..., Any]:
    verb = click.option("--zone", default="UTC", show_default=True, help="Time zone of days and months.")(HOME(verb))
    return click.option("--period", default="all", show_default=True, help="Such as 2026-10, last-30d, mtd.")(verb)


@command.command("pools")
@_of_period
@formats
def pools(home: Path | None, period: str, zone: str, form: str) -> int:
    """Print each pool and commitment: paid, allocated, idle, and how busy it was where that is measured.

    High allocation with low use is a utilisation problem, the reverse a model problem. The floor is what a million
    tokens would have cost had nothing been idle.
    """
    from tokenpnl_analytics.capacity.items import CAPACITY_KINDS
    from tokenpnl_analytics.rules.commitments import COMMITMENTS
    from tokenpnl_analytics.rules.gpus import GPUS
    from tokenpnl_dashboard.commands.export import opened
    from tokenpnl_dashboard.parts.filters import bounds
    from tokenpnl_dashboard.questions import capacities

    with opened(home, period, zone) as source:
        gpus, commitments = source.rules.read(GPUS), source.rules.read(COMMITMENTS)
        if not (gpus.pools or commitments.commitments):
            click.echo(f"no pools yet: write gpus.yaml or commitments.yaml in {source.rules.folder}", err=True)
        found = capacities.pools(source.book, gpus, commitments, bounds(source.period))
        told = source.rests_on(where={"usage_kind": list(CAPACITY_KINDS)})
    _print("pools", found, form, source.period.label, told)
    return OK


@command.command("deployments")
@_of_period
@formats
def deployments(home: Path | None, period: str, zone: str, form: str) -> int:
    """Print, per workflow, each deployment option that served it: calls, cost with its idle share, speed.

    What was observed, not an experiment: the options may have had other requests to serve.
    """
    from tokenpnl_dashboard.commands.export import opened
    from tokenpnl_dashboard.parts.filters import bounds
    from tokenpnl_dashboard.questions import capacities

    with opened(home, period, zone) as source:
        found, told = capacities.options(source.book, bounds(source.period)), source.rests_on()
    _print("deployments", found, form, source.period.label, told)
    return OK


@command.command("credit")
@HOME
@formats
def credit(home: Path | None, form: str) -> int:
    """Print each prepaid credit: bought, used by its provider's usage, expired, and what is left of the asset.

    Credit is stated in commitments.yaml under `prepaid`. First bought is first used; effective cost is what it is
    without.
    """
    from tokenpnl_analytics.rules.commitments import COMMITMENTS
    from tokenpnl_dashboard.commands.export import opened
    from tokenpnl_dashboard.questions import capacities

    with opened(home, "all", "UTC") as source:
        stated = source.rules.read(COMMITMENTS).prepaid
        if not stated:
            click.echo(f"no prepaid credit: state it under prepaid in {source.rules.folder}/commitments.yaml", err=True)
        found = capacities.credit(source.book, stated, as_of=source.as_of.date())
        told = source.rests_on(where={"provider": found["provider"].unique().sort().to_list()})
    _print("credit", found, form, f"as of {source.as_of:%Y-%m-%d}", told)
    return OK


def _print(what: str, found: "pl.DataFrame", form: str, label: str, told: "Disclosure") -> None:
    from tokenpnl_dashboard.output import print_disclosed

    shown = _for_eyes(found.select(_BRIEF[what])) if form in ("table", "md") else found
    print_disclosed(shown, form, told, title=f"capacity {what}, {label}", names=1 if what == "pools" else 2)


def _for_eyes(found: "pl.DataFrame") -> "pl.DataFrame":
    import polars as pl

    from tokenpnl_dashboard import words

    texts: dict[str, Callable[[Any], str]] = {
        "_usd": words.usd,
        "usd_per_million_tokens": words.usd,
        "_share": words.percent,
        "_use": words.percent,
        "_ms": words.duration,
        "tokens": words.tokens,
    }
    ends = {name: next((end for end in texts if name.endswith(end)), None) for name in found.columns}
    return found.with_columns(
        pl.Series(name, [texts[end](value) for value in found[name]]) for name, end in ends.items() if end is not None
    )
