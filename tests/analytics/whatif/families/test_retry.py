"""Limits of retries on recorded traffic: what they spare exactly, what they lose at most."""

from datetime import timedelta

import polars as pl
import pytest
from tests.analytics.conftest import START
from tests.analytics.whatif.traffic import traffic

from tokenpnl_analytics.rules.scenario_families import Breaker, Retry, Target
from tokenpnl_analytics.whatif.families.retry import replay
from tokenpnl_analytics.whatif.replay import begun, repriced
from tokenpnl_analytics.whatif.result import Evidence

from .mail import mail


def test_two_attempts_spare_the_third_and_lose_at_most_what_it_answered() -> None:
    baseline = mail()
    found = replay(baseline, begun(baseline), Retry(name="two", max_attempts=2))
    gone = found.attempts.filter(~pl.col("kept"))
    assert gone.height == found.measured["hazards"].filter(pl.col("k") == 3)["made"].sum()
    spared = baseline.attempts["cost_usd"].sum() - repriced(found.attempts, baseline.card)["cost_usd"].sum()
    assert spared == gone["cost_usd"].sum()
    assert found.success is not None
    assert (found.success.value, found.success.high) == (None, 0.0)
    assert -0.03 < found.success.low < 0
    assert found.success_evidence is Evidence.BOUNDED


def test_as_many_attempts_as_were_made_change_nothing() -> None:
    found = replay(mail(), begun(mail()), Retry(name="three", max_attempts=3))
    assert found.attempts["kept"].all()
    assert found.success is not None
    assert found.success.value == 0.0


@pytest.mark.parametrize("limits", [{"max_attempts": 4}, {"timeout_ms": 60_000.0}], ids=["attempts", "timeout"])
def test_more_than_was_ever_tried_is_refused(limits: dict[str, float]) -> None:
    found = replay(mail(), begun(mail()), Retry.model_validate({"name": "more", **limits}))
    assert "not identifiable" in str(found.refused_because)
    assert found.attempts["kept"].all()


def test_hazards_of_stubborn_calls_fall() -> None:
    found = replay(mail(), begun(mail()), Retry(name="two", max_attempts=2))
    assert found.measured["hazards"]["hazard"].is_sorted(descending=True)


def test_a_shorter_timeout_saves_between_nothing_and_all_it_cuts() -> None:
    found = replay(mail(), begun(mail()), Retry(name="fast", timeout_ms=3000.0))
    assert found.saving_range is not None
    assert found.saving_range[0] == 0 < found.saving_range[1]


def test_giving_up_on_an_error_ends_the_call_there() -> None:
    throttled = mail().attempts.filter(pl.col("http_status") == 429)["error_type"][0]
    found = replay(mail(), begun(mail()), Retry(name="no", give_up_on=(throttled,)))
    after_it = mail().attempts.filter(pl.col("http_status") == 429, pl.col("superseded"))
    assert (~found.attempts["kept"]).sum() >= after_it.height


def test_a_breaker_spares_attempts_during_failures() -> None:
    breaker = Breaker(after_failures=2, open_s=timedelta(minutes=10).total_seconds())
    assert not replay(mail(), begun(mail()), Retry(name="open", breaker=breaker)).attempts["kept"].all()


def test_other_fallbacks_leave_success_open() -> None:
    other = Retry(name="other", fallbacks=(Target(model="mistral-small-2603", provider="mistral"),))
    found = replay(mail(), begun(mail()), other)
    assert (found.success, found.success_evidence) == (None, Evidence.NOT_IDENTIFIABLE)
    # It was never asked first, so nothing is known of it there.
    known = found.measured["fallbacks"].select("model", "place", "n_first", "first_share", "evidence").row(0)
    assert known == ("mistral-small-2603", 1, 0, None, "not_identifiable")


def test_bounds_of_what_is_answered_fall_with_the_limit() -> None:
    reached = replay(mail(), begun(mail()), Retry(name="one", max_attempts=1)).measured["reached"]
    before, after = (reached.filter(pl.col("limits") == name) for name in ("before", "after"))
    assert after.height == 1
    assert after.row(0) == before.row(0)[:-1] + ("after",)
    assert before["if_stopped_fail"][-1] > after["if_stopped_fail"][-1]


def test_an_attempt_has_its_number_in_its_call_whichever_attempts_are_meant() -> None:
    first = {"call_key": "k", "status": "error", "superseded": True, "started_at": START - timedelta(minutes=1)}
    baseline = traffic(first, {"call_key": "k", "model": "gpt-4o-mini", "attempt_reason": "fallback"})
    once = Retry.model_validate({"name": "once", "max_attempts": 1, "where": {"model": "gpt-4o-mini"}})
    assert replay(baseline, begun(baseline), once).attempts["kept"].to_list() == [True, False]
