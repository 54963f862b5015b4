"""One run: what it did, step by step, what each span cost and what for. Opened by `/run?run=ID&span=ID`."""

from typing import Any

import polars as pl
import streamlit as st

from tokenpnl.model import UsageKind
from tokenpnl_dashboard import words
from tokenpnl_dashboard.charts import pnl as pnl_charts
from tokenpnl_dashboard.charts import run as run_charts
from tokenpnl_dashboard.parts import cards
from tokenpnl_dashboard.parts.span_panel import draw_span
from tokenpnl_dashboard.shapes.run_tree import FOLD_FROM, run_tree
from tokenpnl_dashboard.state import ask, edition, ink

Row = dict[str, Any]


def _draw(run: Row) -> None:
    run_id = run["run_id"]
    where = {"run_id": [run_id]}
    spans = ask("spans_of_run", run_id=run_id)
    attempts = ask("table", name="attempts", where=where, order_by="started_at")
    lines = ask("table", name="line_items", where=where)
    _tiles(run, attempts)
    tree = run_tree(spans, _costs(lines), attempts)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _waterfall(tree, n_spans=spans.height)
    dearest = tree.sort("cost_usd", descending=True, nulls_last=True)["span_id"].head(1).to_list()
    selected = st.query_params.get("span", dearest[0] if dearest else run["span_id"])
    span = spans.filter(pl.col("span_id") == selected)
    with right, st.container(border=True, key="card_span"):
        if span.is_empty():
            st.markdown(f"Span {words.code(selected)} is not part of this run. Pick one in the figure above.")
        else:
            draw_span(span.to_dicts()[0], attempts.filter(pl.col("span_id") == selected), lines)
    if attempts.height:
        _attempts(attempts, lines)


def _costs(lines: pl.DataFrame) -> pl.DataFrame:
    """Return the cost of each span and the category of its dearest line."""
    return (
        lines.sort("cost_usd", descending=True, nulls_last=True)
        .group_by("span_id", maintain_order=True)
        .agg(
            pl.when(pl.col("cost_usd").count() > 0).then(pl.col("cost_usd").sum()),
            pl.col("cost_category").first(),
        )
    )


def _tiles(run: Row, attempts: pl.DataFrame) -> None:
    with st.grid(columns=6, min_column_width=160):
        st.metric("Outcome", words.OUTCOME.get(run["outcome"], run["outcome"]), border=True, help=_stated(run))
        floor = "≥ " if run["n_unpriced"] and run["cost_usd"] is not None else ""
        st.metric("Cost", floor + words.usd(run["cost_usd"]), border=True, help=_unpriced(run))
        st.metric("Without direct result", words.usd(run["without_result_usd"]), border=True)
        st.metric("Latency", words.duration(run["latency_ms"]), border=True)
        st.metric("Attempts / calls", f"{run['n_attempts']:,} / {run['n_calls']:,}", border=True)
        tokens = attempts.select(pl.col("input_total_tokens", "output_total_tokens").sum()).row(0)
        st.metric("Tokens in / out", " / ".join(words.tokens(n) for n in tokens), border=True)
    st.caption(f"Cost to the last digit: {words.markdown(words.exact_usd(run['cost_usd']))}")


def _stated(run: Row) -> str | None:
    if run["outcome"] is None:
        return "Nobody has stated an outcome for this run yet."
    source = run["outcome_source"] or "unknown"
    value = "" if run["value_usd"] is None else f", worth {words.markdown(words.usd(run['value_usd']))}"
    return f"Stated by {source}, {words.moment(run['outcome_at'])}{value}."


def _unpriced(run: Row) -> str | None:
    if not run["n_unpriced"]:
        return None
    return f"{words.counted(run['n_unpriced'], 'attempt')} without a price: the cost is a floor."


def _waterfall(tree: pl.DataFrame, *, n_spans: int) -> None:
    shown = tree.head(FOLD_FROM)
    caption = "Colour and pattern by cost category; grey costs nothing by itself. Click a bar for its span."
    if tree["note"].str.contains(" later").any():
        caption += " Long waits are cut short; the note says how long."
    if tree.height < n_spans:
        caption += f" {n_spans:,} spans, repeats of one name folded."
    if shown.height < tree.height:
        caption += f" The first {FOLD_FROM} of {tree.height:,} rows; the table has no more."
    chart = run_charts.span_waterfall(shown, ink(), selected=st.query_params.get("span"))
    legend = pnl_charts.category_key(shown["cost_category"].drop_nulls().unique(), ink())
    picked = cards.pick("What happened when", chart, key="spans", caption=caption, legend=legend)
    if picked is not None and picked != st.query_params.get("span"):
        st.query_params["span"] = picked
        st.rerun()


def _attempts(attempts: pl.DataFrame, lines: pl.DataFrame) -> None:
    kinds = [kind for kind in UsageKind if (attempts[kind.column].fill_null(0) != 0).any()]
    costs = lines.group_by("attempt_id").agg(
        pl.when(pl.col("cost_usd").count() > 0).then(pl.col("cost_usd").sum()), pl.col("cost_category").first()
    )
    rows = attempts.join(costs, on="attempt_id", how="left", maintain_order="left").to_dicts()
    frame = pl.DataFrame(
        {
            "Attempt": [f"{row['attempt_number']} ({row['attempt_reason']})" for row in rows],
            "Step": [row["step"] for row in rows],
            "Model": [row["model"] or words.UNKNOWN for row in rows],
            "Status": [_status(row) for row in rows],
            "Latency": [words.duration(row["latency_ms"]) for row in rows],
            "Cost": [words.usd(row["cost_usd"]) for row in rows],
            "Category": [words.category(row["cost_category"]) for row in rows],
            **{words.title(kind): [words.count(row[kind.column]) for row in rows] for kind in kinds},
        }
    )
    with st.container(border=True, key="card_attempts"):
        cards.heading("Attempts and tokens by kind")
        cards.table(frame, alt=f"{words.counted(len(rows), 'attempt')} with status, cost and tokens of each kind")


def _status(row: Row) -> str:
    parts = [row["status"], row["error_type"], row["http_status"] and f"HTTP {row['http_status']}"]
    return ", ".join(str(part) for part in parts if part)


def _neighbours(run: Row) -> None:
    """Draw the way back and to the runs of the same workflow before and after."""
    where = {"workflow": [run["workflow"]]} if run["workflow"] else {}
    before = ask(
        "table", name="runs", where=where, columns=["run_id"], until=run["started_at"], order_by="started_at",
        descending=True, limit=1,
    )  # fmt: skip
    after = ask(
        "table", name="runs", where=where, columns=["run_id"], since=run["started_at"], order_by="started_at", limit=2
    ).filter(pl.col("run_id") != run["run_id"])
    with st.container(horizontal=True):
        st.page_link(
            "views/runs.py", label="All runs", icon=":material/arrow_back:",
            query_params=st.session_state.get("runs_address", {}),
        )  # fmt: skip
        for label, icon, frame in (
            ("Earlier run", ":material/chevron_left:", before),
            ("Later run", ":material/chevron_right:", after),
        ):
            there = {"run": frame["run_id"][0]} if frame.height else {}
            st.page_link("views/run.py", label=label, icon=icon, disabled=not there, query_params=there)


wanted = st.query_params.get("run")
found = ask("table", name="runs", where={"run_id": [wanted]}, limit=1) if wanted else None
if edition().newest_at is None:
    st.title("What did this run do?", anchor=False)
    cards.nothing_yet()
elif found is None or found.is_empty():
    st.title("No such run", anchor=False)
    name = f"{words.code(wanted)} is not in the books." if wanted else "The address names no run."
    st.markdown(f"{name} Choose one from the list.")
    st.page_link("views/runs.py", label="All runs", icon=":material/arrow_back:")
else:
    the_run = found.to_dicts()[0]
    _neighbours(the_run)
    st.title("What did this run do, step by step?", anchor=False)
    owner = [the_run["workflow"], the_run["customer_id"], the_run["environment"], the_run["release"]]
    st.markdown(
        " · ".join([*(words.markdown(part) for part in owner if part), words.moment(the_run["started_at"])])
        + f" · run {words.code(wanted or '')}"
    )
    _draw(the_run)
