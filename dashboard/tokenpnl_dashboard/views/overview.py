"""Overview: what was paid, what it bought, what one success costs."""

from typing import Any

import polars as pl
import streamlit as st

from tokenpnl.errors import ConfigurationError
from tokenpnl.model import WITHOUT_DIRECT_RESULT
from tokenpnl_analytics.planning.budgets import Burn
from tokenpnl_analytics.statement import cost_by_category, statement
from tokenpnl_dashboard import words
from tokenpnl_dashboard.charts import pnl as pnl_charts
from tokenpnl_dashboard.charts import units as unit_charts
from tokenpnl_dashboard.closing.restated_months import closed_months
from tokenpnl_dashboard.parts import cards
from tokenpnl_dashboard.parts.filters import NOBODY, Choice, chosen
from tokenpnl_dashboard.questions.disclosure import confidence
from tokenpnl_dashboard.questions.pnl import price_versions, rests_on, sums, the_cohort, unit_cost_by
from tokenpnl_dashboard.questions.standing import STANDING, worst_first
from tokenpnl_dashboard.questions.units import untraced
from tokenpnl_dashboard.questions.verdicts import the_verdict
from tokenpnl_dashboard.shapes import figures
from tokenpnl_dashboard.shapes.verdict_tables import HEADLINE
from tokenpnl_dashboard.state import edition, ink

Row = dict[str, Any]
TOP = 8
RUNS = "views/runs.py"
VERDICT = "views/verdict.py"


def _draw(choice: Choice) -> None:
    with st.skeleton(height=260):
        whole = statement(sums(choice, choice.period))
        before = choice.period.previous()
        earlier = statement(sums(choice, before)).row(0, named=True) if before else {}
        units = unit_cost_by(choice, choice.period, "workflow")
        overall = unit_cost_by(choice, choice.period, "tenant")
    row = whole.row(0, named=True)
    if not row["n_lines"]:
        cards.chip()
        cards.nothing_here("Nothing was paid here", "No usage in this window matches the filters.")
        return
    everything = overall.row(0, named=True) if overall.height else {}
    _chip(choice, row, everything)
    dots = figures.unit_dots(units)
    _verdict(choice, row, dots)
    days = cost_by_category(sums(choice, choice.period, "day"), ["day"])
    _tiles(choice, row, earlier, everything, dots, days)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        cards.card(
            "Where each dollar went",
            pnl_charts.waterfall(figures.ladder(whole), ink()),
            key="waterfall",
            caption="From list price to what bought a result, with shares of effective cost. Click a bar for its runs.",
            leads_to=lambda line: choice.address(category=line if line in words.CATEGORY else None),
        )
    with right:
        _shares(choice)
        cards.card(
            "Cost per successful outcome",
            unit_charts.cost_per_success(dots.head(TOP), ink()),
            key="units",
            caption=_unit_caption(dots) + _rest(dots.height),
            leads_to=lambda workflow: choice.address(workflow=workflow, outcome="success"),
        )
    cards.card(
        "Cost per day",
        pnl_charts.daily_cost(days.with_columns(pl.col("day").cast(pl.Date)), ink()),
        key="days",
        caption="Days in UTC.",
        legend=pnl_charts.category_key(days["cost_category"].unique(), ink()),
        leads_to=lambda mark: {**choice.address(category=mark[0]), "period": mark[1]},
    )
    _workflows(choice, units)
    st.caption(words.markdown(_disclosure(choice, everything)))


def _chip(choice: Choice, row: Row, everything: Row) -> None:
    versions = price_versions()
    basis = f"prices {words.listed(words.short_versions(versions))}" if versions else "no prices"
    cards.chip(
        f"{words.percent(row['priced_share'])} of usage lines priced",
        f"outcome coverage {words.percent(everything.get('outcome_coverage'))}",
        basis,
        confidence(row["priced_share"], untraced(the_cohort(choice, choice.period))),
        priced_share=row["priced_share"],
    )


def _verdict(choice: Choice, row: Row, dots: pl.DataFrame) -> None:
    lost = figures.share(row["without_result_usd"], row["effective_usd"])
    amount = words.usd(row["effective_usd"])
    floor = "at least " if (row["priced_share"] or 0) < 1 else ""
    parts = [f"**{words.percent(lost)} of {floor}{words.markdown(amount)} bought no direct result.**"]
    if row["effective_usd"] is None:
        parts = ["**Nothing here has a price: what it cost is unknown.**"]
    pieces = {name.value: row[f"{name.value}_usd"] for name in WITHOUT_DIRECT_RESULT}
    largest = max(pieces, key=lambda name: pieces[name] or 0)
    if pieces[largest]:
        piece = words.usd(pieces[largest], like=row["effective_usd"])
        parts.append(f"The largest piece: {words.category(largest).lower()}, {words.markdown(piece)}.")
    known = dots.filter(pl.col("estimate").is_not_null())
    if known.height:
        unit = known.row(0, named=True)
        cost = ("at least " if unit["at_least"] else "") + words.usd(unit["estimate"])
        said = words.interval(unit["low"], unit["high"])
        parts.append(words.markdown(f"One success of {unit['workflow']} cost {cost} ({said})."))
    told = the_verdict(choice).verdict
    with st.container(border=True, key="verdict"):
        st.markdown(f"**{HEADLINE[told.headline]}:** {words.markdown(told.reason)}.")
        st.markdown(" ".join(parts))
        st.page_link(
            VERDICT,
            label="By what evidence",
            query_params=choice.address(),
            icon=":material/arrow_forward:",
            icon_position="right",
        )


def _tiles(choice: Choice, row: Row, earlier: Row, everything: Row, dots: pl.DataFrame, days: pl.DataFrame) -> None:
    lost = figures.share(row["without_result_usd"], row["effective_usd"])
    before = figures.share(earlier.get("without_result_usd"), earlier.get("effective_usd"))
    daily = figures.daily(days)
    previous = choice.period.previous()
    against = words.versus(previous) if previous and earlier.get("n_lines") else None
    failed = [category.value for category in WITHOUT_DIRECT_RESULT]
    budgets = _budgets()
    with st.grid(columns=5, min_column_width=170):
        cards.tile(
            "Effective cost",
            words.usd(row["effective_usd"]),
            delta=words.change(figures.relative_change(row["effective_usd"], earlier.get("effective_usd"))),
            delta_color="inverse",
            delta_description=against,
            chart_data=daily if len(set(daily)) > 2 else None,
            chart_type="bar",
            leads_to=("Dearest runs", RUNS, choice.address(sort="dearest")),
        )
        cards.tile(
            "Without direct result",
            words.percent(lost),
            delta=words.points(lost, before),
            delta_color="inverse",
            delta_description=against,
            caption=f"{words.usd(row['without_result_usd'])} of {words.usd(row['effective_usd'])}",
            leads_to=("Costliest of them", RUNS, {**choice.address(sort="most without result"), "category": failed}),
        )
        if dots.height:
            unit = dots.row(0, named=True)
            known = unit["estimate"] is not None
            cards.tile(
                "Cost per success",
                f"≥ {words.usd(unit['estimate'])}" if unit["at_least"] and known else words.usd(unit["estimate"]),
                caption=f"{unit['workflow']}: {words.interval(unit['low'], unit['high']) if known else unit['note']}",
                leads_to=("Its runs", RUNS, choice.address(workflow=unit["workflow"])),
            )
        if everything:
            cards.tile(
                "Success rate",
                words.percent(figures.share(everything["settled_successes"], everything["n_settled"])),
                caption=f"{everything['settled_successes']:,} of {everything['n_settled']:,} settled runs",
                leads_to=("Failed runs", RUNS, choice.address(outcome="failure")),
            )
        if budgets:
            _budget_tile(budgets[0])
        else:
            cards.tile(
                "Saved by caches",
                words.usd(row["cache_net_usd"]),
                caption="Memo: never added in",
                leads_to=("Statement", "views/pnl.py", choice.address()),
            )


def _budgets() -> list[Burn]:
    try:
        return worst_first()
    except ConfigurationError:
        # Its own page says what is wrong with budgets.yaml.
        return []


def _budget_tile(burn: Burn) -> None:
    end = burn.end[0] if burn.end else None
    amount = burn.budget.amount_usd
    told = f"{words.usd(burn.spent_usd)} spent" if end is None else words.usd(end)
    cards.tile(
        "Spent of budget" if end is None else "Forecast of budget",
        words.percent(burn.spent_share if end is None else end / float(amount)),
        caption=f"{burn.budget.name}, {burn.span.label}: {told} of {words.usd(amount)}",
        leads_to=(STANDING[burn.standing], "views/budgets.py", {}),
    )


def _shares(choice: Choice) -> None:
    named = cost_by_category(sums(choice, choice.period, "workflow"), ["workflow"]).with_columns(
        pl.col("workflow").fill_null(NOBODY)
    )
    rows = figures.shares(named, "workflow", top=TOP)
    cards.card(
        "Share of each category",
        pnl_charts.category_shares(rows, ink()),
        key="shares",
        caption=f"One bar is all the cost of a workflow.{_rest(named['workflow'].n_unique())}",
        legend=pnl_charts.category_key(rows["cost_category"].unique(), ink()),
        leads_to=lambda mark: choice.address(category=mark[0], workflow=mark[1]),
    )


def _workflows(choice: Choice, units: pl.DataFrame) -> None:
    rows = statement(sums(choice, choice.period, "workflow"), ["workflow"]).join(
        units.select("workflow", "settled_usd", "low", "high", "settled_successes", "n_runs", "outcome_coverage"),
        on="workflow",
        how="left",
        nulls_equal=True,
    )
    top = rows.sort("effective_usd", descending=True, nulls_last=True).head(TOP).to_dicts()
    frame = pl.DataFrame(
        {
            "Workflow": [f"{row['workflow'] or NOBODY} ›" for row in top],
            "Effective cost": [words.usd(row["effective_usd"]) for row in top],
            "Without direct result": [
                words.with_share(
                    row["without_result_usd"], figures.share(row["without_result_usd"], row["effective_usd"])
                )
                for row in top
            ],
            "Cost per success": [words.usd(row["settled_usd"]) for row in top],
            "95% interval": [words.interval(row["low"], row["high"]).removeprefix("95% interval ") for row in top],
            "Runs in cohort": [words.count(row["n_runs"]) for row in top],
            "Settled successes": [words.count(row["settled_successes"]) for row in top],
            "Outcome coverage": [words.percent(row["outcome_coverage"]) for row in top],
            "Priced": [words.percent(row["priced_share"]) for row in top],
        }
    )
    with st.container(border=True, key="card_workflows"):
        cards.heading("Workflows by cost")
        st.dataframe(
            frame,
            hide_index=True,
            alt="Workflows by cost, with cost without direct result, cost per success and its interval",
            column_config={
                "Workflow": st.column_config.ButtonColumn(
                    "Workflow", type="tertiary", key="open_workflow", alignment="left", pinned=True
                ),
                **{name: st.column_config.Column(name, alignment="right") for name in frame.columns[1:]},
            },
            key="workflows",
        )
    click = st.session_state.get("open_workflow")
    if click is not None:
        st.switch_page("views/runs.py", query_params=choice.address(workflow=top[click["row"]]["workflow"] or NOBODY))


def _unit_caption(dots: pl.DataFrame) -> str:
    windows = dots["window_days"].drop_nulls().to_list()
    age = f" Runs older than the outcome window (up to {words.days(max(windows))})." if windows else ""
    return f"Settled runs: dot and 95% interval.{age}"


def _rest(n_workflows: int) -> str:
    return f" The {TOP} dearest of {n_workflows}." if n_workflows > TOP else ""


def _disclosure(choice: Choice, everything: Row) -> str:
    n = f"{everything['n_runs']:,} runs, {everything['n_settled']:,} settled. " if everything else ""
    closed = closed_months(choice.period)
    clusters = everything.get("clusters") or "run"
    return (
        f"{rests_on(choice, 'tenant').sentence()} {n}Cost per success: all cost of settled runs over their "
        f"successes, production unless an environment is chosen; clusters: {clusters}. "
        "Cost without direct result is not cost that can be avoided." + "".join(f" {told}" for told in closed)
    )


picked = chosen()
st.title("Is the model doing high-value reasoning, or is it expensive glue?", anchor=False)
if edition().newest_at is None:
    cards.nothing_yet()
else:
    _draw(picked)
