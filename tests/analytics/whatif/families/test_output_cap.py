"""Shorter answers: shaped, then cut; reasoning comes first."""

from typing import Any

import polars as pl
from tests.analytics.whatif.traffic import traffic

from tokenpnl_analytics.rules.scenario_families import OutputCap
from tokenpnl_analytics.whatif.families.output_cap import replay
from tokenpnl_analytics.whatif.replay import Replayed, begun


def tried(row: dict[str, Any], **scenario: Any) -> Replayed:
    baseline = traffic(row)
    return replay(baseline, begun(baseline), OutputCap.model_validate({"name": "short"} | scenario))


def output(found: Replayed) -> tuple[Any, ...]:
    columns = ("output_reasoning_tokens", "output_text_tokens", "output_total_tokens", "changed")
    return found.attempts.select(pl.col(columns)).row(0)


def test_an_answer_is_cut_at_the_maximum() -> None:
    found = tried({}, max_output_tokens=40_000)
    assert output(found) == (None, 40_000, 40_000, True)
    assert found.caveats == ("1 answers would be cut in the middle.",)


def test_reasoning_uses_the_maximum_up_before_the_answer() -> None:
    row = {"output_reasoning_tokens": 30, "output_text_tokens": 50, "output_total_tokens": 80}
    assert output(tried(row, max_output_tokens=40)) == (30, 10, 40, True)
    assert output(tried(row, max_output_tokens=20)) == (20, 0, 20, True)


def test_shaping_shortens_what_is_written_and_not_the_reasoning() -> None:
    row = {"output_reasoning_tokens": 30, "output_text_tokens": 50, "output_total_tokens": 80}
    assert output(tried(row, shaped_share=0.5)) == (30, 25, 55, True)


def test_a_shape_that_did_not_help_would_save_nothing() -> None:
    assert tried({}, shaped_share=0.5).saving_range == (0.0, 0.5)


def test_a_maximum_above_every_answer_changes_nothing() -> None:
    assert output(tried({}, max_output_tokens=100_000)) == (None, 100_000, 100_000, False)
