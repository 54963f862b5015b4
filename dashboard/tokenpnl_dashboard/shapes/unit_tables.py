"""Unit costs as tables of words: the three figures, their components, their controls, their risk."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from tokenpnl_dashboard import words

Row = dict[str, Any]
NONE = "(none)"
_SOURCES = {
    "program_share": "program", "user_share": "user", "reviewer_share": "reviewer", "rule_share": "rule",
    "import_share": "import", "unnamed_share": "unnamed",
}  # fmt: skip


def three_figures(units: pl.DataFrame, by: str, title: str) -> pl.DataFrame:
    """Return settled, to date and expected side by side, never blended, with what each rests on.

    Args:
        units: result of `unit_costs` by `by`.
        by: the dimension.
        title: its heading.
    """
    rows = units.sort("cost_usd", descending=True, nulls_last=True).to_dicts()
    return pl.DataFrame(
        {
            title: [row[by] or NONE for row in rows],
            "Settled": [settled(row) for row in rows],
            "95% interval": [_bounds(row["low"], row["high"], row["settled_usd"]) for row in rows],
            "Fieller": [_bounds(row["fieller_low"], row["fieller_high"], row["settled_usd"]) for row in rows],
            "To date": [words.usd(row["to_date_usd"]) for row in rows],
            "To date, at least": [words.usd(row["to_date_low_usd"]) for row in rows],
            "Expected (estimate)": [words.usd(row["expected_usd"]) for row in rows],
            "Read with care": [row["caveats"] or "" for row in rows],
            "Runs": [words.count(row["n_runs"]) for row in rows],
            "Settled runs": [words.count(row["n_settled"]) for row in rows],
            "Settled successes": [words.count(row["settled_successes"]) for row in rows],
            "Window": [words.days(row["window_days"]) for row in rows],
            "Outcome coverage": [words.percent(row["outcome_coverage"]) for row in rows],
            "Priced": [words.percent(row["priced_share"]) for row in rows],
        },
        schema_overrides={title: pl.String},
    )


def against(found: pl.DataFrame, by: str, title: str) -> pl.DataFrame:
    """Return unit costs beside those before, and what may be said of the difference.

    Args:
        found: result of `compared` by `by`.
        by: the dimension.
        title: its heading.
    """
    rows = found.to_dicts()
    return pl.DataFrame(
        {
            title: [row[by] or NONE for row in rows],
            "Settled": [_floored(row["settled_usd"], row["at_least_usd"]) for row in rows],
            "Before": [_floored(row["before_usd"], row["before_at_least_usd"]) for row in rows],
            "Difference": [difference(row) for row in rows],
            "Successes": [words.count(row["successes"]) for row in rows],
            "Successes before": [words.count(row["successes_before"]) for row in rows],
        },
        schema_overrides={title: pl.String},
    )


def difference(row: Row) -> str:
    """Return in a sentence how a unit cost stands against the one before: how much, how sure, or why nobody can say.

    Args:
        row: a row of `compared`.
    """
    if row["refused_because"] is not None:
        return f"not compared: {row['refused_because']}"
    bounds = [_dearer(row[name]) if row[name] is not None else "no bound" for name in ("low", "high")]
    interval = f"95% interval {bounds[0]} to {bounds[1]}"
    if not row["differs"]:
        return f"no difference shown: {_dearer(row['ratio'])} ({interval})"
    return f"{_dearer(row['ratio'])} ({interval})"


def _dearer(ratio: float) -> str:
    if round(abs(ratio - 1), 3) == 0:
        return "the same"
    return f"{words.percent(ratio - 1)} dearer" if ratio > 1 else f"{words.percent(1 - ratio)} cheaper"


def _floored(usd: Decimal | None, at_least_usd: Decimal | None) -> str:
    return words.usd(usd) if at_least_usd is None else f"at least {words.usd(at_least_usd)}"


def components(units: pl.DataFrame, by: str, title: str) -> pl.DataFrame:
    """Return what the settled figure is made of, and how its interval was made."""
    rows = units.sort("cost_usd", descending=True, nulls_last=True).to_dicts()
    return pl.DataFrame(
        {
            title: [row[by] or NONE for row in rows],
            "Direct": [words.usd(row["direct_usd"]) for row in rows],
            "Inline evaluation": [words.usd(row["inline_evaluation_usd"]) for row in rows],
            "Capacity share": [words.usd(row["capacity_share_usd"]) for row in rows],
            "Settled": [words.usd(row["settled_usd"]) for row in rows],
            "Beside: offline evaluation": [words.usd(row["offline_evaluation_usd"]) for row in rows],
            "Dearest 1% of runs": [f"{words.percent(row['tail_share'])} of cost" for row in rows],
            "Without that tail": [words.usd(row["winsorised_usd"]) for row in rows],
            "Interval by": [row["method"] or words.UNKNOWN for row in rows],
            "Clusters": [f"{words.count(row['n_clusters'])} by {row['clusters'] or 'run'}" for row in rows],
            "Design effect": [_factor(row["design_effect"]) for row in rows],
        },
        schema_overrides={title: pl.String},
    )


def controls(found: pl.DataFrame, by: str, title: str, defined: Mapping[str | None, Row]) -> pl.DataFrame:
    """Return what stands beside a unit cost so that it cannot be gamed unseen.

    Args:
        found: result of `controls` by `by`.
        by: the dimension.
        title: its heading.
        defined: by workflow: `definition`, `version`, `owner`, `changed_on`; empty for other dimensions.
    """
    rows = found.to_dicts()
    columns = {
        title: [row[by] or NONE for row in rows],
        "Who says so": [said_by(row) for row in rows],
        "Runs per case": [_cases(row) for row in rows],
        "Untraced share of invoice": [_untraced(row["untraced_share"]) for row in rows],
    }
    if defined:
        columns |= {
            "Definition of success": [_definition(defined.get(row[by])) for row in rows],
            "Changed in this period": [_change(defined.get(row[by])) for row in rows],
        }
    return pl.DataFrame(columns, schema_overrides=dict.fromkeys(columns, pl.String))


def contribution(found: pl.DataFrame, by: str, title: str) -> pl.DataFrame:
    """Return what each slice contributes to its workflow's cost per success, the dearest first in each workflow."""
    rows = found.sort("workflow", "cost_usd", descending=[False, True], nulls_last=True).to_dicts()
    idle = {"capacity_share": "(idle capacity)"}
    return pl.DataFrame(
        {
            "Workflow": [row["workflow"] or NONE for row in rows],
            title: [idle.get(row["component"]) or str(row[by] or NONE) for row in rows],
            "Cost": [words.usd(row["cost_usd"]) for row in rows],
            "Contribution to cost per success": [words.usd(row["usd_per_success"]) for row in rows],
            "Successes of the workflow": [words.count(row["successes"]) for row in rows],
        },
        schema_overrides={"Workflow": pl.String, title: pl.String},
    )


def settled(row: Row) -> str:
    """Return the settled figure as it may be read: a number, a floor, or why there is none."""
    if row["at_least_usd"] is not None:
        return f"at least {words.usd(row['at_least_usd'])}"
    if row["settled_usd"] is None or row["settled_successes"] and row["settled_usd"] == 0:
        return words.UNKNOWN
    return words.usd(row["settled_usd"])


def said_by(row: Row) -> str:
    """Return who declared the successes: `user 62%, program 38%`, or that the program alone did."""
    if not row["successes"]:
        return "no success yet"
    if row["self_declared"]:
        return "program 100%: self-declared"
    told = {name: row[column] for column, name in _SOURCES.items() if row[column]}
    ranked = sorted(told.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {words.percent(share)}" for name, share in ranked)


def _bounds(low: float | None, high: float | None, figure: object) -> str:
    if low is None or figure is None:
        return words.UNKNOWN
    return f"from {words.usd(low)}, no upper bound" if high is None else words.between(low, high)


def _factor(value: float | None) -> str:
    return words.UNKNOWN if value is None else f"{value:.2f}"


def _cases(row: Row) -> str:
    if row["runs_per_business_id"] is None:
        return "unknown: no run names its case"
    most = f"{row['runs_per_business_id']:.2f}, at most {row['most_runs_of_a_business_id']:,}"
    return most if row["business_id_share"] == 1 else f"{most} ({words.percent(row['business_id_share'])} name one)"


def _untraced(share: float | None) -> str:
    return "unknown: no invoice reconciled" if share is None else words.percent(share)


def _definition(told: Row | None) -> str:
    if told is None or told["owner"] is None:
        return "no success definition"
    return f"{told['definition']} (version {told['version']}, {told['owner']})"


def _change(told: Row | None) -> str:
    changed: date | None = told["changed_on"] if told else None
    return f"{changed:%-d %b %Y}: trends break" if changed else "no"
