"""The headline: correction, intervals, and what refuses it."""

from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from tokenpnl_analytics.verdict.headline import Confusion, Headline, Verdict, rogan_gladen, verdict
from tokenpnl_analytics.verdict.shares import SHARES

SURE = Confusion(400, 0, 400, 0)


def steps(n: int, **usd: str) -> pl.DataFrame:
    money = {f"{name}_usd": [Decimal(usd.get(name, "0"))] * n for name in SHARES}
    types = dict.fromkeys(money, pl.Decimal(38, 12))
    return pl.DataFrame({"step": [f"s{k}" for k in range(n)], **money}, schema_overrides=types)


def said(frame: pl.DataFrame, *, settled: int = 300, unknown: int = 0, confusion: Confusion = SURE) -> Verdict:
    runs = pl.DataFrame({"settled": [True] * settled, "outcome": ["success"] * (settled - unknown) + [None] * unknown})
    return verdict(frame, runs, confusion, to_log="log it", chance=np.random.default_rng(1))


def test_rogan_gladen_is_the_published_correction() -> None:
    # q = 0.5, se = 0.9, sp = 0.8: (0.5 + 0.8 - 1)/(0.9 + 0.8 - 1) = 3/7
    found = rogan_gladen(np.array([0.5]), np.array([0.9]), np.array([0.8]))
    assert found[0] == pytest.approx(3 / 7)


def test_mostly_glue_needs_glue_and_waste_surely_above_half() -> None:
    assert said(steps(10, glue="6", waste="1", reasoning="2", unclassified="1")).headline is Headline.MOSTLY_GLUE
    assert said(steps(10, glue="4", waste="1", reasoning="4", other="1")).headline is Headline.MIXED


def test_mostly_reasoning_needs_proven_reasoning_surely_above_half() -> None:
    assert said(steps(10, reasoning="8", glue="1", other="1")).headline is Headline.MOSTLY_REASONING


def test_much_that_nobody_classified_is_not_enough_evidence() -> None:
    found = said(steps(10, glue="7", unclassified="3"))
    assert (found.headline, found.next_thing) == (Headline.NOT_ENOUGH_EVIDENCE, "log it")


def test_few_runs_or_outcomes_are_not_enough_evidence() -> None:
    assert said(steps(10, glue="9"), settled=199).headline is Headline.NOT_ENOUGH_EVIDENCE
    assert said(steps(10, glue="9"), settled=300, unknown=20).headline is Headline.NOT_ENOUGH_EVIDENCE


def test_the_correction_keeps_the_sum_and_never_touches_the_unclassified() -> None:
    shares = said(steps(5, glue="5", reasoning="3", unclassified="2"), confusion=Confusion(30, 3, 30, 2)).shares
    assert sum(share.corrected for share in shares.values()) == pytest.approx(1)
    assert shares["unclassified"].corrected == pytest.approx(0.2)
