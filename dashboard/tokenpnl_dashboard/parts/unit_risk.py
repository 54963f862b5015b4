"""The expander of the unit economics page that asks: what if some claimed successes are none?"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import polars as pl
import streamlit as st

from tokenpnl_analytics.unit_cost.risk import break_even_clean_up_usd, risk_adjusted
from tokenpnl_dashboard import words
from tokenpnl_dashboard.parts.filters import NOBODY

Row = dict[str, Any]
Audits = Mapping[str | None, tuple[int, int, float]]


def expander(units: pl.DataFrame, known: Audits) -> None:
    """Draw the risk-adjusted cost of one workflow, with its inputs.

    Args:
        units: result of `unit_costs` by workflow.
        known: audit sample, false ones and clean-up cost by workflow, as outcomes.yaml states them.
    """
    priced = units.filter(pl.col("settled_usd").is_not_null())
    if priced.is_empty():
        return
    with st.expander("Risk-adjusted cost: what if some claimed successes are none?"):
        row = _picked(priced, "Workflow", "risk_workflow")
        audit = _inputs(row["workflow"], known.get(row["workflow"], (0, 0, 0.0)))
        found = risk_adjusted(pl.DataFrame([row], schema=priced.schema), audit).row(0, named=True)
        st.markdown(words.markdown(in_words(found)))
        _break_even(priced, row, found)
        st.caption(
            "(cost per success + f k) / (1 - f): f is the share of claimed successes that a random audit found false, "
            "with its Wilson interval; k the clean-up cost. The interval is that of f alone."
        )


def in_words(found: Row) -> str:
    """Return a row of `risk_adjusted` as a sentence, a number first."""
    if found["refused_because"]:
        return f"Not computed: {found['refused_because']}."
    bounds = "no upper bound" if found["high"] is None else words.between(found["low"], found["high"])
    share, low, high = (words.percent(found[name]) for name in ("false_share", "false_low", "false_high"))
    return (
        f"{words.usd(found['estimate'])} per true success ({bounds}): {share} of {found['n_audited']:,} audited "
        f"successes were false ({low} to {high})."
    )


def _picked(priced: pl.DataFrame, label: str, key: str) -> Row:
    names = [name or NOBODY for name in priced["workflow"]]
    picked = st.selectbox(label, names, key=key)
    return priced.row(names.index(picked), named=True)


def _inputs(workflow: str | None, known: tuple[int, int, float]) -> pl.DataFrame:
    n, false, clean_up = known
    left, middle, right = st.columns(3)
    audited = left.number_input("Successes audited", min_value=0, value=n, key=f"risk_n_{workflow}")
    wrong = middle.number_input("Of them false", min_value=0, value=false, key=f"risk_false_{workflow}")
    usd = right.number_input("Clean-up of a false one, USD", min_value=0.0, value=clean_up, key=f"risk_usd_{workflow}")
    if wrong > audited:
        st.warning("More false ones than were audited; taken as all of them.")
    sample = {"workflow": [workflow], "n_audited": [audited], "n_false": [min(wrong, audited)]}
    return pl.DataFrame(sample | {"clean_up_usd": [Decimal(str(usd))]}, schema_overrides={"workflow": pl.String})


def _break_even(priced: pl.DataFrame, row: Row, found: Row) -> None:
    """Set it against another workflow: two models of one task run under two names."""
    others = priced.filter(pl.col("workflow").ne_missing(row["workflow"]))
    if others.is_empty() or found["false_share"] is None:
        return
    left, right = st.columns(2)
    with left:
        against = _picked(others, "Against", "risk_other")
    share = right.number_input("Its false share, %", min_value=0.0, max_value=99.9, value=0.0, key="risk_other_share")
    at = break_even_clean_up_usd(
        (float(row["settled_usd"]), found["false_share"]), (float(against["settled_usd"]), share / 100)
    )
    said = "none, one of them is cheaper whatever a clean-up costs" if at is None else words.usd(at)
    st.markdown(words.markdown(f"Break-even clean-up cost against {against['workflow'] or NOBODY}: {said}."))
