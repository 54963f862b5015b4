"""Capacity: what GPUs and commitments cost, how much of them is idle, and where models ran."""

from datetime import date, datetime
from typing import Any

import polars as pl
import streamlit as st

from tokenpnl.errors import ConfigurationError
from tokenpnl_analytics.rules.commitments import COMMITMENTS
from tokenpnl_analytics.rules.gpus import GPUS
from tokenpnl_dashboard import words
from tokenpnl_dashboard.charts import capacity as capacity_charts
from tokenpnl_dashboard.parts import cards
from tokenpnl_dashboard.parts.filters import SHARED, Choice, bounds, chosen
from tokenpnl_dashboard.questions import capacities
from tokenpnl_dashboard.shapes import figures
from tokenpnl_dashboard.state import book, edition, ink, rules

READING = {
    "utilisation": "utilisation problem",
    "model": "model problem",
    "idle": "more than needed",
    "busy": "well used",
    None: words.UNKNOWN,
}
BASIS = {
    "tokens": "token prices",
    "gpu_time": "GPU time",
    "commitment": "commitment",
    "device": "users' devices, no price stated",
    "no_pool": "no pool in gpus.yaml",
    "unknown": "unknown",
}
OPTION = {
    "managed_api": "Managed API",
    "cloud": "Cloud",
    "self_host": "Self-hosted",
    "optimized": "Optimised platform",
    "edge": "Edge",
    "(unknown)": "Not told",
}


@st.cache_resource(max_entries=16, show_spinner=False)
def _pools(version: int, stamp: str, window: dict[str, datetime | None]) -> pl.DataFrame:  # noqa: ARG001 key
    return capacities.pools(book(), rules(GPUS), rules(COMMITMENTS), window)


@st.cache_resource(max_entries=16, show_spinner=False)
def _options(version: int, window: dict[str, datetime | None], where: dict[str, Any]) -> pl.DataFrame:  # noqa: ARG001 key
    return capacities.options(book(), window, where)


def _draw(choice: Choice) -> None:
    stamp = rules(GPUS).model_dump_json() + rules(COMMITMENTS).model_dump_json()
    with st.skeleton(height=420):
        pools = _pools(edition().data_version, stamp, bounds(choice.period))
        options = _options(edition().data_version, bounds(choice.period), choice.only(*SHARED))
    priced = options["priced_share"].drop_nulls()
    cards.chip(
        f"whole hours in UTC, {words.days_of(choice.period)}",
        priced_share=None if priced.is_empty() else float(priced.min()),  # type: ignore[arg-type]
    )
    if pools.is_empty():
        _begin()
    else:
        _tiles(choice, pools)
        cards.pick(
            "Paid, and used by nothing",
            capacity_charts.paid_and_idle(pools, ink()),
            key="paid",
            caption="Blue: shared among the requests in flight, moment by moment. Teal: idle.",
            clickable=False,
        )
        _bases(pools)
    _prepaid()
    if options.is_empty():
        cards.nothing_here("No calls here", "No model call in this window matches the filters.")
    else:
        _side_by_side(options)
    st.caption(
        "Allocated and idle sum to what was paid, to the last digit, in every hour. Allocation says who held the "
        "capacity, use whether it worked: high allocation with low use is a utilisation problem, the reverse a model "
        "problem. Options are observed, not an experiment; a total includes the share of what its pools left idle."
    )


@st.cache_resource(max_entries=16, show_spinner=False)
def _credit(version: int, stamp: str, day: date) -> pl.DataFrame:  # noqa: ARG001 key
    return capacities.credit(book(), rules(COMMITMENTS).prepaid, as_of=day)


def _prepaid() -> None:
    stated, day = rules(COMMITMENTS), edition().as_of.date()
    if not stated.prepaid:
        return
    found = _credit(edition().data_version, stated.model_dump_json(), day)
    table = found.select(
        Credit=pl.col("name"),
        Provider=pl.col("provider"),
        Expires=pl.Series([f"{day:%-d %b %Y}" if day else "never" for day in found["expires"]], dtype=pl.String),
    )
    for title in ("Bought", "Used", "Expired", "Balance"):
        table = table.with_columns(
            pl.Series(title, [words.usd(value) for value in found[f"{title.lower()}_usd"]], dtype=pl.String)
        )
    with st.container(border=True, key="card_prepaid"):
        cards.heading("Prepaid credit")
        st.caption(f"An asset until it is used, and no cost; as of {day:%-d %b %Y}. First bought is first used.")
        _table(table, "Prepaid credit: bought, used, expired, and what is left", left=("Credit", "Provider", "Expires"))


def _begin() -> None:
    with st.container(border=True):
        st.header("No GPUs and no commitments stated", anchor=False)
        st.markdown(
            "Write what they cost to `gpus.yaml`, reserved throughput to `commitments.yaml`, both in the configuration "
            f"folder; `tokenpnl config check` reads them back.\n\n```yaml\n{capacities.BEGIN}```"
        )


def _tiles(choice: Choice, pools: pl.DataFrame) -> None:
    paid, idle = pools.select(pl.col("paid_usd").sum(), pl.col("idle_usd").sum()).row(0)
    worst = pools.sort("idle_usd", descending=True).row(0, named=True)
    measured = pools.filter(pl.col("gpu_use").is_not_null())
    statement = ("Statement", "views/pnl.py", choice.address())
    with st.grid(columns=4, min_column_width=170):
        cards.tile(
            "Paid for capacity", words.usd(paid), leads_to=statement, caption=words.counted(pools.height, "pool")
        )
        cards.tile(
            "Idle",
            words.usd(idle),
            leads_to=statement,
            caption=f"{words.percent(figures.share(idle, paid))} of what was paid",
        )
        cards.tile(
            "Most idle",
            words.usd(worst["idle_usd"]),
            leads_to=statement,
            caption=f"{worst['pool']}, {words.percent(figures.share(worst['idle_usd'], worst['paid_usd']))} of it",
        )
        cards.tile(
            "Measured use",
            words.percent(measured["gpu_use"].mean()) if measured.height else "not measured",  # type: ignore[arg-type]
            leads_to=("Unit economics", "views/units.py", choice.address()),
            caption=f"accelerators of {words.counted(measured.height, 'pool')}, {measured['n_points'].sum():,} points"
            if measured.height
            else "send DCGM or server metrics",
        )


def _bases(pools: pl.DataFrame) -> None:
    rows = pools.to_dicts()
    frame = pl.DataFrame(
        {
            "Pool": [row["pool"] for row in rows],
            "Allocated": [words.percent(row["allocated_share"]) for row in rows],
            "Accelerator use": [words.percent(row["gpu_use"]) for row in rows],
            "Cache use": [words.percent(row["cache_use"]) for row in rows],
            "Reading": [READING[row["reading"]] for row in rows],
            "Tokens": [words.tokens(row["tokens"]) for row in rows],
            "$ per M, at load": [words.usd(row["usd_per_million_tokens"]) for row in rows],
            "$ per M, nothing idle": [words.usd(row["floor_usd_per_million_tokens"]) for row in rows],
            "Tokens per second": [
                words.UNKNOWN if row["tokens_per_second"] is None else f"{row['tokens_per_second']:,.0f}"
                for row in rows
            ],
            "n": [row["n_points"] for row in rows],
        }
    )
    with st.container(border=True, key="card_bases"):
        cards.heading("Held, and at work")
        st.caption("The difference of the two prices is the utilisation tax. n: data points measured.")
        _table(frame, "Allocation and measured use of each pool", left=("Pool", "Reading"))


def _side_by_side(options: pl.DataFrame) -> None:
    rows = options.to_dicts()
    frame = pl.DataFrame(
        {
            "Workflow": [row["workflow"] or "(none)" for row in rows],
            "Where": [OPTION.get(row["deployment"], row["deployment"]) for row in rows],
            "Calls": [words.count(row["calls"]) for row in rows],
            "Tokens": [words.tokens(row["tokens"]) for row in rows],
            "Direct": [words.usd(row["cost_usd"]) for row in rows],
            "Idle share": [words.usd(row["idle_usd"]) for row in rows],
            "$ per M tokens": [words.usd(row["usd_per_million_tokens"]) for row in rows],
            "Added per success": [words.usd(row["usd_per_workflow_success"]) for row in rows],
            "Latency p50": [words.duration(row["latency_p50_ms"]) for row in rows],
            "Latency p95": [words.duration(row["latency_p95_ms"]) for row in rows],
            "Costed by": [", ".join(BASIS[basis] for basis in row["cost_basis"].split(",")) for row in rows],
        }
    )
    with st.container(border=True, key="card_options"):
        cards.heading("Where models ran, by workflow")
        _table(frame, "Deployment options of each workflow", left=("Workflow", "Where", "Costed by"))


def _table(frame: pl.DataFrame, alt: str, *, left: tuple[str, ...]) -> None:
    first = frame.columns[0]
    st.dataframe(
        frame,
        hide_index=True,
        height="content" if frame.height <= 15 else 420,
        alt=alt,
        column_config={
            first: st.column_config.Column(first, pinned=True),
            **{name: st.column_config.Column(name, alignment="right") for name in frame.columns if name not in left},
        },
    )


picked = chosen()
st.title("What do our own GPUs and commitments cost, and how much of them is idle?", anchor=False)
if edition().newest_at is None:
    cards.nothing_yet()
else:
    try:
        _draw(picked)
    except ConfigurationError as error:
        st.warning(words.markdown(str(error)), icon=":material/rule:")
