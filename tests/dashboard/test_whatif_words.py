"""What-if sentences that a finance lead reads: a loss is called one, no parentheses within parentheses."""

from decimal import Decimal

import polars as pl

from tokenpnl_dashboard.shapes.whatif_words import curve_words, signed_usd, step_words, tornado_words, week_told


def test_a_loss_within_a_sentence_has_a_minus_and_no_parentheses() -> None:
    assert signed_usd(-0.42) == "−$0.4200"
    assert signed_usd(Decimal("1.5")) == "$1.50"
    assert signed_usd(None) == "–"


def test_a_step_that_costs_says_so() -> None:
    steps = pl.DataFrame(
        {"step": ["routing"], "scenario": ["strong"], "saving_usd": [Decimal("-0.42")], "after_usd": [Decimal("1.54")]}
    )
    assert list(step_words(steps))[1] == "  routing  strong: costs $0.4200 more, $1.54 left"


def test_an_assumption_that_moves_nothing_is_one_figure() -> None:
    row = {"scenario": ["gpu"], "assumption": ["speed"], "low_usd": [-2.0], "high_usd": [-2.0], "stated_usd": [-2.0]}
    assert list(tornado_words(pl.DataFrame(row)))[1] == "  gpu, speed: −$2.00 as stated, and at both ends"


def test_a_week_without_calls_is_a_dash() -> None:
    assert week_told({"saving_usd": None, "n_changed": 0}) == "–"
    assert week_told({"saving_usd": Decimal("-0.1"), "n_changed": 1}) == "−$0.1000, 1 call"


def test_lifetimes_read_in_their_own_unit() -> None:
    by_ttl = pl.DataFrame({"ttl_s": [60.0, 300.0, 604_800.0], "hit_share": [0.5, 0.6, 0.87]})
    told = list(curve_words({"cache": {"ttl_curve": by_ttl}}))[1]
    assert told.endswith("50% within 1 minute, 60% within 5 minutes, 87% within 7 days.")
