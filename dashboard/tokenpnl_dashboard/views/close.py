"""Close: whether the traces match the invoices of a month, and what stands between it and its close."""

from collections.abc import Sequence
from datetime import timedelta

import polars as pl
import streamlit as st

from tokenpnl.errors import TokenpnlError
from tokenpnl_dashboard import words
from tokenpnl_dashboard.charts import close as close_charts
from tokenpnl_dashboard.closing import reconcile_words
from tokenpnl_dashboard.closing.months import Closing
from tokenpnl_dashboard.closing.reconciliations import days_of, money_of, shares_of, waterfall_of
from tokenpnl_dashboard.parts import cards
from tokenpnl_dashboard.state import book, edition, home, ink
from tokenpnl_ingest.control import CloseState, ControlStore, Reconciliation

STATE = {
    CloseState.OPEN: "open",
    CloseState.SOFT: "soft closed: accrued, figures may still move",
    CloseState.CLOSED: "closed: figures are frozen",
    CloseState.REOPENED: "reopened",
}
MOST = 12
_COMMAND = "tokenpnl reconcile costs.json usage.json --month {month}"


def _draw(closing: Closing) -> None:
    month = _month(closing.control)
    state, found = closing.control.state_of(month), closing.control.reconciliations(month)
    cards.chip(f"{month}, days in UTC", f"{STATE[state]}")
    if found:
        _reconciled(found)
    else:
        with st.container(border=True):
            st.header(f"No invoice of {month} yet", anchor=False)
            st.markdown("Set the providers' reports against the traces; the result appears here:")
            st.code(_COMMAND.format(month=month), language=None)
    _checklist(closing, month)
    _prepaid(closing, month)
    if state is CloseState.CLOSED:
        _restated(closing, month)
    st.caption(
        "Residual: usage billed beyond what was traced, after credits, tax, commitments and exchange rates are told "
        "apart. It passes up to $50 or 0.5% of the bill, whichever is more, and 2% of the usage summed without sign by "
        "day and model. Price accuracy: 1 less the price differences, over the bill of tokens that both sides know."
    )


def _month(control: ControlStore) -> str:
    """Ask for a month: those that were reconciled or touched by a close, and the last three."""
    last = edition().as_of.replace(day=1) - timedelta(days=1)
    recent = [edition().as_of, last, last.replace(day=1) - timedelta(days=1)]
    reconciled = control.reconciled_months()
    known = {*reconciled, *(step.month for step in control.closes()), *(f"{at:%Y-%m}" for at in recent)}
    months = sorted(known, reverse=True)
    first = reconciled[-1] if reconciled else f"{last:%Y-%m}"
    chosen = st.selectbox("Month", months, index=months.index(first), key="month", bind="query-params", width=164)
    return chosen or first


def _reconciled(found: Sequence[Reconciliation]) -> None:
    shares = shares_of(found)
    with st.grid(columns=4, min_column_width=150):
        _figure("Coverage", words.percent(shares["coverage_share"]), "of the billed tokens were traced")
        matched = f"on {words.percent(shares['matched_share'])} of the usage billed"
        _figure("Price accuracy", words.percent(shares["price_accuracy"]), matched)
        _figure("Residual", words.usd(money_of(found, "residual_usd")), "usage billed beyond the traces, net")
        _figure("Unexplained", words.usd(money_of(found, "unexplained_usd")), "by no step, gross")
    steps = waterfall_of(found)
    cut = " The totals are cut off on the left." if close_charts.is_cut(steps) else ""
    cards.pick(
        "From traces to invoices",
        close_charts.bridge(steps, ink()),
        key="bridge",
        caption=f"Orange adds to the bill, green takes off.{cut}",
        clickable=False,
    )
    _findings(found)
    cards.pick(
        "Where the residual lies",
        close_charts.residual_heatmap(days_of(found), ink()),
        key="residual",
        caption="Orange: more was billed than traced; green: more was traced than billed; grey: neither.",
        clickable=False,
    )
    _verdicts(found)


def _figure(label: str, value: str, caption: str) -> None:
    with st.container(border=True, height="stretch"):
        st.metric(label, value)
        st.caption(words.markdown(caption))


def _findings(found: Sequence[Reconciliation]) -> None:
    with st.container(border=True):
        cards.heading("What the difference is")
        for each in found:
            rows = each.result.detail["findings"]
            st.markdown(f"**{words.markdown(reconcile_words.seller(vars(each.result)))}**")
            lines = [f"{reconcile_words.STEP[row['step']]}: {row['sentence']}" for row in rows[:MOST]]
            if len(rows) > MOST:
                lines.append(f"and {words.counted(len(rows) - MOST, 'smaller one')}; `tokenpnl reconcile` lists all")
            lines = lines or ["Nothing: every token and every dollar of the invoice was traced"]
            st.markdown("\n".join(f"- {words.markdown(line)}" for line in lines))


def _verdicts(found: Sequence[Reconciliation]) -> None:
    with st.container(border=True):
        cards.heading("Tolerances")
        for each in found:
            signed = ""
            if each.signed_at is not None:
                signed = f" Signed by {each.signed_by} on {words.day(each.signed_at)}: {each.signed_reason}."
            st.markdown(f"{_mark(met=each.settled)} {words.markdown(each.result.detail['verdict'] + signed)}")
        for note in dict.fromkeys(note for each in found for note in each.result.detail["notes"]):
            st.caption(words.markdown(note))


def _mark(*, met: bool) -> str:
    return ":green[✓]" if met else ":orange[✕]"


def _checklist(closing: Closing, month: str) -> None:
    conditions = closing.conditions(month, now=edition().as_of)
    with st.container(border=True):
        cards.heading("Close checklist")
        for each in conditions:
            remedy = f"  \nTo do: {words.markdown(each.remedy.replace('`', ''))}" if each.remedy else ""
            told = f"**{words.title(each.name)}.** {words.markdown(each.told)}"
            st.markdown(f"{_mark(met=each.fulfilled)} {told}{remedy}")
        for step in closing.control.close_steps(month)[-1:]:
            approved = f", approved by {step.approver}" if step.approver else ""
            seal = f"; SHA-256 {step.snapshot_sha256[:16]}" if step.snapshot_sha256 else ""
            told = f"{STATE[step.state].capitalize()}. {words.moment(step.at)}, by {step.preparer}{approved}{seal}"
            st.caption(words.markdown(told))


def _prepaid(closing: Closing, month: str) -> None:
    found = closing.credit(month)
    if found.is_empty():
        return
    with st.container(border=True):
        cards.heading("Prepaid credit")
        table = found.select(Credit=pl.col("name"), Provider=pl.col("provider"))
        for title in ("Bought", "Used", "Expired", "Balance"):
            table = table.with_columns(pl.Series(title, [words.usd(v) for v in found[f"{title.lower()}_usd"]]))
        cards.table(table, alt=f"Prepaid credit in {month}: bought, used, expired, and what is left")
        st.caption(
            "An asset until it is used, and no cost. Bought, used and expired in the month; the balance at its end. A "
            "closed month reads the commitments.yaml that was frozen with it."
        )


def _restated(closing: Closing, month: str) -> None:
    found = closing.restated(month)
    with st.container(border=True):
        cards.heading("As closed, and as it reads now")
        table = found.select(pl.Series("Category", [words.category(name) for name in found["cost_category"]]))
        for title, name in (("As closed", "as_closed_usd"), ("Now", "now_usd"), ("Difference", "difference_usd")):
            table = table.with_columns(pl.Series(title, [words.usd(value) for value in found[name]]))
        cards.table(table, alt="Cost by category as closed, as it reads now, and the difference")
        st.caption("A closed month never moves; the difference is carried by the open month with its origin period.")


st.title("Do our numbers match the invoice?", anchor=False)
place = home()
if edition().newest_at is None:
    cards.nothing_yet()
elif place is None:
    with st.container(border=True):
        st.header("Nothing to close here", anchor=False)
        st.markdown("These pages read a book without a home; closes and invoices are kept in one: `tokenpnl serve`.")
else:
    try:
        with ControlStore.of(place) as control:
            _draw(Closing(place, book(), control))
    except TokenpnlError as error:
        st.error(words.markdown(str(error)))
