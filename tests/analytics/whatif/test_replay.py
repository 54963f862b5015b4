"""Re-pricing a replayed frame: recorded costs stay, changed ones follow the frozen card."""

from decimal import Decimal

import polars as pl
from tests.analytics.whatif.traffic import traffic

from tokenpnl_analytics.whatif.replay import begun, ends, repriced

MINI = pl.lit("gpt-4o-mini").alias("model")
CHANGED = pl.lit(value=True).alias("changed")


def test_what_did_not_change_keeps_its_recorded_cost() -> None:
    baseline = traffic({}, {"provider": "nobody", "model": "nothing"})
    after = repriced(begun(baseline), baseline.card)
    assert after["cost_usd"].equals(baseline.attempts["cost_usd"])


def test_pricing_everything_again_gives_what_was_booked() -> None:
    baseline = traffic({}, {"model": "gpt-4o-mini"}, {"service_tier": "batch"})
    after = repriced(begun(baseline).with_columns(CHANGED), baseline.card)
    assert after["cost_usd"].equals(baseline.attempts["cost_usd"])


def test_a_changed_row_is_priced_by_its_new_model() -> None:
    baseline = traffic({})
    after = repriced(begun(baseline).with_columns(MINI, CHANGED), baseline.card)
    assert after["cost_usd"].to_list() == [Decimal("0.21")]  # .15 + .06


def test_a_changed_row_without_a_price_has_no_cost() -> None:
    baseline = traffic({})
    after = repriced(begun(baseline).with_columns(pl.lit("nothing").alias("model"), CHANGED), baseline.card)
    assert after["cost_usd"].to_list() == [None]


def test_a_call_that_is_not_made_saves_its_tokens_but_not_the_hour_of_its_pool() -> None:
    baseline = traffic({})
    frame = begun(baseline).with_columns(
        pl.lit(value=False).alias("kept"), pl.lit(Decimal("0.25")).cast(pl.Decimal(38, 12)).alias("capacity_usd")
    )
    assert repriced(frame, baseline.card)["cost_usd"].to_list() == [Decimal("0.25")]


def test_what_a_change_costs_beside_tokens_is_added() -> None:
    baseline = traffic({})
    frame = begun(baseline).with_columns(pl.lit(Decimal("0.5")).cast(pl.Decimal(38, 12)).alias("extra_usd"))
    assert repriced(frame, baseline.card)["cost_usd"].to_list() == [Decimal("4.0")]


def test_the_ends_of_a_saving_count_added_rows_as_new_cost() -> None:
    baseline = traffic({})
    frame = begun(baseline)
    dear = pl.concat([frame, frame.with_columns(pl.lit(value=True).alias("added"))])
    cheap = frame.with_columns(MINI, CHANGED)
    assert ends(frame, dear, cheap, baseline.card) == (-3.5, 3.29)
