"""Allocation: who pays, by which rule, and what nobody owns."""

import polars as pl
import streamlit as st

from tokenpnl.errors import TokenpnlError
from tokenpnl_analytics.finance.allocation import allocate, allocated_by, flows, rule_hits, unallocated_share
from tokenpnl_analytics.rules.allocation import ALLOCATION, TEMPLATE, AllocationFile
from tokenpnl_dashboard import words
from tokenpnl_dashboard.charts import allocation as allocation_charts
from tokenpnl_dashboard.closing.allocations import chargeback, closed_months
from tokenpnl_dashboard.exports.tables import csv_bytes
from tokenpnl_dashboard.parts import cards
from tokenpnl_dashboard.parts.filters import Choice, chosen
from tokenpnl_dashboard.questions.downloads import hourly_sums
from tokenpnl_dashboard.state import edition, home, ink, rules

MOST = 10
UNOWNED = "(unallocated)"


def _draw(choice: Choice, by: AllocationFile) -> None:
    with st.skeleton(height=420):
        sums = hourly_sums(choice)
        found = allocate(sums, by)
    if found.is_empty():
        cards.chip()
        cards.nothing_here("Nothing was paid here", "No usage in this window matches the filters.")
        return
    priced = 1 - float(sums["n_unpriced_lines"].sum()) / float(sums["n_lines"].sum())
    version = f", rules {by.version}" if by.version else ""
    cards.chip(f"effective cost, {words.days_of(choice.period)}{version}", priced_share=priced)
    if not by.rules:
        _begin()
    _tiles(choice, found, by)
    with st.container():
        cards.pick(
            "From what was paid to who pays",
            allocation_charts.money_flow(flows(found, most=MOST), ink()),
            key="money_flow",
            caption="Workflows and shared costs, teams, products. Orange: nobody owns it. Credits: in the tables only.",
            clickable=False,
        )
    left, right = st.columns(2, gap="medium")
    with left:
        _owners(found)
    with right:
        _rules(found, by)
    _chargeback()
    st.caption(
        "Shares are decided over the whole window, hour by hour, so that its days add up to it in every time zone; the "
        "parts sum to the whole, to the last digit. Unallocated: no rule gave it an owner. Unattributed: usage without "
        "a run, which a rule may own all the same."
    )


def _tiles(choice: Choice, found: pl.DataFrame, by: AllocationFile) -> None:
    lost, share = unallocated_share(found)
    shared = found.filter(pl.col("shared_from").is_not_null() & pl.col("owner").is_not_null())["cost_usd"].sum()
    target = words.percent(float(by.target_unallocated_percent) / 100)
    by_workflow = ("By workflow", "views/pnl.py", choice.address(by="workflow"))
    with st.grid(columns=3, min_column_width=170):
        cards.tile(
            "Allocated",
            words.percent(None if share is None else 1 - share),
            caption=f"of {words.usd(found['cost_usd'].sum())}",
            leads_to=("Statement", "views/pnl.py", choice.address()),
        )
        cards.tile("Unallocated", words.usd(lost), caption=f"target below {target}", leads_to=by_workflow)
        cards.tile("Shared cost, split", words.usd(shared), caption="by the methods below", leads_to=by_workflow)


def _owners(found: pl.DataFrame) -> None:
    with st.container(border=True, height="stretch"):
        cards.heading("Who pays")
        owners = allocated_by(found, ["owner"])
        whole = found["cost_usd"].sum()
        like = owners.select(pl.col("cost_usd").max()).item()
        table = owners.select(pl.col("owner").fill_null(UNOWNED).alias("Owner")).with_columns(
            pl.Series(title, [words.usd(value, like=like) for value in owners[name]])
            for title, name in (("Own", "direct_usd"), ("Shared", "shared_usd"), ("USD", "cost_usd"))
        )
        shares = [words.percent(float(cost / whole)) if whole else words.UNKNOWN for cost in owners["cost_usd"]]
        _table(
            table.with_columns(pl.Series("Share", shares), owners["methods"].alias("Methods")),
            alt="Owners with their own and shared cost",
            figures=("Own", "Shared", "USD", "Share"),
        )


def _rules(found: pl.DataFrame, by: AllocationFile) -> None:
    with st.container(border=True, height="stretch"):
        cards.heading("By which rule")
        hits = rule_hits(found, by)
        like = hits.select(pl.col("cost_usd").max()).item()
        _table(
            hits.select(
                pl.col("rule").alias("Rule"),
                pl.col("gives").alias("Gives"),
                pl.col("n_lines").alias("Lines"),
                pl.Series("USD", [words.usd(cost, like=like) for cost in hits["cost_usd"]]),
                pl.Series("Unallocated", [words.usd(cost, like=like) for cost in hits["unallocated_usd"]]),
            ),
            alt="Rules in order with the lines that each caught",
            figures=("USD", "Unallocated"),
        )


def _table(frame: pl.DataFrame, *, alt: str, figures: tuple[str, ...]) -> None:
    """Draw a table whose figures, in words, line up to the right."""
    st.dataframe(
        frame,
        hide_index=True,
        alt=alt,
        height="content",
        column_config={name: st.column_config.Column(name, alignment="right") for name in figures},
    )


def _begin() -> None:
    with st.container(border=True):
        st.header("No rules yet", anchor=False)
        place = home()
        where = f"`{place.config / ALLOCATION.name}`" if place else f"`{ALLOCATION.name}`"
        st.markdown(f"Until a rule names an owner, all cost is unallocated. Write {where}, for example:")
        st.code(TEMPLATE, language="yaml")


def _chargeback() -> None:
    """Offer the charges of closed months; open ones still move."""
    place = home()
    months = closed_months(place) if place else []
    with st.container(border=True):
        cards.heading("Chargeback")
        if place is None or not months:
            st.markdown("No month is closed yet. Owners are charged for closed months only: open ones still move.")
            return
        with st.container(horizontal=True, vertical_alignment="bottom"):
            month = st.selectbox("Closed month", months[::-1], key="charged_month", width=200)
            st.download_button(
                "Download CSV",
                lambda: csv_bytes(chargeback(place, month).table()),
                file_name=f"tokenpnl-chargeback-{month}.csv",
                mime="text/csv",
                icon=":material/download:",
                on_click="ignore",
            )
        st.caption("By the lines and the rules that were frozen at the close.")


picked = chosen()
st.title("Who pays, by which rule?", anchor=False)
if edition().newest_at is None:
    cards.nothing_yet()
else:
    try:
        _draw(picked, rules(ALLOCATION))
    except TokenpnlError as error:
        st.error(words.markdown(str(error)))
