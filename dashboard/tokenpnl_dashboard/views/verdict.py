"""Verdict: is the model doing high-value reasoning, or is it expensive glue; by what evidence, and what to change."""

import streamlit as st

from tokenpnl_analytics.verdict.report import Report
from tokenpnl_dashboard import words
from tokenpnl_dashboard.charts import verdict as verdict_charts
from tokenpnl_dashboard.parts import cards
from tokenpnl_dashboard.parts.filters import Choice, chosen
from tokenpnl_dashboard.questions.verdicts import the_cures, the_verdict
from tokenpnl_dashboard.shapes import verdict_tables
from tokenpnl_dashboard.state import edition, ink

RUNS = "views/runs.py"


def _draw(choice: Choice) -> None:
    with st.skeleton(height=260):
        found = the_verdict(choice)
    if found.verdict.n_settled == 0:
        cards.chip()
        cards.nothing_here(
            "No settled runs here", "A run counts once it is older than its workflow's outcome window. None is, here."
        )
        return
    told = found.verdict
    cards.chip(
        f"effective cost of {told.n_settled:,} settled production runs",
        f"{told.n_successes:,} successes",
        f"outcome coverage {words.percent(told.coverage)}",
        priced_share=_priced(found),
    )
    with st.container(border=True, key="verdict"):
        st.markdown(f"**{verdict_tables.HEADLINE[told.headline]}.** {_sentence(told.reason)}")
        if told.next_thing:
            st.markdown(f"**Next:** {_with_code(told.next_thing)}.")
        if (step := verdict_tables.doubted(found)) is not None:
            st.page_link(
                RUNS,
                label=f"Runs of {step[0]}, the step {step[1]} among them",
                query_params=choice.address(workflow=step[0], step=step[1]),
                icon=":material/arrow_forward:",
                icon_position="right",
            )
    _shares(found)
    _steps(found)
    _cures(choice)
    st.caption(
        words.markdown(
            f"{told.method}. Glue needs two independent signs; reasoning needs a cheaper model that did worse, or a "
            "person's label in labels.yaml; price is no evidence. A step changes its class after two weeks in a row. "
            "How often the signs are right was measured on a set that we generated ourselves: a unit test, not a study."
        )
    )


def _sentence(reason: str) -> str:
    return words.markdown(reason[:1].upper() + reason[1:]) + "."


def _with_code(text: str) -> str:
    """Return a sentence as Markdown; what stands between backticks is code."""
    parts = text.split("`")
    return "".join(words.code(part) if place % 2 else words.markdown(part) for place, part in enumerate(parts))


def _priced(found: Report) -> float | None:
    lines = int(found.steps["n_lines"].sum())
    return 1 - int(found.steps["n_unpriced"].sum()) / lines if lines else None


def _shares(found: Report) -> None:
    shares = verdict_tables.shares(found)
    cards.pick(
        "What the cost bought",
        verdict_charts.five_shares(shares, ink()),
        key="five_shares",
        caption="Five shares that sum to 100% of what settled runs cost.",
        legend=verdict_charts.share_key(shares, ink()),
        clickable=False,
    )
    with st.expander("What the five words mean, and how sure each share is"):
        cards.table(verdict_tables.shares_shown(found), alt="The five shares with their intervals and definitions")


def _steps(found: Report) -> None:
    frame = verdict_tables.steps(found)
    with st.container(border=True, key="card_steps"):
        cards.heading("What each step is")
        st.caption("Dearest first. A sign is shown with its number, its threshold and the answers it rests on.")
        cards.table(frame, alt="Steps with class, cost, signs and what to log")
        with st.expander("Every sign of every step, also those that do not hold"):
            cards.table(verdict_tables.signs(found), alt="Signs of every step with number, threshold and answers")


def _cures(choice: Choice) -> None:
    with st.skeleton(height=200):
        found = the_cures(choice)
    if found.is_empty():
        return
    with st.container(border=True, key="card_cures"):
        cards.heading("What could be undone")
        st.caption(
            "The two largest causes of each step. Each cure is replayed alone on these runs; what nobody can tell is "
            "unknown. Intervals cover which runs happened to come, not whether the condition holds."
        )
        cards.table(verdict_tables.cures(found), alt="Causes of cost by step, with cure, saving and interval")


picked = chosen()
st.title("High-value reasoning, or expensive glue?", anchor=False)
if edition().newest_at is None:
    cards.nothing_yet()
else:
    _draw(picked)
