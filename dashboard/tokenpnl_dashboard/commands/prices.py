"""`tokenpnl prices`: the rate card: what is in force, what the files say, and what a change would do."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tokenpnl_dashboard.cli import CHECK_FAILED, OK, Group
from tokenpnl_dashboard.commands.options import HOME, formats

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl

    from tokenpnl_analytics.pricing.ratecard import RateCard
    from tokenpnl_dashboard.rules.pricing import Span
    from tokenpnl_ingest.home import Home

DAY = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"])
REPLACE = click.option("--replace", is_flag=True, help="Write over the file that is there.")


@click.group("prices", cls=Group)
def command() -> None:
    """List, compare, check, import and re-price.

    Prices come from contract.yaml, then override.yaml, then genai-prices, then an imported LiteLLM list. What the files
    say holds for usage from the moment on that the bookkeeper reads it; older usage keeps the version that it was
    booked with until `prices reprice --apply`, and closed months until that is told --into-closed.
    """


@command.command("list")
@click.option("--provider", help="Only what this one sells.")
@click.option("--at", type=DAY, help="Prices of this day.  [default: now]")
@HOME
@formats
def list_prices(provider: str | None, at: datetime | None, home: Path | None, form: str) -> int:
    """List the standard prices in force at a moment, USD per million."""
    from tokenpnl_analytics.pricing.pricelist import price_list
    from tokenpnl_dashboard.output import print_frame
    from tokenpnl_ingest.home import Home

    card, moment = _in_force(Home.at(home)), (at.replace(tzinfo=UTC) if at else datetime.now(UTC))
    frame = price_list(card, moment, provider=provider)
    if frame.is_empty():
        click.echo(f"no prices of {provider}; providers: {', '.join(sorted(card.models_by_provider))}", err=True)
        return CHECK_FAILED
    print_frame(
        frame, form, title=f"prices on {moment:%Y-%m-%d}, USD per million, by {card.version}", names=2, exact=True
    )
    return OK


@command.command("show")
@click.argument("model")
@click.option("--provider", help="Who sells it.  [default: every provider that has it]")
@click.option("--region", help="Region of the response.")
@click.option("--tenant", help="Tenant, where rules speak of one.")
@HOME
@formats
def show(model: str, home: Path | None, form: str, **served: Any) -> int:
    """Show every dated price of MODEL: tiers, sizes of input, times of day, where it comes from."""
    import polars as pl

    from tokenpnl_analytics.pricing.pricelist import dated_prices
    from tokenpnl_analytics.pricing.quote import explain_unpriced
    from tokenpnl_dashboard.output import print_frame
    from tokenpnl_dashboard.rules.pricing import dated_for_eyes
    from tokenpnl_ingest.home import Home

    card = _in_force(Home.at(home))
    sellers = [served["provider"]] if served["provider"] else _sellers(card, model)
    schema = dict.fromkeys(("provider", "model", "region", "tenant", "deployment"), pl.String())
    asked = [(seller, model, served["region"], served["tenant"], None) for seller in sellers or [None]]
    frame = dated_prices(card, pl.DataFrame(asked, schema=schema, orient="row"))
    if frame.is_empty():
        raise explain_unpriced(served["provider"], model, card)
    shown = dated_for_eyes(frame) if form == "table" else frame
    title = f"dated prices of {model}, USD per million, by {card.version}"
    print_frame(shown, form, title=title, names=shown.columns.index("list_usd"), exact=True)
    return OK


@command.command("diff")
@click.argument("old", required=False)
@click.argument("new", required=False)
@HOME
@formats
def diff(old: str | None, new: str | None, home: Path | None, form: str) -> int:
    """Compare two price versions; without them the one in force now with what the files say.

    OLD and NEW are versions, or any part of one that is unique, such as its hash. Exit code 1: they differ.
    """
    from tokenpnl_analytics.pricing.pricelist import card_differences
    from tokenpnl_dashboard.output import print_frame
    from tokenpnl_dashboard.rules.configuration import Configuration
    from tokenpnl_dashboard.rules.instructions import card_of_files
    from tokenpnl_dashboard.rules.pricing import stored_card
    from tokenpnl_ingest.control import ControlStore
    from tokenpnl_ingest.home import Home

    place = Home.at(home)
    with ControlStore.of(place) as control:
        before = stored_card(control, old) if old else _newest(_in_force(place))
        after = stored_card(control, new) if new else card_of_files(Configuration.of(place))
    frame = card_differences(before, after)
    click.echo(f"old: {before.version}\nnew: {after.version}\n{frame.height} differences", err=True)
    if not frame.is_empty():
        print_frame(frame, form, title="price differences", names=7, exact=True)
    return OK if frame.is_empty() else CHECK_FAILED


@command.command("check")
@click.option("--costs", is_flag=True, help="Print reported against computed costs instead of the worklist.")
@HOME
@formats
def check(home: Path | None, form: str, *, costs: bool) -> int:
    """Check the price files, and list the models in the store that have no price, with the rules to write.

    Costs that gateways and emitters report are kept apart; --costs sets them beside ours. Exit code 1: a file does not
    hold, or something has no price.
    """
    from tokenpnl_dashboard.book import open_book
    from tokenpnl_dashboard.output import print_frame
    from tokenpnl_dashboard.rules import pricing
    from tokenpnl_dashboard.rules.configuration import Configuration
    from tokenpnl_ingest.home import Home

    place = Home.at(home)
    configuration = Configuration.of(place)
    broken = pricing.broken_files(configuration)
    for sentence in broken:
        click.echo(sentence, err=True)
    with open_book(place) as book:
        unpriced = pricing.unpriced_models(book)
        months = [f"{start:%Y-%m}" for start in book.query("line_item_sums", by=["month"])["month"].to_list()]
        compared = pricing.reported_against_computed(book) if costs else None
    if not broken:
        for sentence in pricing.missing_rates(configuration, months):
            click.echo(sentence, err=True)
    if compared is not None:
        print_frame(compared, form, title="reported against computed cost, USD", names=2)
    else:
        print_frame(unpriced, form, title="usage without a price", names=2)
    if not unpriced.is_empty():
        click.echo(f"price them in {configuration.folder / 'override.yaml'}:\n{pricing.snippet(unpriced)}", err=True)
    return CHECK_FAILED if broken or not unpriced.is_empty() else OK


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--format", "kind", type=click.Choice(["litellm", "contract", "override", "aliases", "fx"]), required=True,
    help="litellm: a LiteLLM price list; else a rule file of that name.",
)  # fmt: skip
@REPLACE
@HOME
def import_file(file: Path, kind: str, home: Path | None, *, replace: bool) -> int:
    """Check FILE and put it among the price files of the home."""
    from tokenpnl_analytics.pricing.litellm import import_litellm
    from tokenpnl_dashboard.rules import pricing
    from tokenpnl_dashboard.rules.configuration import Configuration
    from tokenpnl_ingest.home import Home

    folder = Configuration.of(Home.at(home)).folder
    if kind == "litellm":
        imported = import_litellm(file.read_bytes())
        for sentence in pricing.told(imported):
            click.echo(sentence, err=True)
        text = pricing.text_of(imported.file)
    else:
        text = file.read_text(encoding="utf-8")
        pricing.PRICE_FILES[kind].parse(text, name=str(file))
    written = pricing.save(folder, pricing.PRICE_FILES[kind].name, text, replace=replace)
    click.echo(f"written to {written}; it holds for usage from now on", err=True)
    return OK


@command.command("update")
@click.argument("source")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@HOME
@formats
def update(source: str, home: Path | None, form: str, *, dry_run: bool) -> int:
    """Take the published prices from SOURCE, a data file of genai-prices or an https address of one.

    Nothing is ever fetched unless this is called. The file is kept among the price files, and stands in for the
    installed release until it is deleted.
    """
    from tokenpnl_analytics.pricing.pricelist import card_differences
    from tokenpnl_analytics.pricing.published import PUBLISHED_FILE, published_card
    from tokenpnl_dashboard.output import print_frame
    from tokenpnl_dashboard.rules import pricing
    from tokenpnl_dashboard.rules.configuration import Configuration
    from tokenpnl_dashboard.rules.instructions import published_of
    from tokenpnl_ingest.home import Home

    configuration = Configuration.of(Home.at(home))
    content = pricing.fetched(source)
    new = published_card(content)
    frame = card_differences(published_of(configuration), new)
    print_frame(frame, form, title=f"changes of the published prices to {new.version}", names=7, exact=True)
    if not dry_run:
        written = pricing.save(configuration.folder, PUBLISHED_FILE, content.decode(), replace=True)
        click.echo(f"written to {written}; it holds for usage from now on", err=True)
    return OK


@command.command("reprice")
@click.option("--from", "since", type=DAY, help="First moment, UTC.  [default: the beginning]")
@click.option("--until", type=DAY, help="End, not included.  [default: open]")
@click.option("--version", help="Price version to use, or a unique part of it.  [default: what the files say now]")
@click.option("--into-closed", is_flag=True, help="Also read closed months anew, beside their figures as closed.")
@click.option("--apply", is_flag=True, help="Do it; else only say what would change.")
@click.option("--by", help="Who does this, for the record.  [default: the user of the system]")
@HOME
@formats
def reprice(home: Path | None, form: str, *, into_closed: bool, **asked: Any) -> int:
    """Say what other prices would change in usage that is booked, and with --apply book it again.

    Closed months are left out of both. With --into-closed they are told apart and booked again too: what was closed
    stays to the last byte, `close restated` shows the difference, and the open month carries it as an adjustment.
    """
    import getpass

    from tokenpnl_dashboard.output import print_frame
    from tokenpnl_dashboard.rules import pricing
    from tokenpnl_dashboard.rules.configuration import Configuration
    from tokenpnl_dashboard.rules.instructions import card_of_files
    from tokenpnl_ingest.control import ControlStore
    from tokenpnl_ingest.home import Home

    place = Home.at(home)
    whole = pricing.Span(*(asked[name] and asked[name].replace(tzinfo=UTC) for name in ("since", "until")))
    with ControlStore.of(place) as control:
        open_, closed = pricing.open_spans(control, whole), pricing.closed_spans(control, whole) if into_closed else []
        version = asked["version"]
        new = pricing.stored_card(control, version) if version else card_of_files(Configuration.of(place))
        frame = _changes(place, new, open_, closed)
        told = "closed months read anew" if into_closed else "closed months left out"
        print_frame(frame, form, title=f"effective cost by {new.version}, {told}", names=5)
        for sentence in _verdicts(frame, into_closed=into_closed):
            click.echo(sentence, err=True)
        if asked["apply"] and (open_ or closed):
            actor = asked["by"] or getpass.getuser()
            numbers = pricing.put_in_force(control, new, open_, actor=actor)
            numbers += pricing.put_in_force(control, new, closed, actor=actor, into_closed=True)
            click.echo(f"{new.version} is in force; booking again: {', '.join(f'#{n}' for n in numbers)}", err=True)
        elif not asked["apply"]:
            click.echo("nothing was changed; add --apply to do it", err=True)
    return OK


def _changes(place: "Home", new: "RateCard", open_: "Sequence[Span]", closed: "Sequence[Span]") -> "pl.DataFrame":
    """Return what would change, with `books`: open, or closed, where only the reading beside them would."""
    import polars as pl

    from tokenpnl_analytics.pricing.reprice import changes
    from tokenpnl_dashboard.book import open_book
    from tokenpnl_dashboard.rules import pricing

    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    old, nothing = _in_force(place), pricing.Span(epoch, epoch)
    found = []
    with open_book(place) as book:
        for name, spans in (("open", open_), ("closed", closed)):
            attempts = pl.concat([pricing.used_attempts(book, span) for span in spans or [nothing]])
            found.append(changes(attempts, old, new).select(pl.lit(name).alias("books"), pl.all()))
    return pl.concat(found)


def _verdicts(frame: "pl.DataFrame", *, into_closed: bool) -> "Iterator[str]":
    """Yield what would change, a sentence for open and one for closed months."""
    from tokenpnl_dashboard.output import plain

    for name, beside in (("open", ""), ("closed", "; what was closed stays, the open month carries the difference")):
        if name == "closed" and not into_closed:
            continue
        rows = frame.filter(books=name)
        if rows.is_empty():
            yield f"{name} months: no cost would change"
            continue
        old, new = (Decimal(rows[column].sum()) for column in ("old_usd", "new_usd"))
        yield (
            f"{name} months: {rows.height} rows would change: ${plain(old)} to ${plain(new)}, a difference of "
            f"{plain(new - old)} USD{beside}"
        )


def _in_force(place: "Home") -> "RateCard":
    """Return the prices in force; before the first bookkeeping what the files say."""
    from tokenpnl_dashboard.rules.configuration import Configuration
    from tokenpnl_dashboard.rules.instructions import card_of_files
    from tokenpnl_dashboard.rules.pricing import card_in_force
    from tokenpnl_ingest.control import ControlStore

    with ControlStore.of(place) as control:
        return card_in_force(control) or card_of_files(Configuration.of(place))


def _newest(card: "RateCard") -> "RateCard":
    return card.in_force[-1].card


def _sellers(card: "RateCard", model: str) -> list[str]:
    return sorted(seller for seller, models in card.models_by_provider.items() if model in models)
