"""P&L statement: the ladder, the categories and the memo lines, by period or by any dimension."""

import streamlit as st

from tokenpnl_dashboard import words
from tokenpnl_dashboard.closing.restated_months import closed_months, restated_table
from tokenpnl_dashboard.exports.pdf import one_pager
from tokenpnl_dashboard.exports.xlsx import workbook
from tokenpnl_dashboard.output import inert
from tokenpnl_dashboard.parts import cards
from tokenpnl_dashboard.parts.filters import COLUMN, Choice, chosen
from tokenpnl_dashboard.questions.downloads import packer
from tokenpnl_dashboard.questions.pnl import beside, rests_on, statement_by
from tokenpnl_dashboard.questions.units import cash, changed_definitions, last_change
from tokenpnl_dashboard.shapes import statement_table, unit_tables
from tokenpnl_dashboard.state import edition

COLUMNS = (
    "month", "week", "day", "workflow", "customer", "model", "provider", "step", "feature", "environment", "release",
    "deployment", "tenant",
)  # fmt: skip
MOST = 12
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _draw(choice: Choice, by: str) -> None:
    column = COLUMN.get(by, by)
    with st.skeleton(height=420):
        found, total = beside(choice, column, *statement_by(choice, column, most=MOST))
    if found.is_empty():
        cards.chip()
        cards.nothing_here("Nothing was paid here", "No usage in this window matches the filters.")
        return
    shown = statement_table.transposed(found, total, by=column)
    cards.chip(f"USD, days in UTC, {words.days_of(choice.period)}", priced_share=total["priced_share"][0])
    event = st.dataframe(
        shown.words,
        hide_index=True,
        height="content",
        alt=f"P&L statement by {by}: {words.counted(shown.words.height, 'line')}",
        column_config={
            "Line": st.column_config.Column("Line", pinned=True, width=210),
            **{name: st.column_config.Column(name, alignment="right", width=130) for name in shown.words.columns[1:]},
        },
        width="content",
        on_select="rerun",
        selection_mode="single-cell",
        key="statement",
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Download CSV",
            # The heads are what emitters named; the cells are lines of ours and figures.
            shown.figures.rename(inert).write_csv(),
            file_name=f"tokenpnl-pnl-by-{by}.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
        _files(choice)
        _way_to_runs(choice, by, shown, event["selection"]["cells"])
    st.caption(
        "Parentheses: taken off. Billed: the reconciled invoices of months that are shown whole, from traced cost "
        "through every step; an invoice knows months and providers only. Memo lines are never added in. Change: the "
        "last column against the one before; the newest period may be incomplete. Cost per success is settled: only "
        "runs older than the outcome window; it exists for dimensions of a run. Select a figure for the runs behind "
        "it; the CSV has all twelve decimals."
    )
    st.caption(words.markdown(_rests_on(choice)))
    _closed(choice)
    _unit_change(choice, column)
    _breaks(choice)
    _cash(choice)


def _closed(choice: Choice) -> None:
    """Set the closed months of all cost beside how they read now."""
    months = restated_table(choice.period)
    if months is None:
        return
    with st.container(border=True, key="card_closed_months"):
        cards.heading("Closed months, as closed and as they read now")
        st.caption("All cost of each month, whatever the filters; the open month carries the difference.")
        cards.table(statement_table.closed_months(months), alt="Closed months: as closed, restated and the difference")


def _rests_on(choice: Choice) -> str:
    return " ".join((rests_on(choice).sentence(), *closed_months(choice.period)))


def _unit_change(choice: Choice, column: str) -> None:
    change = last_change(choice, column) if column in statement_table.PERIODS else None
    if change is not None:
        told = unit_tables.difference(change)
        st.caption(words.markdown(f"Cost per success, the newest {column} with runs against the one before: {told}."))


def _breaks(choice: Choice) -> None:
    changed = changed_definitions(choice.period)
    if changed:
        told = "; ".join(changed)
        st.caption(words.markdown(f"What counts as a success changed, so that cost per success breaks there. {told}."))


def _cash(choice: Choice) -> None:
    """Tell cost and outcomes of the same days, which belong to different runs: no quotient is drawn from them."""
    told = cash(choice)
    if told is None:
        return
    with st.expander(f"Cash view: {told['note']}"):
        ended = [
            words.counted(told["n_success"], "success", "successes"),
            words.counted(told["n_failure"], "failure"),
            f"{told['n_abandoned']:,} abandoned",
        ]
        cost, value = words.usd(told["cost_usd"]), words.usd(told["value_usd"])
        st.markdown(
            words.markdown(
                f"{cost} was incurred in {words.days_of(choice.period)}; {words.listed(ended)} became effective, of "
                f"stated value {value}. The two are of different runs: what one success costs is on Unit economics."
            )
        )


def _files(choice: Choice) -> None:
    """Offer the statement as a workbook and as one page; both are made when somebody takes them."""
    for form, write, mime in (("XLSX", workbook, XLSX), ("PDF", one_pager, "application/pdf")):
        st.download_button(
            f"Download {form}",
            packer(choice, write),
            file_name=f"tokenpnl-pnl.{form.lower()}",
            mime=mime,
            icon=":material/download:",
            on_click="ignore",
        )


def _way_to_runs(choice: Choice, by: str, shown: statement_table.Shown, cells: list[tuple[int, str]]) -> None:
    """Offer the runs behind the selected figure; moving there at once would trap who walks the cells by keyboard."""
    if not cells:
        return
    number, name = cells[0]
    line = shown.lines[number]
    category = [line] if line in words.CATEGORY else statement_table.CATEGORIES_OF.get(line)
    address = choice.address()
    if category:
        address["category"] = category
    if name in shown.values:
        key = "period" if by in ("month", "week", "day") else by
        address[key] = shown.values[name]
    label = shown.words["Line"][number].strip()
    st.page_link(
        "views/runs.py", label=f"Runs behind {label}, {name}", icon=":material/arrow_forward:", query_params=address
    )


picked = chosen()
st.title("What did we spend, by line and against before?", anchor=False)
if edition().newest_at is None:
    cards.nothing_yet()
else:
    by = st.segmented_control(
        "Columns", COLUMNS, default="week", required=True, key="by", bind="query-params", width="stretch"
    )
    _draw(picked, by or "week")
