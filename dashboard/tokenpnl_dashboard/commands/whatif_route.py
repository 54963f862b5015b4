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
@JSON
def route(file: Path, score: str | None, margin: float, *, cascade: bool, as_json: bool) -> int:
    """Print the models worth asking, and what a router between the cheapest and the best of them could win.

    A threshold is chosen on one half of the tasks and scored on the other, between a coin and an oracle.
    """
    import polars as pl

    from tokenpnl.errors import RefusedInputError
    from tokenpnl_analytics.whatif.routing.curves import Kind
    from tokenpnl_dashboard.output import print_frame, print_json
    from tokenpnl_dashboard.questions.routing import read_table, routing

    try:
        told = routing(read_table(file), score=score, kind=Kind.CASCADE if cascade else Kind.ROUTE, margin=margin)
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
