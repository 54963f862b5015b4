"""What `tokenpnl whatif route` asks of a table of tasks and models: frontier, brackets, a threshold held out."""

import csv
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.whatif.routing.curves import Kind, Strong, threshold_curve
from tokenpnl_analytics.whatif.routing.frontier import frontier
from tokenpnl_analytics.whatif.routing.holdout import HeldOut, held_out
from tokenpnl_analytics.whatif.routing.metrics import aiq, router_metrics
from tokenpnl_analytics.whatif.routing.table import Grain, board_of, grain_of, pairs_of, tasks_of
from tokenpnl_dashboard import words

_SEED = 20261124
_ALSO = {
    "total_cost": "cost_usd",
    "cost": "cost_usd",
    "test_cases": "n",
    "pass_num_2": "successes",
    "score": "success",
    "reward": "success",
    "task_id": "task",
}
"""Column names of public tables -> ours, where ours is absent."""


def read_table(file: Path) -> pl.DataFrame:
    """Return the rows of a CSV or YAML table with our column names; rows without a cost are left out.

    Raises:
        RefusedInputError: the file holds no table, or has no row with a model and a cost.
    """
    rows = _yaml_rows(file) if file.suffix in (".yaml", ".yml") else _csv_rows(file)
    names = {name for row in rows for name in row}
    ours = {old: new for old, new in _ALSO.items() if old in names and new not in names}
    kept = [{ours.get(name, name): value for name, value in row.items()} for row in rows]
    kept = [row for row in kept if row.get("model") and row.get("cost_usd") not in (None, "", 0, "0", "0.0")]
    if not kept:
        raise RefusedInputError(f"{file} has no row with a model and a cost; it needs the columns model and cost_usd")
    columns = list(dict.fromkeys(name for row in kept for name in row))
    texts = [pl.Series(name, [_text(row.get(name)) for row in kept], pl.String) for name in columns]
    table = pl.DataFrame(texts)
    return table.with_columns(_number(table[name]) for name in columns if name not in ("task", "model", "cost_usd"))


def routing(
    table: pl.DataFrame, *, score: str | None = None, kind: Kind = Kind.ROUTE, margin: float = 0.02
) -> dict[str, Any]:
    """Return what a table says about routing.

    Args:
        table: result of `read_table`.
        score: column that a router looks at; None: only models are compared.
        kind: route or cascade.
        margin: loss of success share that is allowed against the strong model.

    Returns:
        `grain`, `n_models`, `frontier` (rows), `aiq`, `router` (None without score; else weak and strong
        model, metrics, the curve, the threshold on the held-out half), `sentences`.
    """
    tasks = tasks_of(table) if grain_of(table) is Grain.TASK else None
    board = board_of(table)
    found = frontier(board, tasks)
    area = aiq([float(cost) for cost in board["usd_per_task"]], board["success_share"].to_list())
    told: dict[str, Any] = {
        "grain": grain_of(table).value,
        "n_models": board.height,
        "frontier": found.to_dicts(),
        "aiq": asdict(area),
        "router": None,
        "sentences": _sentences(board, found),
    }
    if score is not None and tasks is not None:
        told["router"] = _router(tasks, (found["model"][0], found["model"][-1]), score, kind, margin)
        told["sentences"] += told["router"].pop("sentences")
    return told


def _router(tasks: pl.DataFrame, models: tuple[str, str], score: str, kind: Kind, margin: float) -> dict[str, Any]:
    weak, strong = models
    pairs = pairs_of(tasks, weak, strong, [score])
    curve = threshold_curve(pairs, score, kind=kind)
    chosen = held_out(pairs, score, chance=np.random.default_rng(_SEED), kind=kind, margin=margin)
    return {
        "weak": weak,
        "strong": strong,
        "kind": kind.value,
        "strong_where": f"{score} is {Strong.BELOW.value} the threshold",
        "metrics": asdict(router_metrics(curve)),
        "curve": curve.to_dicts(),
        "held_out": asdict(chosen),
        "sentences": _of_router(chosen, strong, score),
    }


def _sentences(board: pl.DataFrame, found: pl.DataFrame) -> list[str]:
    said = [f"{found.height} of {board.height} models are worth looking at: nothing cheaper solves more."]
    names = found["model"].to_list()
    rows = found.iter_rows(named=True)
    for row, before in zip(rows, [None, *names], strict=False):
        if row["separable_from_previous"] is False:
            said.append(
                f"{row['model']} and {before} are not separable on {row['n_compared']} tasks ({row['compared_by']}): "
                "the cheaper may do."
            )
    return said


def _of_router(chosen: HeldOut, strong: str, score: str) -> list[str]:
    if chosen.refused_because:
        return [f"No threshold was chosen: {chosen.refused_because}."]
    rule = "never" if chosen.threshold is None else f"where {score} is below {chosen.threshold:.3f}"
    gap = chosen.against_strong
    interval = "" if gap.low is None or gap.high is None else f" (95%: {gap.low:+.1%} to {gap.high:+.1%})"
    solved, coin, oracle = (
        words.percent(share)
        for share in (chosen.success_share, chosen.random_success_share, chosen.oracle_success_share)
    )
    against = f"{gap.difference:+.1%} against {strong} alone{interval} at {words.usd(chosen.strong_cost_usd)}"
    return [
        f"Chosen on {chosen.n_chosen_on} tasks: ask {strong} {rule}.",
        f"On the other {chosen.n} tasks that solves {solved} for {words.usd(chosen.cost_usd)}, {against}.",
        f"A coin that asks it as often solves {coin}, an oracle {oracle}.",
    ]


def _yaml_rows(file: Path) -> list[dict[str, Any]]:
    try:
        rows = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RefusedInputError(f"{file} is no YAML: {error}") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise RefusedInputError(f"{file} is expected to be a list of rows, each with model and cost_usd")
    return rows


def _csv_rows(file: Path) -> list[dict[str, Any]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            rows: list[dict[str, Any]] = [
                {name: value for name, value in row.items() if name is not None} for row in csv.DictReader(text)
            ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise RefusedInputError(f"{file} is no CSV in UTF-8: {error}") from None
    return rows


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return str(int(value))
    text = None if value is None else str(value).strip()
    return {"true": "1", "false": "0", "": None}.get((text or "").lower(), text)


def _number(texts: pl.Series) -> pl.Series:
    """Return numbers where all of a column are; else the texts."""
    numbers = texts.cast(pl.Float64, strict=False)
    return numbers if numbers.null_count() == texts.null_count() else texts
