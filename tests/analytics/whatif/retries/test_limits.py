"""Time-outs, fallback orders and breakers replayed on tries as they were made."""

from datetime import timedelta

import polars as pl

from tokenpnl_analytics.whatif.retries.chains import tries_of
from tokenpnl_analytics.whatif.retries.limits import (
    Breaker,
    fallback_order,
    limited,
    longer_timeout,
    spared_by_breaker,
)

from .attempts import attempts


def test_a_longer_timeout_is_refused() -> None:
    assert longer_timeout().value is None
    assert "not identifiable" in str(longer_timeout().refused_because)


def test_a_model_that_only_stood_in_says_nothing_of_itself_as_the_first() -> None:
    told = attempts("429 ok", "ok").with_columns(
        pl.Series("model", ["a", "b", "a"]), pl.Series("attempt_reason", ["first", "fallback", "first"])
    )
    found = fallback_order(tries_of(told), ["b", "a", "c"])
    assert found["evidence"].to_list() == ["not_identifiable", "assumed", "not_identifiable"]
    assert found["first_share"].to_list() == [None, 0.5, None]
    assert found["fallback_share"].to_list() == [1.0, None, None]


def test_a_breaker_opens_after_failures_in_a_row_and_tries_again_after_cooling_down() -> None:
    # Calls begin every ten seconds. The second failure ends at 11.1 s, so the breaker is open until 36.1 s.
    tries = tries_of(attempts("500", "500", "ok", "ok", "500", "ok"))
    spared = spared_by_breaker(tries, Breaker(failures=2, cool_down=timedelta(seconds=25)))
    assert spared["spared"].to_list() == [False, False, True, True, False, True]


def test_another_model_is_not_spared_for_the_first_ones_failures() -> None:
    told = attempts("500", "500", "ok").with_columns(pl.Series("model", ["a", "a", "b"]))
    assert not spared_by_breaker(tries_of(told), Breaker(failures=2))["spared"].any()


def test_what_limits_stop_gives_up_and_what_a_timeout_cuts_meets_its_deadline() -> None:
    tries = tries_of(attempts("429 500 ok", "ok")).with_columns(
        (pl.col("k") > 2).alias("stopped"), (pl.col("chain") == "c001").alias("cut")
    )
    assert limited(tries)["ended"].to_list() == ["continued", "gave_up", "deadline"]


def test_no_limit_changes_no_end() -> None:
    tries = tries_of(attempts("429 ok", "timeout")).with_columns(stopped=pl.lit(value=False), cut=pl.lit(value=False))
    assert limited(tries).equals(tries)
