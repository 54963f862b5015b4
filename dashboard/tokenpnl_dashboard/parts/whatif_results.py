"""The results of a scenario file: savings, one card a change, all together, what it hangs on, and what to apply."""

from collections.abc import Mapping
from typing import Literal

import polars as pl
import streamlit as st

from tokenpnl_analytics.whatif.compose import ORDER_WORDS
from tokenpnl_analytics.whatif.costs import cost_usd
from tokenpnl_analytics.whatif.result import Evidence, Result
from tokenpnl_dashboard import words
from tokenpnl_dashboard.charts import whatif as charts
from tokenpnl_dashboard.parts import cards
from tokenpnl_dashboard.questions.applying import applied_of
from tokenpnl_dashboard.questions.whatif import Report
from tokenpnl_dashboard.shapes.measured_tables import measured
from tokenpnl_dashboard.shapes.whatif_words import (
    DAYS_OF_A_MONTH,
    Block,
    baseline_words,
    block,
    headline,
    week_told,
    winner_told,
)
from tokenpnl_dashboard.state import ink

_BADGE: Mapping[Evidence, Literal["green", "blue", "orange", "gray", "violet"]] = {
    Evidence.RECOMPUTED: "green",
    Evidence.VERIFIED: "green",
    Evidence.ESTIMATED: "blue",
    Evidence.ASSUMED: "orange",
    Evidence.BOUNDED: "violet",
    Evidence.NOT_IDENTIFIABLE: "gray",
}
_LEAD = {
    "Assumes": "Holds if:",
    "Success": "Success:",
    "Per success": "A success costs:",
    "Log next": "To be surer, log:",
}
_GROUPS = {
    "Holds if": ("Assumes",),
    "You would see it is wrong by": ("Wrong if",),
    "What it does to success": ("Success", "Per success"),
    "To be surer": ("Log next", "To be sure"),
    "Mind": ("Note",),
}
_FRAMES: Mapping[str, str] = {
    "options": "Deployment options, side by side",
    "latency": "Simulated latency",
    "break_even": "Break-even, fleet by fleet",
    "hazards": "Success by attempt",
    "hazards_by_error": "Success by attempt and error",
    "token_ratios": "Tokens of the other model",
    "cached_share": "Cached share, observed and by the rules",
    "stale_exposure": "How old a reused answer would be",
    "ttl_curve": "Hits by lifetime",
}


def draw(report: Report) -> None:
    """Draw everything that a scenario file came to."""
    compared, days = report.compared, report.baseline.days
    st.caption(words.markdown(baseline_words(report.baseline)))
    per_month = DAYS_OF_A_MONTH / days
    whole = [*compared.results, *([compared.combined] if compared.combined else [])]
    cards.pick(
        f"Saving in {DAYS_OF_A_MONTH} days",
        charts.savings(whole, ink(), per_month=per_month),
        key="savings",
        caption="Dot: the saving. Bar: its 95% interval, from the spread between customers. Left of zero it costs.",
        clickable=False,
    )
    for place, result in enumerate(whole):
        _result(report, result, place, days)
    _together(report)
    _weeks(report)
    _apply(report, whole)


def _result(report: Report, result: Result, place: int, days: float) -> None:
    told = block(result, days)
    with st.container(border=True, key=f"card_result_{place}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.header(words.markdown(charts.named(result)), anchor=False, width="content")
            st.badge(charts.title(result.evidence), color=_BADGE[result.evidence])
        st.markdown(words.markdown(told.headline[:1].upper() + told.headline[1:]))
        for name in ("Assumes", "Success", "Per success", "Log next"):
            if said := next((text for title, text in told.lines if title == name), None):
                st.caption(f"**{_LEAD[name]}** {words.markdown(said)}")
        with st.expander("Why, and how sure"):
            _reasons(told)
        _measured(report.compared.measured.get(result.name, {}), place)


def _reasons(told: Block) -> None:
    evidence = next(text for name, text in told.lines if name == "Evidence")
    st.markdown(words.markdown(evidence[:1].upper() + evidence[1:] + "."))
    for title, names in _GROUPS.items():
        sentences = [text for name, text in told.lines if name in names]
        if sentences:
            listed = "\n".join(f"- {words.markdown(text)}" for text in sentences)
            st.markdown(f"**{title}**\n\n{listed}")


def _measured(frames: Mapping[str, pl.DataFrame], place: int) -> None:
    """Draw what a family measured: a curve as a figure, everything else as a table behind a fold."""
    if (curve := frames.get("curve")) is not None and curve.height:
        cards.pick(
            "What a cache of each size would still miss",
            charts.miss_ratio(curve, ink(), unit="tokens" if "cached_share" in frames else "answers"),
            key=f"curve_{place}",
            caption="Exact for every size, least recently used leaves first.",
            clickable=False,
        )
    for name, frame in frames.items():
        if name in _FRAMES and frame.height:
            with st.expander(_FRAMES[name], expanded=name == "options"):
                cards.table(measured(frame), alt=_FRAMES[name])


def _together(report: Report) -> None:
    compared = report.compared
    if compared.combined is not None and compared.waterfall.height:
        total = cost_usd(report.baseline.attempts)
        after = compared.waterfall["after_usd"][-1]
        steps = pl.DataFrame(
            {
                "title": ["Now", *compared.waterfall["scenario"], "With all of them"],
                "total": [True, *([False] * compared.waterfall.height), True],
                "amount_usd": [total, *compared.waterfall["saving_usd"], after],
            }
        )
        cards.pick(
            "All together",
            charts.combined(steps, ink()),
            key="combined",
            caption=f"Replayed one after the other: {ORDER_WORDS}. Each saves of what those before it left: this is no "
            "sum of the parts. Dollars of the window.",
            clickable=False,
        )
    rows = [
        {
            "assumption": f"{row['scenario']}: {row['assumption']}",
            **{name: row[f"{column}_usd"] for name, column in (("low", "low"), ("base", "stated"), ("high", "high"))},
        }
        for row in compared.tornado.filter(pl.col("low_usd") != pl.col("high_usd")).to_dicts()
    ]
    if rows:
        cards.pick(
            "What the saving hangs on",
            charts.tornado(rows, ink()),
            key="tornado",
            caption="Each assumption at both ends of its range, the others as stated. Upright line: as stated.",
            clickable=False,
        )
    _frontier(report)
    _at_once(report)


def _frontier(report: Report) -> None:
    points = [
        {
            "name": row["scenario"],
            "usd": row["usd_per_run"],
            "success": row["success_share"],
            "on_frontier": False,
            "note": "success not known" if row["success_share"] is None else f"{row['n']:,} settled runs",
        }
        for row in report.compared.frontier.to_dicts()
    ]
    known = [point for point in points if point["success"] is not None and point["usd"] is not None]
    for point in known:
        point["on_frontier"] = not any(
            other["usd"] <= point["usd"] and other["success"] >= point["success"] and other is not point
            and (other["usd"], other["success"]) != (point["usd"], point["success"])
            for other in known
        )  # fmt: skip
    if len(known) > 1:
        cards.pick(
            "Cost against success",
            charts.frontier(points, ink()),
            key="frontier",
            caption="Up is better, left is cheaper. Changes whose effect on success is unknown are in the table only.",
            clickable=False,
        )


def _at_once(report: Report) -> None:
    if (told := winner_told(report.compared, report.baseline.cluster_level)) is not None:
        st.caption(words.markdown(told))


def _weeks(report: Report) -> None:
    shown = {name: frame for name, frame in report.weeks.items() if frame["saving_usd"].count()}
    if not shown:
        return
    first = next(iter(shown.values()))
    table = pl.DataFrame(
        {
            "Change": list(shown),
            **{
                f"Week of {row['week_from']:%-d %b}": [
                    week_told(frame.row(place, named=True)) for frame in shown.values()
                ]
                for place, row in enumerate(first.to_dicts())
            },
        }
    )
    with st.container(border=True, key="card_weeks"):
        cards.heading("Would it have held, week by week?")
        st.caption("The same change on each week alone: its saving, and the calls that change.")
        cards.table(table, alt="Saving of each change in each of the last weeks")


def _apply(report: Report, whole: list[Result]) -> None:
    expected = [f"{result.name}: {headline(result, report.baseline.days)}" for result in whole]
    found = applied_of(report.file, report.baseline, expected=expected)
    with st.container(border=True, key="card_apply"):
        cards.heading("Apply it")
        st.caption("Files for your gateway or your program. Traffic is changed by you, never from here.")
        with st.container(horizontal=True):
            st.download_button("LiteLLM router", found.litellm, "litellm.yaml", "application/yaml")
            st.download_button("Policy", found.policy, "policy.yaml", "application/yaml")
        if found.difference:
            with st.expander("What changes against today"):
                st.code(found.difference, language="diff")
        for sentence in (*found.left, *found.left_by_litellm):
            st.caption(words.markdown(f"Not in the files: {sentence}"))
