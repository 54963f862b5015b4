"""A cascade on recorded traffic: what it would cost, by recorded scores or a verifier that errs."""

import polars as pl
import pytest

from tokenpnl_analytics.rules.scenario_families import Cascade, Route, RouteRule, Target, Verifier
from tokenpnl_analytics.whatif.families.cascade import replay
from tokenpnl_analytics.whatif.families.route import replay as replay_route
from tokenpnl_analytics.whatif.replay import begun, repriced
from tokenpnl_analytics.whatif.result import Evidence

from .mail import mail

FLASH, PRO = Target(model="deepseek-v4-flash"), Target(model="deepseek-v4-pro")


def cascade(**settings: object) -> Cascade:
    return Cascade.model_validate({"name": "c", "cheap": FLASH, "strong": PRO, **settings})


def cost(scenario: Cascade) -> float:
    return float(repriced(replay(mail(), begun(mail()), scenario).attempts, mail().card)["cost_usd"].sum())


def test_a_higher_threshold_costs_more() -> None:
    costs = [cost(cascade(threshold=threshold)) for threshold in (0.0, 0.5, 1.0)]
    assert costs == sorted(costs)
    assert costs[0] < costs[2]


def test_a_cascade_that_never_goes_on_costs_what_the_cheap_model_does() -> None:
    found = replay(mail(), begun(mail()), cascade(threshold=0.0))
    recorded = found.attempts.filter(
        pl.col("touched_by") == "c", ~pl.col("changed"), pl.col("confidence").is_not_null()
    )
    assert recorded["extra_usd"].sum() == 0


def test_what_a_cascade_does_to_success_is_not_identifiable() -> None:
    found = replay(mail(), begun(mail()), cascade(threshold=0.5))
    assert (found.evidence, found.success_evidence) == (Evidence.ASSUMED, Evidence.NOT_IDENTIFIABLE)
    low, high = found.saving_range or (0, 0)
    assert low < high


def test_a_perfect_verifier_is_called_a_ceiling() -> None:
    found = replay(mail(), begun(mail()), cascade(verifier=Verifier(tpr=1, fpr=0), cheap_correct_share=0.75))
    assert "ceiling" in found.caveats[0]
    assert "25%" in found.assumptions[0]


def test_the_score_of_another_model_says_nothing_of_the_cheap_one() -> None:
    baseline = mail()
    routed = replay_route(baseline, begun(baseline), Route(name="cheap", rules=(RouteRule(to=FLASH),))).attempts
    alone, after = (replay(baseline, frame, cascade(threshold=0.5)) for frame in (begun(baseline), routed))
    assert after.assumptions[0] == alone.assumptions[0]
    # What the route moved goes on by the measured share, not by the strong model's own scores.
    spent = after.attempts.filter(pl.col("changed"), pl.col("confidence").is_not_null())["extra_usd"]
    assert spent.len() > 0
    assert (spent > 0).all()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"threshold": 0.5, "score": "entropy"}, "not recorded"),
        ({"threshold": 0.5, "cheap": Target(model="mistral-small-2603")}, "no answer of"),
        ({"verifier": Verifier(tpr=0.9, fpr=0.2)}, "cheap_correct_share"),
    ],
    ids=["score", "model", "verifier"],
)
def test_what_was_never_recorded_is_refused(settings: dict[str, object], words: str) -> None:
    found = replay(mail(), begun(mail()), cascade(**settings))
    assert words in str(found.refused_because)
