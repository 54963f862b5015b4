"""`tokenpnl whatif apply`: files that a gateway or a program takes; nothing is applied by us."""

from pathlib import Path

import click

from tokenpnl_dashboard.cli import OK
from tokenpnl_dashboard.commands.options import HOME


@click.command("apply")
@click.argument("file", metavar="FILE.yaml")
@click.option(
    "--target",
    type=click.Choice(["litellm", "policy"]),
    default="policy",
    show_default=True,
    help="A LiteLLM router for the steps that change, or a neutral policy of every step.",
)
@click.option("--diff", is_flag=True, help="Print what changes against what traffic shows today, instead.")
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write there, not to the screen.")
@HOME
def apply(file: str, target: str, out: Path | None, home: Path | None, *, diff: bool) -> int:
    """Write what a person applies of the scenarios of FILE.yaml: a path, a file of `scenarios`, or a saved name.

    What the target cannot say is told on standard error. Traffic is changed by you, never by tokenpnl.
    """
    from tokenpnl_dashboard.book import open_book
    from tokenpnl_dashboard.questions.applying import applied_of
    from tokenpnl_dashboard.questions.whatif import run_file, scenarios_named
    from tokenpnl_dashboard.shapes.whatif_words import headline
    from tokenpnl_ingest.home import Home

    place = Home.at(home)
    scenarios = scenarios_named(place, file)
    with open_book(place) as book:
        report = run_file(book, place, scenarios)
    whole = (*report.compared.results, *([report.compared.combined] if report.compared.combined else []))
    expected = [f"{result.name}: {headline(result, report.baseline.days)}" for result in whole]
    found = applied_of(scenarios, report.baseline, expected=expected)
    text = found.difference if diff else found.litellm if target == "litellm" else found.policy
    for sentence in (*found.left, *(found.left_by_litellm if target == "litellm" else ())):
        click.echo(f"not in the file: {sentence}", err=True)
    if diff and not text:
        click.echo("nothing changes: traffic shows the same policy today", err=True)
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")
        click.echo(f"wrote {out}", err=True)
    return OK
