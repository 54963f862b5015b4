"""Waste: where does money buy nothing, what caused it, and how much of that is precedence of rules."""

from typing import Any

import polars as pl
import streamlit as st

from tokenpnl.model import WITHOUT_DIRECT_RESULT
from tokenpnl_analytics.classify import causes, totals_in_both_orders
from tokenpnl_analytics.contracts.breaches import NOT_CHECKED, standing
from tokenpnl_analytics.statement import statement
from tokenpnl_dashboard import words
from tokenpnl_dashboard.charts import waste as waste_charts
from tokenpnl_dashboard.parts import cards
from tokenpnl_dashboard.parts.filters import NOBODY, Choice, bounds, chosen
from tokenpnl_dashboard.questions.pnl import kept_contracts, sums
from tokenpnl_dashboard.shapes import contract_tables, figures
from tokenpnl_dashboard.state import ask, edition, ink

RUNS = "views/runs.py"
TOP = 12
LOST = [category.value for category in WITHOUT_DIRECT_RESULT]


def _draw(choice: Choice) -> None:
    with st.skeleton(height=260):
        whole = statement(sums(choice, choice.period)).row(0, named=True)
        by_cause = sums(choice, choice.period, "cause")
        by_workflow = sums(choice, choice.period, "workflow")
        by_step = sums(choice, choice.period, "step")
        turned = sums(choice, choice.period, "reversed_category")
    if not whole["n_lines"]:
        cards.chip()
        cards.nothing_here("Nothing was paid here", "No usage in this window matches the filters.")
        return
    cards.chip(f"effective cost, {words.days_of(choice.period)}", priced_share=whole["priced_share"])
    known = causes(by_cause)
    _tiles(choice, whole, known)
    _map(choice, by_workflow)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _causes(choice, known)
    with right:
        _orders(turned)
    _steps(choice, by_step)
    _contracts(choice)
    st.caption(
        "Cost without direct result is not cost that can be had back: gross is what the first matching rule took; "
        "addressable is what could be avoided: "
        "a repeated call as recomputed, retries and timeouts at most, else unknown. Providers do not bill most "
        f"failed requests, so retries show better in attempts per call. {whole['n_lines']:,} usage lines, "
        f"{words.percent(whole['priced_share'])} of them priced."
    )


def _tiles(choice: Choice, whole: dict[str, Any], known: pl.DataFrame) -> None:
    lost, effective = whole["without_result_usd"], whole["effective_usd"]
    attempts, calls = _counted(choice, "attempts"), _counted(choice, "calls")
    with st.grid(columns=4, min_column_width=170):
        cards.tile(
            "Without direct result",
            words.usd(lost),
            caption=f"{words.percent(figures.share(lost, effective))} of {words.usd(effective)}",
            leads_to=("Costliest runs", RUNS, {**choice.address(sort="most without result"), "category": LOST}),
        )
        largest = known.sort("gross_usd", descending=True, nulls_last=True).head(1).to_dicts()
        if largest and largest[0]["gross_usd"]:
            row = largest[0]
            cause = f", {words.title(row['cause']).lower()}" if row["cause"] else ""
            cards.tile(
                "Largest reason",
                words.usd(row["gross_usd"]),
                caption=f"{words.category(row['cost_category'])}{cause}",
                leads_to=("Its runs", RUNS, choice.address(category=row["cost_category"])),
            )
        cards.tile(
            "Attempts per call",
            f"{attempts / calls:.3f}" if calls else words.UNKNOWN,
            caption=f"{words.counted(attempts, 'attempt')} of {words.counted(calls, 'call')}",
            leads_to=("Most attempts", RUNS, choice.address(sort="most attempts")),
        )
        cards.tile(
            "Addressable",
            f"at most {words.usd(known['addressable_usd'].sum())}" if known["addressable_usd"].count() else "unknown",
            caption="repeats recomputed, retries a ceiling, the rest unknown",
            leads_to=("By what evidence", "views/verdict.py", choice.address()),
        )


def _addressable(row: dict[str, Any]) -> str:
    if row["addressable_usd"] is None:
        return "unknown"
    return ("at most " if row["addressable_evidence"] == "assumed" else "") + words.usd(row["addressable_usd"])


def _counted(choice: Choice, table: str) -> int:
    where = choice.only("workflow", "customer", "environment", "model")
    rows: int = ask("count", name=table, where=where, **bounds(choice.period))["rows"][0]
    return rows


def _map(choice: Choice, by_workflow: pl.DataFrame) -> None:
    costs = (
        by_workflow.filter(pl.col("cost_category").is_in(LOST))
        .with_columns(pl.col("workflow").fill_null(NOBODY))
        .group_by("cost_category", "workflow")
        .agg(pl.col("cost_usd").sum())
        .filter(pl.col("cost_usd") > 0)
        .sort("cost_usd", "cost_category", "workflow", descending=[True, False, False])
    )
    if costs.is_empty():
        cards.nothing_here("Everything bought a result", "No cost of this window is without direct result.")
        return
    cards.card(
        "Which rule took it, and where",
        waste_charts.waste_map(costs, ink()),
        key="map",
        caption="Area is cost without direct result. Select an area for its runs.",
        leads_to=lambda mark: choice.address(category=mark[0], workflow=mark[1]),
    )


def _causes(choice: Choice, known: pl.DataFrame) -> None:
    rows = known.to_dicts()
    frame = pl.DataFrame(
        {
            "Category": [f"{words.category(row['cost_category'])} ›" for row in rows],
            "Cause": [words.title(row["cause"]) if row["cause"] else "not told" for row in rows],
            "Gross": [words.usd(row["gross_usd"]) for row in rows],
            "Share": [words.percent(row["share"]) for row in rows],
            "Addressable": [_addressable(row) for row in rows],
            "Lines": [words.count(row["n_lines"]) for row in rows],
        }
    )
    with st.container(border=True, key="card_causes"):
        cards.heading("What caused it")
        st.dataframe(
            frame,
            hide_index=True,
            alt="Cost without direct result by category and cause",
            column_config={
                "Category": st.column_config.ButtonColumn(
                    "Category", type="tertiary", key="open_cause", alignment="left", pinned=True
                ),
                **{name: st.column_config.Column(name, alignment="right") for name in ("Gross", "Share", "Lines")},
            },
            key="causes",
        )
    click = st.session_state.get("open_cause")
    if click is not None:
        st.switch_page(RUNS, query_params=choice.address(category=rows[click["row"]]["cost_category"]))


def _orders(turned: pl.DataFrame) -> None:
    totals = totals_in_both_orders(turned).to_dicts()
    frame = pl.DataFrame(
        {
            "Category": [words.category(row["cost_category"]) for row in totals],
            "As booked": [words.usd(row["cost_usd"]) for row in totals],
            "Rules reversed": [words.usd(row["reversed_cost_usd"]) for row in totals],
        }
    )
    with st.container(border=True, key="card_orders"):
        cards.heading("How much is precedence")
        st.caption("The same cost with the rules read from the last to the first. Both columns have one total.")
        st.dataframe(
            frame,
            hide_index=True,
            height="content",
            alt="Cost by category as booked and with the rules reversed",
            column_config={name: st.column_config.Column(name, alignment="right") for name in frame.columns[1:]},
        )


def _steps(choice: Choice, by_step: pl.DataFrame) -> None:
    found = (
        by_step.filter(pl.col("cost_category").is_in(LOST))
        .group_by("step", "cost_category")
        .agg(pl.col("cost_usd").sum(), pl.col("n_lines").sum())
        .filter(pl.col("cost_usd") > 0)
        .sort("cost_usd", "step", "cost_category", descending=[True, False, False])
    )
    rows = found.head(TOP).to_dicts()
    if not rows:
        return
    frame = pl.DataFrame(
        {
            "Step": [f"{row['step']} ›" for row in rows],
            "Category": [words.category(row["cost_category"]) for row in rows],
            "Cost": [words.usd(row["cost_usd"]) for row in rows],
            "Lines": [words.count(row["n_lines"]) for row in rows],
        }
    )
    with st.container(border=True, key="card_steps"):
        cards.heading(f"The dearest steps{f', {TOP} of {found.height}' if found.height > TOP else ''}")
        st.dataframe(
            frame,
            hide_index=True,
            height="content",
            alt="Steps by cost without direct result",
            column_config={
                "Step": st.column_config.ButtonColumn(
                    "Step", type="tertiary", key="open_step", alignment="left", pinned=True
                ),
                **{name: st.column_config.Column(name, alignment="right") for name in ("Cost", "Lines")},
            },
            key="steps",
        )
    click = st.session_state.get("open_step")
    if click is not None:
        row = rows[click["row"]]
        st.switch_page(RUNS, query_params=choice.address(step=row["step"], category=row["cost_category"]))


def _contracts(choice: Choice) -> None:
    """Draw how agents kept their contracts: a memo, because that cost stands in its categories already."""
    found = kept_contracts(choice)
    if found is None or found.agents.is_empty():
        return
    frame = contract_tables.agents(standing(found))
    with st.container(border=True, key="card_contracts"):
        cards.heading("Memo: what ran past an agent's contract")
        st.caption(
            "Never added in: this cost stands in its categories already. Runs of all customers and workflows; "
            "`tokenpnl report contracts` lists every breach with its span."
        )
        cards.table(frame, alt="Agents by what ran past their contracts")
        if not found.breaches.is_empty():
            shown = contract_tables.breaches(found.breaches)
            with st.expander(f"{words.counted(found.breaches.height, 'breach', 'breaches')}"):
                cards.table(shown, alt="Breaches of contracts by run")
        st.caption(f"Not checked: {NOT_CHECKED}.")


picked = chosen()
st.title("Where does money buy nothing?", anchor=False)
if edition().newest_at is None:
    cards.nothing_yet()
else:
    _draw(picked)
