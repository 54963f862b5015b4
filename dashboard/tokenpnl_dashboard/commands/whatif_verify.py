"""`tokenpnl whatif verify`: whether a change that was made saved what it should, without harm."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tokenpnl_dashboard.cli import CHECK_FAILED, OK
from tokenpnl_dashboard.commands.options import HOME, JSON

if TYPE_CHECKING:
    from tokenpnl_analytics.rules.experiments import Experiment
    from tokenpnl_analytics.whatif.result import Estimate
    from tokenpnl_dashboard.questions.verification import Verified

_FILE = click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))


@click.command("verify")
@_FILE
@click.option("--aa", is_flag=True, help="Split the control arm against itself too: it must show no difference.")
@click.option("--as-of", help="ISO time of this look.  [default: the newest data]")
@JSON
@HOME
def verify(file: Path, as_of: str | None, home: Path | None, *, aa: bool, as_json: bool) -> int:
    """Say PASS, NOT YET, LOSS or REFUSED to a change that was made with a randomised holdout.

    FILE names workflow, start, arms, how runs are put into them, and the margin: the loss of success that may not be
    exceeded, set before the start. The verdict holds at every look, so ask it daily. A change without a holdout is
    only observed, against workflows that nobody touched. Exit code 1: LOSS or REFUSED.
    """
    from tokenpnl_analytics.rules.experiments import EXPERIMENT, ByDate
    from tokenpnl_analytics.whatif.experiment.verify import Word
    from tokenpnl_dashboard.book import open_book
    from tokenpnl_dashboard.output import print_json
    from tokenpnl_dashboard.questions import verification
    from tokenpnl_ingest.home import Home

    experiment = EXPERIMENT.parse(file.read_text(), name=file.name).experiment
    place = Home.at(home)
    with open_book(place) as book:
        until = _moment(as_of) or book.version().newest_at or experiment.started
        if isinstance(experiment.assignment, ByDate):
            change = verification.observed(book, place, experiment, until=until)
            _print_observed(experiment, change, as_json=as_json)
            return OK if change.refused_because is None else CHECK_FAILED
        found = verification.verified(book, place, experiment, until=until, aa=aa)
    if as_json:
        print_json(verification.document(experiment, found))
    else:
        _print_verdict(experiment, found, aa=aa)
    return CHECK_FAILED if found.verification.word in (Word.LOSS, Word.REFUSED) else OK


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"expected an ISO time such as 2026-11-24T12:00Z, got {text!r}") from None
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _print_observed(experiment: "Experiment", change: "Estimate", *, as_json: bool) -> None:
    from tokenpnl_dashboard.output import print_json

    if as_json:
        print_json({"experiment": experiment.name, "verdict": "OBSERVED", "saving_share": vars(change)})
        return
    click.echo(f"{experiment.name}: OBSERVED, not verified: there is no holdout.")
    if change.value is None or change.low is None or change.high is None:
        click.echo(f"  no reading: {change.refused_because}")
        return
    told = f"{change.value:+.1%} (95% {change.low:+.1%} to {change.high:+.1%})"
    click.echo(f"  cost per run fell by {told} beyond untouched workflows, over {change.n:,} runs.")
    click.echo(f"  {change.method}; other reasons may have moved it.")


def _print_verdict(experiment: "Experiment", found: "Verified", *, aa: bool) -> None:
    import polars as pl

    from tokenpnl_dashboard.output import print_frame
    from tokenpnl_dashboard.questions.verification import document

    told = document(experiment, found)
    click.echo(f"{experiment.name}: {told['verdict']}")
    for reason in told["reasons"]:
        click.echo(f"  {reason}.")
    arms = [{"arm": name, **arm} for name, arm in told["arms"].items()]
    print_frame(pl.DataFrame(arms, infer_schema_length=None), "table", names=1)
    metric = "saving per success, USD" if experiment.metric.value == "usd_per_success" else "saving per run, USD"
    for name, key, times in ((metric, "saving_usd", 1), ("change of success, points", "success_change", 100)):
        _print_difference(name, told[key], times)
    click.echo(f"sample ratio p = {told['sample_ratio_p']:.3g}; design effect {_effect(told)}")
    if told["n_wanted_per_arm"] is not None:
        click.echo(
            f"power: {told['n_wanted_per_arm']:,} runs per arm exclude the margin of {told['margin']:.1%} in four of "
            f"five looks at the end; the runs at hand exclude {told['detectable_loss']:.1%}"
        )
    left = f"{told['n_unassigned_runs']:,} in no arm, {told['n_unsettled_runs']:,} younger than the outcome window"
    click.echo(f"left out: runs {left}; {told['n_mixed']:,} customers or conversations in both arms", err=True)
    if found.n_price_versions > 1:
        click.echo(f"{found.n_price_versions} rate cards in the books: both arms priced on the newest", err=True)
    if aa:
        _print_aa(told["aa"])


def _print_difference(name: str, found: dict[str, Any] | None, times: int) -> None:
    if found is None:
        return
    (once_low, once_high), (low, high) = found["one_look"], found["any_look"]
    value, once_low, once_high, low, high = (times * x for x in (found["value"], once_low, once_high, low, high))
    one = f"one look {once_low:+.4g} to {once_high:+.4g}"
    click.echo(f"{name}: {value:+.4g}; {one}; any look {low:+.4g} to {high:+.4g}")


def _effect(told: dict[str, Any]) -> str:
    found = told["success_change"]
    return "–" if found is None else f"{found['design_effect']:.2f}"


def _print_aa(aa: dict[str, Any] | None) -> None:
    if aa is None:
        click.echo("A/A: fewer than 60 clusters or 20 successes in the control arm: not checked")
        return
    click.echo(
        f"A/A: of {aa['n_splits']} random splits of the control arm {aa['once_share']:.1%} show a difference at one "
        f"look (5% expected), {aa['always_share']:.1%} by the sequence"
    )
