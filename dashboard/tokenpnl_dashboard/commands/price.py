"""`tokenpnl price`: what a usage costs, by which price."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tokenpnl.model import UsageKind
from tokenpnl_dashboard.cli import CHECK_FAILED, OK, WRONG_USAGE
from tokenpnl_dashboard.commands.options import HOME

if TYPE_CHECKING:
    from tokenpnl_analytics.pricing.quote import Quote
    from tokenpnl_analytics.pricing.ratecard import RateCard


def _kind_options(verb: Any) -> Any:
    for kind in reversed(UsageKind):
        name = kind.value.replace("_", "-")
        verb = click.option(f"--{name}", kind.value, type=click.IntRange(min=0), help=f"Tokens of {kind.value}.")(verb)
    return verb


@click.command("price")
@click.option("--model", help="Model that served; without it JSON lines are read from standard input.")
@click.option("--provider", help="Who served, as genai-prices names it.  [default: from the model]")
@click.option("--at", help="ISO time of the call; the price in force then applies.  [default: now]")
@click.option("--context", type=click.Choice(["batch", "flex", "priority", "fast"]), help="Tier of the response.")
@_kind_options
@HOME
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(model: str | None, home: Path | None, *, as_json: bool, **asked: Any) -> int:
    """Price one usage given by options, or JSON lines on standard input.

    A JSON line is {"provider", "model", "at", "usage": {kind: tokens}, "context"}; one result a line comes back with
    cost, price version and flags. Kinds are disjoint: cached input is not part of --input-uncached. The prices are
    those of the home, its contract first; the published list where there is none. The exit code is 1 when something
    has no price.
    """
    from tokenpnl_analytics.pricing.quote import quote

    if model is None:
        return _price_lines(home)
    usage = {kind.value: asked[kind.value] for kind in UsageKind if asked[kind.value] is not None}
    if not usage:
        click.echo(
            "tokenpnl: name at least one usage kind, for example --input-uncached 1200 --output-text 300", err=True
        )
        return WRONG_USAGE
    at = asked["at"] or datetime.now(UTC)
    one = {"provider": asked["provider"], "model": model, "at": at, "usage": usage, "context": asked["context"]}
    card, whose = _card(home)
    (answer,) = quote([one], card)
    if as_json:
        click.echo(json.dumps(_document(answer)))
    else:
        _print(answer, whose)
    if answer.cost_usd is None:
        from tokenpnl_analytics.pricing.quote import explain_unpriced

        click.echo(f"tokenpnl: {explain_unpriced(asked['provider'], model, card)}", err=True)
        return CHECK_FAILED
    return OK


def _card(home: Path | None) -> "tuple[RateCard, str]":
    """Return the prices of the home, and whose they are in words; a home that was named has to be there."""
    from tokenpnl_dashboard.rules.pricing import card_of_home
    from tokenpnl_ingest.home import Home

    meant = Home.meant(home)
    if home is not None and not meant.path.is_dir():
        raise click.UsageError(f"there is no home at {meant.path}; without --home the published list prices")
    return card_of_home(meant)


def _price_lines(home: Path | None) -> int:
    from tokenpnl.errors import RefusedInputError
    from tokenpnl_analytics.pricing.quote import quote

    card, whose = _card(home)
    click.echo(f"priced by {whose}", err=True)

    if sys.stdin.isatty():
        click.echo("reading usages as JSON lines, end with Ctrl-D; for one usage give --model", err=True)
    usages = []
    for number, line in enumerate(sys.stdin, 1):
        if not line.strip():
            continue
        try:
            usages.append(json.loads(line))
        except ValueError as error:
            raise RefusedInputError(f"line {number} is not JSON: {error}; write one usage a line") from error
    answers = quote(usages, card)
    for answer in answers:
        click.echo(json.dumps(_document(answer)))
    return OK if all(answer.cost_usd is not None for answer in answers) else CHECK_FAILED


def _document(answer: "Quote") -> dict[str, Any]:
    from tokenpnl_dashboard.output import plain

    lines = [
        {
            "usage_kind": line.usage_kind,
            "quantity": line.quantity,
            "usd_per_million": plain(line.usd_per_million),
            "cost_usd": plain(line.cost_usd),
        }
        for line in answer.lines
    ]
    return {
        "cost_usd": plain(answer.cost_usd),
        "price_version": answer.price_version,
        "flags": list(answer.flags),
        "lines": lines,
    }


def _print(answer: "Quote", whose: str) -> None:
    import polars as pl

    from tokenpnl_dashboard.output import plain, print_frame

    lines = [
        {
            "usage kind": line.usage_kind,
            "tokens": line.quantity,
            "USD per million": plain(line.usd_per_million),
            "cost USD": plain(line.cost_usd),
        }
        for line in answer.lines
    ]
    print_frame(pl.DataFrame(lines), "table", names=1)
    cost = "unknown" if answer.cost_usd is None else f"${plain(answer.cost_usd)}"
    notes = f" ({', '.join(answer.flags)})" if answer.flags else ""
    click.echo(f"cost {cost}{notes}, by {whose}: {answer.price_version}")
