"""Unit economics: what does one success cost, per workflow and customer, and how far can the figure be trusted?"""

from typing import Any

import polars as pl
import streamlit as st

from tokenpnl_analytics.unit_cost.concentration import concentration, cost_histogram
from tokenpnl_analytics.unit_cost.controls import controls
from tokenpnl_dashboard import words
from tokenpnl_dashboard.charts import spread as spread_charts
from tokenpnl_dashboard.charts import units as unit_charts
from tokenpnl_dashboard.output import csv_text
from tokenpnl_dashboard.parts import cards, unit_risk
from tokenpnl_dashboard.parts.filters import COLUMN, Choice, chosen
from tokenpnl_dashboard.questions.pnl import rests_on, the_cohort, unit_cost_by
from tokenpnl_dashboard.questions.units import (
    audits,
    contribution_by,
    definitions_by_workflow,
    lost_outcomes,
    units_against_before,
    untraced,
)
from tokenpnl_dashboard.shapes import figures, unit_tables
from tokenpnl_dashboard.state import edition, ink

RUNS = "views/runs.py"
DIMENSIONS = ("workflow", "customer", "feature", "release")
SLICES = ("model", "step", "provider", "hour")
TOP = 15
Row = dict[str, Any]


def _draw(choice: Choice, by: str) -> None:
    column = COLUMN[by]
    with st.skeleton(height=320):
        runs = the_cohort(choice, choice.period)
        units = unit_cost_by(choice, choice.period, column)
        whole = unit_cost_by(choice, choice.period, "tenant")
    if runs.is_empty():
        cards.chip()
        cards.nothing_here("No runs here", f"No run of {words.days_of(choice.period)} matches these filters.")
        return
    everything = whole.row(0, named=True)
    _chip(everything)
    workflows = runs["workflow"].unique().sort(nulls_last=True).to_list()
    defined = definitions_by_workflow(workflows, choice.period)
    _tiles(choice, everything, runs)
    _undefined(defined)
    _ranking(choice, units, by, column)
    _against(choice, by, column)
    _figures(units, runs, by, column, defined)
    left, right = st.columns(2, gap="medium")
    with left:
        cards.card(
            "Who carries the cost",
            spread_charts.pareto(concentration(runs, "customer_id"), "customer_id", ink()),
            key="pareto",
            caption="Running shares of cost and of successes. Where cost rises first, a few customers are dear.",
            legend=spread_charts.pareto_key(),
            leads_to=lambda customer: choice.address(customer=customer),
        )
    with right:
        cards.pick(
            "What a run costs",
            spread_charts.run_costs(cost_histogram(runs), ink()),
            key="run_costs",
            caption="Runs by cost, each bar 1.8 times the one before. All successes pay for a long right tail.",
            legend=spread_charts.run_costs_key(ink()),
            clickable=False,
        )
    _contribution(choice)
    unit_risk.expander(unit_cost_by(choice, choice.period, "workflow"), audits(workflows))
    st.caption(words.markdown(_disclosure(choice, everything, lost_outcomes(choice.period))))


def _chip(everything: Row) -> None:
    cards.chip(
        f"{words.percent(everything['priced_share'])} of attempts priced",
        f"outcome coverage {words.percent(everything['outcome_coverage'])}",
        "settled runs",
        priced_share=everything["priced_share"],
    )


def _tiles(choice: Choice, everything: Row, runs: pl.DataFrame) -> None:
    beside = controls(runs, ["tenant"]).row(0, named=True)
    with st.grid(columns=4, min_column_width=170):
        cards.tile(
            "Settled successes",
            words.count(everything["settled_successes"]),
            caption=f"of {words.counted(everything['n_settled'], 'settled run')}",
            leads_to=("Successful runs", RUNS, choice.address(outcome="success")),
        )
        cards.tile(
            "Still open",
            words.count(everything["n_without_outcome"]),
            caption=f"of {words.counted(everything['n_runs'], 'run')} have no outcome",
            leads_to=("Those runs", RUNS, choice.address(outcome="none")),
        )
        cards.tile(
            "Outcome coverage",
            words.percent(everything["outcome_coverage"]),
            caption="settled runs with an outcome",
            leads_to=("Without an outcome", RUNS, choice.address(outcome="none")),
        )
        cards.tile(
            "Self-declared",
            words.percent(beside["program_share"]),
            caption="of successes are the program's own word",
            leads_to=("Successful runs", RUNS, choice.address(outcome="success")),
        )


def _undefined(defined: dict[str | None, Row]) -> None:
    lacking = [name for name, row in defined.items() if name is not None and row["owner"] is None]
    if not lacking:
        return
    shown = words.listed([words.code(name) for name in lacking[:5]])
    more = f" and {len(lacking) - 5} more" if len(lacking) > 5 else ""
    with st.container(border=True):
        st.markdown(
            f"**No success definition for {shown}{more}. Add one.** Until then success means what was reported."
        )
        with st.expander("What to write into outcomes.yaml"):
            st.code(
                f"workflows:\n  - workflow: {lacking[0]}\n    owner: who answers for it\n"
                "    success: What a success is, in one sentence.\n    window: 7d\n",
                language="yaml",
            )


def _ranking(choice: Choice, units: pl.DataFrame, by: str, column: str) -> None:
    dots = figures.unit_dots(units, column)
    known = pl.concat([dots.filter(pl.col("estimate").is_not_null()).sort("estimate", descending=True),
                       dots.filter(pl.col("estimate").is_null())])  # fmt: skip
    rest = f" The {TOP} dearest of {dots.height}." if dots.height > TOP else ""
    cards.card(
        f"Cost per success by {by}, dearest first",
        unit_charts.cost_per_success(known.head(TOP), ink(), named=by.capitalize()),
        key="ranking",
        caption="Settled runs: dot and 95% interval; a triangle is a floor. Click a dot for its runs." + rest,
        leads_to=lambda value: choice.address(**{by: value}),
    )


def _against(choice: Choice, by: str, column: str) -> None:
    found = units_against_before(choice, column)
    if found is None:
        return
    with st.container(border=True, key="card_against"):
        cards.heading("This period against the one before")
        st.caption(
            "Settled figures only. A difference counts where its 95% interval excludes none at all; with few successes "
            "or another definition of success there is no comparison."
        )
        cards.table(unit_tables.against(found, column, by.capitalize()), alt=f"Cost per success by {by} against before")


def _figures(units: pl.DataFrame, runs: pl.DataFrame, by: str, column: str, defined: dict[str | None, Row]) -> None:
    title, share = by.capitalize(), untraced(runs)
    tables = {
        "Three figures": unit_tables.three_figures(units, column, title),
        "Components and interval": unit_tables.components(units, column, title),
        "Controls": unit_tables.controls(
            controls(runs, [column], untraced_share=share), column, title, defined if by == "workflow" else {}
        ),
    }
    with st.container(border=True, key="card_figures"):
        cards.heading("The figures and what they rest on")
        for tab, (name, table) in zip(st.tabs(list(tables)), tables.items(), strict=True):
            with tab:
                st.dataframe(
                    table,
                    hide_index=True,
                    height="content" if table.height <= TOP else 560,
                    alt=f"{name} by {by}, {words.counted(table.height, 'row')}",
                    column_config={
                        **cards.right_of(table),
                        title: st.column_config.Column(title, pinned=True, width=170),
                    },
                )
        st.download_button(
            "Download CSV",
            csv_text(units),
            file_name=f"tokenpnl-units-by-{by}.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
        st.caption(
            "Settled: runs older than the outcome window; the only figure for verdicts and comparisons. To date: all "
            "runs; at least: if every open run succeeded. Expected: to date times the share of successes known at "
            "these ages, withheld below half. The three are never blended."
        )


def _contribution(choice: Choice) -> None:
    with st.container(border=True, key="card_contribution"):
        cards.heading("What each part contributes to one success")
        column = st.segmented_control("Part", SLICES, default="model", required=True, key="slice", bind="query-params")
        found = contribution_by(choice, choice.period, column or "model")
        table = unit_tables.contribution(found, column or "model", (column or "model").capitalize())
        cards.table(table, alt=f"Contribution to cost per success by {column}")
        st.caption("Cost of the part over the successes of its whole workflow: the parts add up to the figure to date.")


def _disclosure(choice: Choice, everything: Row, lost: dict[str, int]) -> str:
    apart = sum(lost.values())
    without = f"{words.counted(apart, 'outcome')} of no known run, counted apart. " if apart else ""
    sampled = "Sampled traces: totals are weighted and estimated. " if everything["estimated"] else ""
    return (
        f"{rests_on(choice, 'tenant', counts_runs=True).sentence()} {everything['n_settled']:,} runs have settled, "
        f"{everything['settled_successes']:,} of them successes. {sampled}{without}"
        "Production unless an environment is chosen; offline evaluation stays outside. "
        f"Clusters: {everything['clusters'] or 'run'}, design effect {everything['design_effect'] or 1:.2f}. "
        "Nor was it checked whether a reported success was one, beyond the audits stated in outcomes.yaml."
    )


picked_filters = chosen()
st.title("What does one success cost, per workflow and customer?", anchor=False)
if edition().newest_at is None:
    cards.nothing_yet()
else:
    dimension = st.segmented_control(
        "By", DIMENSIONS, default="workflow", required=True, key="unit", bind="query-params", width="stretch"
    )
    _draw(picked_filters, dimension or "workflow")
