"""`tokenpnl whatif cache`: what caches of each policy, size and age would have hit in a trace."""

from pathlib import Path

import click

from tokenpnl_dashboard.cli import OK
from tokenpnl_dashboard.commands.options import formats

_POLICIES = ("lru", "fifo", "lfu", "sieve", "s3_fifo", "arc")
_SHOWN = ("caches", "curve", "lifetimes", "prompts", "warming")


@click.command("cache")
@click.option(
    "--trace",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="libCacheSim CSV, Mooncake JSON lines, or a CSV with the columns key, size, time.",
)
@click.option("--pairs", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="CSV of labelled pairs for a semantic cache: similarity, same_answer.")  # fmt: skip
@click.option("--policy", "policies", multiple=True, type=click.Choice(_POLICIES), help="Repeat for several.")
@click.option("--capacity", "capacities", multiple=True, type=click.IntRange(1), help="In bytes, tokens or objects.")
@click.option("--ttl", type=click.FloatRange(0), help="Seconds that an entry lives from its writing.")
@click.option("--plain-sizes", is_flag=True, help="Replay with sizes as they come, not frozen at the first.")
@click.option("--show", type=click.Choice(_SHOWN), help="One of the tables; default: all, of CSV the replays.")
@formats
def cache(  # noqa: PLR0913  # one argument an option
    trace: Path | None,
    pairs: Path | None,
    policies: tuple[str, ...],
    capacities: tuple[int, ...],
    ttl: float | None,
    show: str | None,
    *,
    form: str,
    plain_sizes: bool,
) -> int:
    """Say what a cache of each size and age would have hit in a trace.

    Caches are replayed exactly as libCacheSim does. The LRU curve is exact at every size; more cache never costs hits
    there. Of prompts in blocks the input bill by providers' cache rules is shown, relative to no cache: above 1 the
    cache costs more than it saves. Labelled pairs give the shares that a semantic cache would answer and get wrong.
    """
    from tokenpnl_analytics.rules.scenario_families import Eviction
    from tokenpnl_dashboard.output import plain, print_frame, print_json
    from tokenpnl_dashboard.questions.caching import cache_report

    if trace is None:
        if pairs is None:
            raise click.UsageError("--trace or --pairs is needed")
        return _semantic(pairs, form)
    report = cache_report(
        trace.read_bytes(),
        name=str(trace),
        policies=[Eviction(policy) for policy in policies or _POLICIES],
        capacities=capacities,
        ttl_s=ttl,
        plain_sizes=plain_sizes,
    )
    frames = {name: getattr(report, name) for name in _SHOWN if getattr(report, name) is not None}
    wanted = [show] if show else ["caches"] if form == "csv" else list(frames)
    if missing := [name for name in wanted if name not in frames]:
        raise click.UsageError(
            f"this trace has no {missing[0]}: only prompts in blocks have; there are {', '.join(frames)}"
        )
    if form == "json":
        print_json({**{name: _rows(frames[name]) for name in wanted}, "sentences": plain(report.sentences)})
        return OK
    for name in wanted:
        print_frame(frames[name], form, title=f"{name}, {trace.name}", names=2 if name == "caches" else 1)
    for sentence in report.sentences:
        click.echo(sentence, err=True)
    return OK


def _semantic(pairs: Path, form: str) -> int:
    from tokenpnl_dashboard.output import print_frame, print_json
    from tokenpnl_dashboard.questions.caching import SEMANTIC_NEXT, semantic_report

    found = semantic_report(pairs.read_bytes(), name=str(pairs))
    if form == "json":
        print_json({"semantic": found.to_dicts()})
    else:
        print_frame(found, form, title=f"semantic, {pairs.name}", names=1)
    click.echo(SEMANTIC_NEXT, err=True)
    return OK


def _rows(frame: object) -> object:
    import polars as pl

    assert isinstance(frame, pl.DataFrame)
    return frame.to_dicts()
