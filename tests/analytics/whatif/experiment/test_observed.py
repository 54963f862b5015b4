from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from tokenpnl_analytics.whatif.experiment.observed import observed_change

START = datetime(2026, 10, 1, tzinfo=UTC)
CHANGED = START + timedelta(days=21, hours=9)


def runs(factor, *, trend=0.0, days=42, season=0.0, seed=1):
    chance, rows = np.random.default_rng(seed), []
    for day in range(days):
        for name in ("touched", "left"):
            moved = (factor if day > 21 else 1.0) * np.exp(trend * day) if name == "touched" else 1.0
            cost = moved * np.exp(season * day) * chance.lognormal(0, 0.1, 40).mean()
            rows.append((name, START + timedelta(days=day, hours=3), float(cost)))
    return pl.DataFrame(rows, schema=["workflow", "started_at", "cost_usd"], orient="row")


def observed(frame):
    return observed_change(frame, CHANGED, touched="touched", untouched=["left"])


def test_what_untouched_workflows_did_too_is_not_counted():
    found = observed(runs(0.8, season=0.05))
    assert found.value == pytest.approx(0.2, abs=0.02)


def test_the_interval_of_an_observed_change_holds_the_truth_about_as_often_as_it_says():
    told = [observed(runs(0.8, seed=seed)) for seed in range(60)]
    given = [one for one in told if one.value is not None]  # one in twenty shows a trend by chance
    assert len(given) >= 52
    assert sum(one.low < 0.2 < one.high for one in given) >= 0.87 * len(given)


def test_a_change_for_the_worse_is_shown_as_a_loss():
    assert observed(runs(1.3)).high < 0


def test_a_workflow_that_moved_apart_before_has_no_reading():
    found = observed(runs(0.8, trend=-0.03))
    assert found.value is None
    assert "before the change" in found.refused_because


def test_few_days_have_no_reading():
    assert "are needed" in observed(runs(0.8, days=25)).refused_because
