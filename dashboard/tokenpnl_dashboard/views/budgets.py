"""Budgets: will we overrun, and who knows; what is odd, and why the cost moved."""

from typing import Any

import polars as pl
import streamlit as st

from tokenpnl_analytics.planning.budgets import Burn, Standing
from tokenpnl_analytics.planning.forecast import METHOD, accuracy
from tokenpnl_analytics.planning.variance import whole
from tokenpnl_analytics.rules.alerts import ALERTS
from tokenpnl_analytics.rules.budgets import BUDGETS
from tokenpnl_dashboard import words
from tokenpnl_dashboard.charts import budgets as budget_charts
from tokenpnl_dashboard.parts import cards
from tokenpnl_dashboard.parts.filters import NOBODY, Choice, chosen
from tokenpnl_dashboard.questions import budgeting
from tokenpnl_dashboard.questions.standing import STANDING, worst_first
from tokenpnl_dashboard.state import ask, edition, home, ink, rules
from tokenpnl_ingest.control import ControlStore
from tokenpnl_ingest.control.records import Alert

RUNS = "views/runs.py"
MOST_TOLD = 10
EXAMPLE = """```text
# budgets.yaml
budgets:
  - name: everything
    amount_usd: 1200
    owner: Ana
  - name: support
    amount_usd: 300
    every: quarter
    where: {workflow: [support_reply], environment: production}
```"""


def _draw(choice: Choice) -> None:
    with st.skeleton(height=320):
        standing = worst_first()
        tested = accuracy(budgeting.backtest_of(ask, as_of=edition().as_of, zone=rules(BUDGETS).zone))
        found = budgeting.found_anomalies(ask, rules(ALERTS).anomalies, as_of=edition().as_of)
    shares = [burn.unpriced_share for burn in standing if burn.unpriced_share]
    cards.chip(f"effective cost, months in {rules(BUDGETS).zone}", priced_share=1 - max(shares) if shares else None)
    if standing:
        _verdict(standing)
        _tiles(standing, found.incidents, tested)
        _burn_up(standing)
        _table(standing)
    else:
        _no_budget()
    _anomalies(choice, found.incidents, found.refused)
    _bridge(choice)
    _who_knows()
    st.caption(words.markdown(_disclosure(tested)))


def _verdict(standing: list[Burn]) -> None:
    bad = [burn for burn in standing if burn.standing in (Standing.OVER, Standing.WILL_OVERRUN)]
    worst = standing[0]
    floor = "at least " if worst.unpriced_share else ""
    first = f"{len(bad)} of {words.counted(len(standing), 'budget')} will overrun or are over."
    parts = [f"**{first}**" if bad else f"**None of {words.counted(len(standing), 'budget')} is forecast to overrun.**"]
    said = f"{worst.budget.name}: {floor}{words.usd(worst.spent_usd)} of {words.usd(worst.budget.amount_usd)} spent"
    if worst.end is not None and worst.ahead is not None:
        estimate, low, high = worst.end
        said += f", {words.usd(estimate)} forecast by the end of {worst.span.label} ({words.between(low, high)})"
    owner = f" Owner: {worst.budget.owner}." if worst.budget.owner else " Nobody is named as its owner."
    with st.container(border=True, key="verdict"):
        st.markdown(" ".join([*parts, words.markdown(f"{said}.{owner}")]))


def _tiles(standing: list[Burn], incidents: pl.DataFrame, tested: pl.DataFrame) -> None:
    worst = standing[0]
    with st.grid(columns=4, min_column_width=170):
        cards.tile(
            "Spent",
            words.percent(worst.spent_share),
            caption=f"{worst.budget.name}: {words.usd(worst.spent_usd)} of {words.usd(worst.budget.amount_usd)}; "
            f"{words.percent(worst.elapsed_share)} of {worst.span.label} is gone",
            leads_to=("Statement", "views/pnl.py", {}),
        )
        cards.tile(
            "Forecast end",
            words.usd(worst.end[0]) if worst.end else words.UNKNOWN,
            caption=_end(worst),
            leads_to=("Statement", "views/pnl.py", {}),
        )
        noted = _noted()
        n_open = sum(budgeting.anomaly_key(row) not in noted for row in incidents.iter_rows(named=True))
        cards.tile(
            "Open anomalies",
            words.count(n_open),
            caption=f"{words.usd(incidents['excess_usd'].sum())} above expected, "
            f"last {rules(ALERTS).anomalies.window_hours} hours",
            leads_to=("Runs", RUNS, {}),
        )
        week = tested.filter(pl.col("horizon") == 7).to_dicts()
        cards.tile(
            "Forecast error, a week",
            words.percent(week[0]["wape"]) if week else words.UNKNOWN,
            caption=f"{words.percent(week[0]['coverage'])} of {week[0]['n_origins']} origins inside P10-P90"
            if week
            else "too little history",
            leads_to=("Statement", "views/pnl.py", {}),
        )


def _end(burn: Burn) -> str:
    if burn.end is None:
        return burn.ahead.refused_because if burn.ahead else ""
    _, low, high = burn.end
    return (
        f"{burn.budget.name}: P10-P90 {words.between(low, high)}; {words.usd(burn.run_rate_usd_per_day)} a day so far"
    )


def _burn_up(standing: list[Burn]) -> None:
    names = [burn.budget.name for burn in standing]
    name = st.selectbox("Budget", names, key="budget", width=320) if len(names) > 1 else names[0]
    burn = next((burn for burn in standing if burn.budget.name == name), standing[0])
    title = f"{burn.budget.name}: {burn.span.label}"
    caption = f"Spent so far (line) and forecast (dotted) with its P10-P90 fan, on {burn.node}."
    cards.card(words.markdown(title), budget_charts.burn_up(burn, ink()), key="burn", caption=words.markdown(caption))


def _table(standing: list[Burn]) -> None:
    frame = pl.DataFrame(
        {
            "Budget": [burn.budget.name for burn in standing],
            "Standing": [STANDING[burn.standing] for burn in standing],
            "Amount": [words.usd(burn.budget.amount_usd) for burn in standing],
            "Spent": [words.with_share(burn.spent_usd, burn.spent_share) for burn in standing],
            "Forecast end": [words.usd(burn.end[0]) if burn.end else words.UNKNOWN for burn in standing],
            "P10 to P90": [words.between(*burn.end[1:]) if burn.end else words.UNKNOWN for burn in standing],
            "A day": [words.usd(burn.run_rate_usd_per_day) for burn in standing],
            "Next threshold": [_next(burn) for burn in standing],
            "Unpriced": [words.percent(burn.unpriced_share) for burn in standing],
            "Period": [burn.span.label for burn in standing],
            "On": [burn.node for burn in standing],
            "Owner": [burn.budget.owner or words.UNKNOWN for burn in standing],
        }
    )
    with st.container(border=True, key="card_budgets"):
        cards.heading("Budgets")
        figures = ("Amount", "Spent", "Forecast end", "P10 to P90", "A day", "Unpriced")
        st.dataframe(
            frame,
            hide_index=True,
            alt=f"How {words.counted(len(standing), 'budget')} stand",
            height="content" if frame.height <= 15 else 560,
            column_config={
                "Budget": st.column_config.Column("Budget", pinned=True),
                **{name: st.column_config.Column(name, alignment="right") for name in figures},
            },
        )


def _next(burn: Burn) -> str:
    ahead = burn.thresholds.filter((pl.col("basis") == "forecast") & pl.col("crossed_at").is_not_null())
    if ahead.is_empty():
        return words.UNKNOWN
    percent, at = ahead.select("percent", "crossed_at").row(0)
    return f"{percent}% by {at:%-d %b}"


def _no_budget() -> None:
    with st.container(border=True):
        st.header("No budget is in force", anchor=False)
        folder = home()
        place = f"`{folder.config / 'budgets.yaml'}`" if folder else "the configuration folder"
        st.markdown(f"Write one into {place} and this page shows where it ends:\n\n{EXAMPLE}")


def _anomalies(choice: Choice, incidents: pl.DataFrame, refused: pl.DataFrame) -> None:
    detection, noted = rules(ALERTS).anomalies, _noted()
    with st.container(border=True, key="card_anomalies"):
        cards.heading("Hours that cost more than chance explains")
        young = (
            f" {words.counted(refused.height, 'series', 'series')} with too little history." if refused.height else ""
        )
        st.caption(
            f"Last {detection.window_hours} complete hours by workflow and model; at most "
            f"{words.percent(detection.q)} of such alarms are expected to be false.{young}"
        )
        if incidents.is_empty():
            st.markdown("None.")
            return
        frame = pl.DataFrame([_told(row, noted) for row in incidents.iter_rows(named=True)])
        cards.table(frame, alt=f"{words.counted(frame.height, 'anomaly', 'anomalies')}, the dearest first")
        first = incidents.row(0, named=True)
        address = choice.address(workflow=first["workflow"] or NOBODY) | {"period": f"{first['since']:%Y-%m-%d}"}
        st.page_link(RUNS, label="Runs of the dearest", icon=":material/arrow_forward:", query_params=address)


def _told(row: dict[str, Any], noted: dict[str, str]) -> dict[str, str]:
    return {
        "Workflow": row["workflow"] or NOBODY,
        "Model": row["model"] or words.UNKNOWN,
        "Since": words.moment(row["since"]),
        "Hours": words.count(row["n_hours"]),
        "Cost": words.usd(row["observed_usd"]),
        "Above expected": words.usd(row["excess_usd"]),
        "Likely cause": row["cause"] or "none seen",
        "Noted": noted.get(budgeting.anomaly_key(row), "open"),
        "p, q": f"{row['p']:.1g}, {row['q']:.1g}",
        "History": f"{words.count(row['n'])} hours",
        "Method": row["method"],
    }


def _who_knows() -> None:
    """Show who is told of what, and what was told last."""
    asked = rules(ALERTS)
    with st.container(border=True, key="card_alerts"):
        cards.heading("Who is told")
        if not asked.rules:
            st.markdown(
                "Nobody: alerts.yaml has no rules. `tokenpnl config schema alerts.yaml` says what may stand in it, "
                "`tokenpnl alerts test` whether a channel listens."
            )
            return
        quiet = asked.quiet_hours
        st.caption(
            f"Rules of alerts.yaml. Quiet from {quiet.from_time:%H:%M} to {quiet.to_time:%H:%M} {quiet.zone}; "
            "what comes up meanwhile is told afterwards, as one."
            if quiet
            else "Rules of alerts.yaml. No quiet hours."
        )
        frame = pl.DataFrame(
            {
                "Rule": [rule.name for rule in asked.rules],
                "Watches": [words.title(rule.watch) for rule in asked.rules],
                "Above": ["default" if rule.above is None else f"{rule.above:f}" for rule in asked.rules],
                "Told": [words.listed(rule.channels) for rule in asked.rules],
                "Severity": [rule.severity for rule in asked.rules],
                "Again after": [words.counted(rule.cooldown_hours, "hour") for rule in asked.rules],
            }
        )
        cards.table(frame, alt=f"{words.counted(frame.height, 'alert rule')} and who is told")
        told = _told_last()
        if told.height:
            cards.table(told, alt="Alerts told last, the newest first")
            st.caption(words.markdown("Take note of one: tokenpnl alerts ack KEY --by NAME --reason WHY."))


def _told_last() -> pl.DataFrame:
    known = _alerts()[:MOST_TOLD]
    return pl.DataFrame(
        {
            "Last told": [words.moment(one.sent_at) for one in known],
            "Alert": [one.detail["alert"]["headline"] for one in known],
            "Channels": [
                words.listed([f"{name}: {state['state']}" for name, state in one.detail["channels"].items()])
                for one in known
            ],
            "Noted": [f"{one.acknowledged_by}: {one.reason}" if one.acknowledged_at else "open" for one in known],
            "Key": [one.key for one in known],
        }
    )


def _noted() -> dict[str, str]:
    """Return who took note of which alert, and why."""
    return {one.key: f"{one.acknowledged_by}: {one.reason}" for one in _alerts() if one.acknowledged_at}


def _alerts() -> list[Alert]:
    place = home()
    if place is None:
        return []
    with ControlStore.of(place) as control:
        return control.alerts()


def _bridge(choice: Choice) -> None:
    before = choice.period.previous()
    if before is None:
        st.caption("All time has no period before it: choose another one to see why the cost moved.")
        return
    split = budgeting.bridge_of(ask, before, choice.period, where=choice.where)
    if split.is_empty():
        return
    total = whole(split).row(0, named=True)
    caption = (
        f"{words.usd(total['before_usd'])} in {words.days_of(before)}, {words.usd(total['after_usd'])} in "
        f"{words.days_of(choice.period)}. Striped: dearer. The bars sum to the change exactly."
    )
    cards.card(
        "Why the cost moved",
        budget_charts.bridge(total, ink()),
        key="bridge",
        caption=words.markdown(caption),
    )
    money = {
        "Before": "before_usd", "Now": "after_usd", "Change": "change_usd", "Calls": "calls_usd",
        "Tokens a call": "tokens_per_call_usd", "Mix": "mix_usd", "Rate": "rate_usd", "Waste": "waste_usd",
        "New": "new_usd", "Ended": "ended_usd",
    }  # fmt: skip
    ordered = split.sort(pl.col("change_usd").cast(pl.Float64).abs(), descending=True)
    shown = {title: name for title, name in money.items() if (ordered[name] != 0).any()}
    frame = pl.DataFrame(
        {"Workflow": ordered["workflow"].fill_null(NOBODY)}
        | {title: [words.usd(value) for value in ordered[name]] for title, name in shown.items()}
        | {"Priced": [words.percent(share) for share in ordered["priced_share_after"]]}
    )
    st.dataframe(
        frame,
        hide_index=True,
        alt="Why the cost of each workflow moved",
        height="content" if frame.height <= 15 else 560,
        column_config={
            "Workflow": st.column_config.Column("Workflow", pinned=True),
            **{title: st.column_config.Column(title, alignment="right") for title in frame.columns[1:]},
        },
    )


def _disclosure(tested: pl.DataFrame) -> str:
    told = [
        f"{row['horizon']} {'day' if row['horizon'] == 1 else 'days'}: WAPE {words.percent(row['wape'])}, "
        f"{words.percent(row['coverage'])} inside P10-P90, n {row['n_origins']}"
        for row in tested.iter_rows(named=True)
    ]
    judged = f"Judged from earlier days, all cost: {'; '.join(told)}. " if told else "No backtest: too little history. "
    return (
        f"Forecast: {METHOD}; calls x tokens per call x price per token, no trend assumed. {judged}"
        "Variance by LMDI: volume is each workflow's calls and tokens per call, waste the share without direct result. "
        "Budgets are those of budgets.yaml and are not narrowed by the filters; the bridge is."
    )


picked = chosen()
st.title("Will we overrun, and who knows?", anchor=False)
if edition().newest_at is None:
    cards.nothing_yet()
else:
    _draw(picked)
