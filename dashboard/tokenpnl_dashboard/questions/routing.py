"""What `tokenpnl whatif route` asks of a table of tasks and models: frontier, brackets, a threshold held out."""

import csv
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.whatif.retries.any_of import any_of
from tokenpnl_analytics.whatif.routing.cascade import CascadeValue, Verifier, verified_cascade, verifier_of
from tokenpnl_analytics.whatif.routing.curves import Kind, Strong, threshold_curve
from tokenpnl_analytics.whatif.routing.frontier import frontier
from tokenpnl_analytics.whatif.routing.holdout import HeldOut, held_out
from tokenpnl_analytics.whatif.routing.metrics import aiq, router_metrics
from tokenpnl_analytics.whatif.routing.rules import PolicyValue, TaskRules, value_by_rules
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


@dataclass(frozen=True)
class Routers:
    """Which routers to judge on a table of tasks; without any only the models are compared.

    Attributes:
        score: column that a router looks at.
        kind: route or cascade, of the score.
        margin: loss of success share that is allowed against the strong model.
        rules: rules that name the model of a task.
        verifier: assumed rates of who checks the weak model's answer.
        accepted: column of the weak model's rows that says whether a verifier let the answer pass; measures its rates.
    """

    score: str | None = None
    kind: Kind = Kind.ROUTE
    margin: float = 0.02
    rules: TaskRules | None = None
    verifier: Verifier | None = None
    accepted: str | None = None


def routing(table: pl.DataFrame, routers: Routers = Routers()) -> dict[str, Any]:
    """Return what a table says about routing.

    Args:
        table: result of `read_table`; with a column `trial`, tasks that were tried more than once.
        routers: what to judge on it.

    Returns:
        `grain`, `n_models`, `frontier` (rows), `aiq`, `router` (None without score; else weak and strong
        model, metrics, the curve, the threshold on the held-out half), `rules` and `verified` (None without), `trials`
        (how often any of k tries succeeds, by model; empty without a column `trial`), `sentences`.

    Raises:
        RefusedInputError: routers are asked for and the table has no tasks, or lacks a column that they look at.
    """
    trials = _trials(table)
    if trials:
        table = table.with_columns(pl.format("{}/{}", "task", "trial").alias("task"))
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
        "rules": None,
        "verified": None,
        "trials": trials,
        "sentences": [*_sentences(board, found), *_of_trials(trials)],
    }
    if tasks is not None:
        _judge(told, tasks, (found["model"][0], found["model"][-1]), routers)
    return told


def _judge(told: dict[str, Any], tasks: pl.DataFrame, models: tuple[str, str], routers: Routers) -> None:
    """Add the routers that were asked for, with what they say."""
    if routers.score is not None:
        told["router"] = _router(tasks, models, routers.score, routers)
        told["sentences"] += told["router"].pop("sentences")
    if routers.rules is not None:
        value = value_by_rules(tasks, routers.rules.rules, routers.rules.otherwise)
        told["rules"] = {**asdict(value), "tasks": value.tasks.to_dicts()}
        told["sentences"] += [_of_rules(value)]
    if routers.verifier is not None or routers.accepted is not None:
        found = _verified(tasks, models, routers)
        told["verified"] = asdict(found)
        told["sentences"] += [_of_verified(found, models)]


def _verified(tasks: pl.DataFrame, models: tuple[str, str], routers: Routers) -> CascadeValue:
    pairs = pairs_of(tasks, *models, [routers.accepted] if routers.accepted else [])
    if routers.accepted is None:
        assert routers.verifier is not None
        return verified_cascade(pairs, routers.verifier)
    accepted = pl.col(routers.accepted).cast(pl.Float64, strict=False) > 0
    checked = pairs.select(accepted.alias("accepted"), (pl.col("weak_success") == 1).alias("correct"))
    return verified_cascade(pairs, verifier_of(checked))


def _trials(table: pl.DataFrame) -> list[dict[str, Any]]:
    if not {"task", "trial", "model", "success"} <= set(table.columns):
        return []
    tried = table.select("task", "model", (pl.col("success").cast(pl.Float64) == 1).alias("succeeded")).sort("model")
    return [
        {"model": model, **row}
        for (model,), rows in tried.group_by("model", maintain_order=True)
        for row in any_of(rows).to_dicts()
    ]


def _of_trials(trials: list[dict[str, Any]]) -> list[str]:
    last = {row["model"]: row for row in trials if row["k"] > 1}
    return [
        f"{model}: any of {row['k']} tries succeeds on {words.percent(row['any_share'])} of the tasks if one picks "
        f"the right one, every one on {words.percent(row['all_share'])}; independence would say "
        f"{words.percent(row['independent_share'])}."
        for model, row in last.items()
    ]


def _of_rules(value: PolicyValue) -> str:
    if value.refused_because:
        low, high = words.percent(value.success_low), words.percent(value.success_high)
        return f"By the rules between {low} and {high} are solved: {value.refused_because}."
    per = words.usd(value.usd_per_success)
    return f"By the rules {words.percent(value.success_low)} of {value.n} tasks are solved, at {per} each."


def _of_verified(found: CascadeValue, models: tuple[str, str]) -> str:
    low, high = words.percent(found.success_low), words.percent(found.success_high)
    return (
        f"{models[0]} first, {models[1]} where the verifier objects ({found.label}): solves "
        f"{words.percent(found.success_share)} ({low} to {high}) at {words.usd(found.usd_per_task)} a task; "
        f"{words.percent(found.strong_share)} go on. {found.assumption}"
    )


def _router(tasks: pl.DataFrame, models: tuple[str, str], score: str, routers: Routers) -> dict[str, Any]:
    (weak, strong), kind, margin = models, routers.kind, routers.margin
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
