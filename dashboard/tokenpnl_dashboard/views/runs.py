"""Runs: which runs are behind a figure? One row a run, filters in the address, a row leads to the run."""

from typing import Any

import polars as pl
import streamlit as st

from tokenpnl_dashboard import words
from tokenpnl_dashboard.parts import cards
from tokenpnl_dashboard.parts.filters import NO_OUTCOME, Choice, bounds, chosen
from tokenpnl_dashboard.questions.pnl import RUN_FILTERS
from tokenpnl_dashboard.state import ask, edition

ROWS = 100
MOST = 100_000
SORTS = {
    "newest": "started_at",
    "dearest": "cost_usd",
    "most without result": "without_result_usd",
    "slowest": "latency_ms",
    "most attempts": "n_attempts",
}
COLUMNS = [
    "run_id", "started_at", "workflow", "customer_id", "outcome", "cost_usd", "without_result_usd", "latency_ms",
    "n_spans", "n_calls", "n_attempts", "n_unpriced", "models",
]  # fmt: skip


def runs_of(choice: Choice) -> pl.DataFrame:
    """Return the chosen runs, newest first; model and category mean: has a line item of them."""
    runs = ask(
        "table",
        name="runs",
        where=choice.only(*RUN_FILTERS),
        columns=COLUMNS,
        order_by="started_at",
        descending=True,
        limit=MOST,
        **bounds(choice.period),
    )
    outcomes = choice.picked.get("outcome", [])
    if outcomes:
        runs = runs.filter(pl.col("outcome").fill_null(NO_OUTCOME).is_in(outcomes))
    lines = choice.only("model", "category", "step", "provider", "deployment")
    if lines:
        behind = ask("line_item_sums", by=["run_id"], where=choice.where, **bounds(choice.period))
        runs = runs.filter(pl.col("run_id").is_in(behind["run_id"].unique().implode()))
    return runs


def listing(runs: pl.DataFrame) -> pl.DataFrame:
    """Return the runs in words, one column a question."""
    rows = runs.to_dicts()
    return pl.DataFrame(
        {
            "Run": [f"{row['run_id'][:8]} ›" for row in rows],
            "Start (UTC)": runs["started_at"].dt.strftime("%d %b %H:%M:%S"),
            "Workflow": runs["workflow"],
            "Customer": runs["customer_id"].fill_null("(none)"),
            "Outcome": [words.OUTCOME.get(row["outcome"], row["outcome"]) for row in rows],
            "Cost": [_cost(row) for row in rows],
            "Without result": [words.usd(row["without_result_usd"]) for row in rows],
            "Latency": [words.duration(row["latency_ms"]) for row in rows],
            "Spans": runs["n_spans"],
            "Calls": runs["n_calls"],
            "Attempts": runs["n_attempts"],
            "Models": runs["models"].fill_null(words.UNKNOWN).str.replace_all(",", ", "),
        }
    )


def _cost(row: dict[str, Any]) -> str:
    cost = words.usd(row["cost_usd"])
    return f"≥ {cost}" if row["n_unpriced"] and row["cost_usd"] is not None else cost


def _draw(choice: Choice) -> None:
    with st.skeleton(height=420):
        runs = runs_of(choice)
    if runs.is_empty():
        cards.nothing_here("No runs here", f"No run of {words.days_of(choice.period)} matches these filters.")
        return
    said = words.counted(runs.height, "run")
    newest = "The newest " if runs.height == MOST else ""
    n_pages = -(-runs.height // ROWS)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        st.markdown(f"{newest}**{said}**, {words.days_of(choice.period)}", width="content")
        number = _page_number(n_pages)
        sort = st.selectbox("Sort by", list(SORTS), key="sort", bind="query-params", width=210)
    # The way back from a run leads to this list.
    st.session_state["runs_address"] = choice.address(sort=sort, page=str(number))
    ordered = runs.sort(SORTS[sort or "newest"], descending=True, nulls_last=True, maintain_order=True)
    shown = ordered.slice((number - 1) * ROWS, ROWS)
    st.dataframe(
        listing(shown),
        hide_index=True,
        height="content" if shown.height < 18 else 680,
        alt=f"{words.counted(shown.height, 'run')} with start, workflow, outcome, cost, latency and models",
        column_config=_columns(),
        key="runs_table",
    )
    click = st.session_state.get("open_run")
    if click is not None:
        st.switch_page("views/run.py", query_params={"run": shown["run_id"][click["row"]]})


def _page_number(n_pages: int) -> int:
    if n_pages == 1:
        return 1
    if st.session_state.get("page", 1) > n_pages:
        # A narrower filter leaves fewer pages than the one that was open.
        st.session_state["page"] = 1
    # At its own width the widget hides the second page of two.
    return st.pagination(n_pages, key="page", bind="query-params", width=330)


def _columns() -> dict[str, Any]:
    numbers = ("Cost", "Without result", "Latency")
    return {
        "Run": st.column_config.ButtonColumn(
            "Run", type="tertiary", key="open_run", alignment="left", pinned=True, help="Open the run"
        ),
        **{name: st.column_config.Column(name, alignment="right") for name in numbers},
        "Models": st.column_config.Column("Models", width="medium"),
    }


picked = chosen()
st.title("Which runs?", anchor=False)
if edition().newest_at is None:
    cards.nothing_yet()
else:
    _draw(picked)
