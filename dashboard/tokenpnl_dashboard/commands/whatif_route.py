"""`tokenpnl whatif route`: what a router could win on a table of tasks and models."""

from pathlib import Path

import click

from tokenpnl_dashboard.cli import OK
from tokenpnl_dashboard.commands.options import JSON


@click.command("route")
@click.option("--table", "file", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="CSV or YAML: task, model, success, cost_usd; or one row a model: n, successes.")  # fmt: skip
@click.option("--score", help="Column that a router looks at: the strong model is asked where it is low.")
@click.option("--cascade", is_flag=True, help="The weak model answers first, so an escalated task pays for both.")
@click.option("--margin", type=click.FloatRange(0, 1), default=0.02, show_default=True,
              help="Loss of the success share against the strong model that is allowed.")  # fmt: skip
@click.option("--rules", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="YAML: rules (model; intent, risk, step, tenant, context_from/below), otherwise.")  # fmt: skip
@click.option("--verifier", nargs=2, type=click.FloatRange(0, 1), metavar="TPR FPR",
              help="Shares of right and of wrong cheap answers that a check lets pass; the others go on.")  # fmt: skip
@click.option("--accepted", help="Column with the check's own word on the cheap model's answers: measures its rates.")
@JSON
def route(  # noqa: PLR0913  # one argument an option
    file: Path,
    score: str | None,
    margin: float,
    rules: Path | None,
    verifier: tuple[float, float] | None,
    accepted: str | None,
    *,
    cascade: bool,
    as_json: bool,
) -> int:
    """Print the models worth asking, and what a router between the cheapest and the best of them could win.

    A threshold is chosen on one half of the tasks and scored on the other, between a coin and an oracle. A column
    `trial` says how often any of several tries succeeds.
    """
    import polars as pl

    from tokenpnl.errors import RefusedInputError
    from tokenpnl_analytics.whatif.routing.cascade import Verifier
    from tokenpnl_analytics.whatif.routing.curves import Kind
    from tokenpnl_analytics.whatif.routing.rules import TASK_RULES
    from tokenpnl_dashboard.output import print_frame, print_json
    from tokenpnl_dashboard.questions.routing import Routers, read_table, routing

    asked = Routers(
        score,
        Kind.CASCADE if cascade else Kind.ROUTE,
        margin,
        None if rules is None else TASK_RULES.parse(rules.read_text(encoding="utf-8"), name=str(rules)),
        None if verifier is None else Verifier(*verifier),
        accepted,
    )
    try:
        told = routing(read_table(file), asked)
    except RefusedInputError as error:
        raise click.UsageError(str(error)) from None
    if as_json:
        print_json(told)
        return OK
    shown = pl.DataFrame(told["frontier"]).select(
        "model", "n", pl.col("success_share").round(3), pl.col("low").round(3), pl.col("high").round(3),
        "usd_per_task", "usd_per_success", pl.col("separable_from_previous").alias("separable"),
    )  # fmt: skip
    print_frame(shown, "table", title="models worth asking, cheap to dear", names=1)
    for sentence in told["sentences"]:
        click.echo(sentence)
    return OK
