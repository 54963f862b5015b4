"""Runs of a log with the route that they took: one row each, however often the router was asked."""

import json
from collections.abc import Sequence
from itertools import product

import polars as pl

JOINED = " + "
"""Between the arms of a run that was routed more than once."""
INPUT = "input:"
"""Prefix of the numeric columns that `with_inputs` adds."""
MOST_LEVELS = 20
_MOST_CANDIDATES = 256


def runs_of_routes(routed: pl.DataFrame) -> pl.DataFrame:
    """Return one row per run: arms combined, propensities multiplied.

    Attempts of one call share a draw. Where the log has a run with two arms or two propensities, the router draws for
    each call; where it has none, the draw holds for the run, as the SDK's guide says, and counts once.

    Args:
        routed: routed attempts: `tenant, run_id, call_key, started_at, attempt_id, route_arm` (the one taken), `wanted`
            (the arm that the rules would take), `route_propensity, route_candidates, route_inputs, stratum`.

    Returns:
        `tenant, run_id, route_arm, wanted, route_propensity` (NULL: one of them is unknown), `route_candidates` (NULL:
        unknown, or too many combinations), `route_inputs` (of the first draw), `stratum` (with the number of draws,
        where it is not one); by tenant and run.
    """
    run = ["tenant", "run_id"]
    drawn = routed.sort("started_at", "attempt_id")
    several = drawn.group_by(run).agg(pl.col("route_arm").n_unique(), pl.col("route_propensity").n_unique())
    per_call = several.select((pl.col("route_arm", "route_propensity") > 1).any()).row(0)
    draws = drawn.unique([*run, "call_key"] if any(per_call) else run, keep="first", maintain_order=True)
    known = pl.col("route_propensity").is_not_null().all()
    joined = draws.group_by(run, maintain_order=True).agg(
        pl.col("route_arm", "wanted").str.join(JOINED),
        pl.when(known).then(pl.col("route_propensity").product()).alias("route_propensity"),
        pl.col("route_candidates").alias("each"),
        pl.col("route_inputs").first(),
        pl.when(pl.len() > 1)
        .then(pl.format("{} ({} draws)", pl.col("stratum").first(), pl.len()))
        .otherwise(pl.col("stratum").first())
        .alias("stratum"),
    )
    combined = [_combined(each) for each in joined["each"].to_list()]
    return joined.with_columns(pl.Series("route_candidates", combined, pl.List(pl.String))).drop("each").sort(run)


def _combined(each: Sequence[Sequence[str] | None]) -> list[str] | None:
    """Return every combination of the candidates of a run's draws."""
    size, lists = 1, []
    for candidates in each:
        if not candidates:
            return None
        size *= len(candidates)
        lists.append(candidates)
    return [JOINED.join(arms) for arms in product(*lists)] if size <= _MOST_CANDIDATES else None


def with_inputs(runs: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return the runs with what the router looked at as numbers, and the names of those columns.

    Args:
        runs: `route_inputs` (JSON object; NULL: not logged).

    Returns:
        The runs with a column `input:<name>` for each number or truth value and `input:<name>=<value>` (1 or 0) for
        each value of a text but the first; an unknown number is NULL, an unknown text is a value of its own. A text of
        more than 20 values is left out: nobody can adjust for a name.
    """
    told = [_object(text) for text in runs["route_inputs"].to_list()]
    columns: list[pl.Series] = []
    for name in sorted({key for one in told for key in one}):
        values = [one.get(name) for one in told]
        if all(value is None or isinstance(value, int | float) for value in values):
            numbers = [None if value is None else float(value) for value in values]  # type: ignore[arg-type]  # numbers all
            columns.append(pl.Series(f"{INPUT}{name}", numbers, pl.Float64))
            continue
        texts = pl.Series(["(none)" if value is None else str(value) for value in values], dtype=pl.String)
        levels = texts.unique().sort().to_list()
        if len(levels) <= MOST_LEVELS:
            columns += [(texts == level).cast(pl.Float64).alias(f"{INPUT}{name}={level}") for level in levels[1:]]
    varying = [column for column in columns if column.n_unique() > 1]
    return runs.with_columns(varying), tuple(column.name for column in varying)


def _object(text: str | None) -> dict[str, object]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return (
        {key: value for key, value in found.items() if not isinstance(value, list | dict)}
        if isinstance(found, dict)
        else {}
    )
