"""The verdict in words and tables: what a reader without statistics is told."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from tokenpnl_analytics.verdict.causes import CURES
from tokenpnl_analytics.verdict.headline import Headline, Share, Verdict
from tokenpnl_analytics.verdict.report import Report, Traffic
from tokenpnl_analytics.verdict.shares import IDLE, SHARES
from tokenpnl_dashboard.shapes import verdict_tables

USD = {"reasoning": "50", "glue": "20", "unclassified": "10", "waste": "15", "other": "5"}
STEP = {"workflow": "w", "step": "s", "class": "glue", "contradicted": False, "n_known": 3, "to_log": None}
SIGN = {"workflow": "w", "step": "s", "sign": "lookup", "value": 0.75, "n": 1200, "threshold": 0.3, "holds": True}
CURE = {
    "workflow": "w",
    "step": "s",
    "cause": "repeated_answer",
    "cure": "caching: keep it",
    "gross_usd": Decimal(4),
    "saving_usd": Decimal(3),
    "low_usd": 2.0,
    "high_usd": 3.5,
    "evidence": "assumed",
    "ceiling": False,
    "because": "it is as good",
}


def money(**usd: str) -> dict[str, Decimal]:
    parts = {f"{name}_usd": Decimal(usd.get(name, "0")) for name in SHARES}
    return parts | {"total_usd": sum(parts.values(), Decimal(0))}


def report(*steps: dict[str, Any], evidence: tuple[dict[str, Any], ...] = (SIGN,)) -> Report:
    shares = {name: Share(float(usd) / 100, float(usd) / 100, 0.0, 1.0) for name, usd in USD.items()}
    found = Verdict(Headline.MIXED, "neither side is half", shares, shares["glue"], 3, 300, 200, 1.0, None, "m")
    empty = pl.DataFrame()
    told = pl.DataFrame([row | {"speaks_for": "glue"} for row in evidence])
    rows = pl.DataFrame([STEP | money(**USD) | row for row in steps] or [STEP | money(**USD)])
    return Report(found, rows, told, empty, empty, empty, Traffic(empty, empty, empty, empty))


def test_the_headline_says_why_and_what_to_do_next() -> None:
    found = report().verdict
    assert verdict_tables.headline(found) == "Mixed: neither side is half."
    lacking = replace(found, next_thing="log it")
    assert verdict_tables.headline(lacking) == "Mixed: neither side is half.\nNext: log it."


def test_the_five_shares_stand_in_their_order_with_exact_dollars() -> None:
    found = verdict_tables.shares(report())
    assert found["share"].to_list() == list(SHARES)
    assert found["usd"].to_list() == [Decimal(USD[name]) for name in SHARES]
    assert found["counted"].sum() == pytest.approx(1)


def test_a_sign_is_told_with_its_number_its_answers_and_its_limit() -> None:
    assert verdict_tables.signs_told(report()) == {
        ("w", "s"): "a lookup in disguise: 75% of 1,200 answers (a sign from 30%)"
    }
    few = SIGN | {"sign": "few_outputs", "value": 0.01, "threshold": 0.05}
    told = verdict_tables.signs_told(report(evidence=(few,)))[("w", "s")]
    assert told.endswith("(a sign up to 5.0%)")


def test_a_sign_that_does_not_hold_is_no_reason() -> None:
    rows = verdict_tables.steps(report(evidence=(SIGN | {"holds": False}, SIGN | {"holds": None})))
    assert rows["Because"].to_list() == ["no sign holds"]


def test_idle_capacity_is_no_step_and_a_contradiction_is_said() -> None:
    idle = {"step": IDLE, "n_known": None}
    rows = verdict_tables.steps(report({"class": "unclassified", "contradicted": True}, idle))
    assert rows["It is"].to_list() == ["Unclassified (contradicted)"]


def test_the_most_dollars_without_a_class_are_the_step_to_look_at() -> None:
    steps = [{"step": "a"} | money(unclassified="1"), {"step": "b"} | money(unclassified="2"), {"step": "c"} | money()]
    assert verdict_tables.doubted(report(*steps)) == ("w", "b")
    assert verdict_tables.doubted(report(money(glue="1"))) is None


@pytest.mark.parametrize(
    ("told", "saved", "interval", "sure"),
    [
        ({}, "$3.00", "$2.00 to $3.50", "assumed, if it is as good"),
        ({"ceiling": True, "evidence": "bounded"}, "at most $3.00", "–", "bounded, if it is as good"),
        ({"saving_usd": None, "low_usd": None, "because": "no blocks"}, "unknown", "–", "unknown: no blocks"),
        ({"saving_usd": Decimal(-1)}, "nothing: a loss of $1.00", "$2.00 to $3.50", "assumed, if it is as good"),
    ],
    ids=["simulated", "ceiling", "refused", "loss"],
)
def test_a_cure_is_told_with_its_saving_and_how_sure_it_is(
    told: dict[str, Any], saved: str, interval: str, sure: str
) -> None:
    row = verdict_tables.cures(pl.DataFrame([CURE | told])).row(0, named=True)
    assert (row["Would have saved"], row["95% interval"], row["How sure"]) == (saved, interval, sure)


def test_every_cause_has_words() -> None:
    assert verdict_tables.CAUSE.keys() == CURES.keys()
