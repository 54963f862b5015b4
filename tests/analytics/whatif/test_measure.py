"""From a replay to a result: what is known is exact, what nobody tried is said to be unknown."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from tests.analytics.conftest import START
from tests.analytics.whatif.traffic import many, traffic

from tokenpnl_analytics.rules.scenario_families import Reprice, Swap
from tokenpnl_analytics.whatif.baseline import Baseline
from tokenpnl_analytics.whatif.families.registry import replayed
from tokenpnl_analytics.whatif.measure import Scope, measured
from tokenpnl_analytics.whatif.replay import begun
from tokenpnl_analytics.whatif.result import Evidence, Result

SWAP = Swap.model_validate({"name": "mini", "to": {"model": "gpt-4o-mini", "provider": "openai"}})
CHEAPER = Reprice.model_validate({"name": "less", "rules": [{"discount_pct": 10}]})
EVERYTHING = Scope("it", "swap", pl.lit(value=True))


def forty() -> Baseline:
    """Forty runs of $3.50 by forty customers; thirty succeed."""
    runs: list[dict[str, Any]] = [
        {
            "customer_id": f"c{k}",
            "outcome": "success" if k < 30 else "failure",
            "outcome_at": START + timedelta(hours=1),
            "outcome_source": "user",
            "cost_usd": Decimal("3.50"),
        }
        for k in range(40)
    ]
    attempts = [row | {"customer_id": f"c{k}"} for k, row in enumerate(many(40))]
    return traffic(*attempts, runs=runs)


def result_of(scenario: Any, baseline: Baseline) -> Result:
    return measured(baseline, replayed(baseline, begun(baseline), scenario), EVERYTHING)


def test_the_saving_is_exact_and_before_is_saving_plus_after() -> None:
    found = result_of(SWAP, forty())
    assert (found.before_usd, found.saving_usd, found.after_usd) == (140, Decimal("131.60"), Decimal("8.40"))
    assert found.saving.value == 131.6
    assert "not the assumption" in found.saving.method


def test_a_discount_lowers_cost_per_success_by_itself() -> None:
    found = result_of(CHEAPER, forty())
    assert found.cost_per_success_before.value == pytest.approx(140 / 30)
    assert found.cost_per_success_after.value == pytest.approx(126 / 30)
    assert found.success.value == 0


def test_where_nobody_tried_it_a_success_costs_at_least_what_it_would_if_all_succeeded() -> None:
    found = result_of(SWAP, forty())
    after = found.cost_per_success_after
    assert (after.value, after.high) == (None, None)
    assert after.low == pytest.approx(8.40 / 40)
    # 0.21 a run over 4.667 a success: at 4.5% of runs, a success is dearer than now.
    assert any("more than 4% of these runs" in caveat for caveat in found.caveats)
    assert found.success.refused_because is not None


def test_the_runs_wanted_follow_from_share_and_margin() -> None:
    # (1.96 + 0.8416)^2 x 2 x .75 x .25 / .02^2 = 7,358.
    assert result_of(SWAP, forty()).n_wanted == pytest.approx(7358, abs=2)


def test_a_change_to_a_model_without_a_price_is_refused() -> None:
    found = result_of(SWAP.model_copy(update={"to": SWAP.to.model_copy(update={"model": "nothing"})}), forty())
    assert found.saving_usd is None
    assert found.saving.refused_because is not None
    assert found.priced_share == 0.0


def test_a_refusal_of_a_family_has_no_figure() -> None:
    baseline = forty()
    nothing = replace(replayed(baseline, begun(baseline), SWAP), refused_because="no reason")
    found = measured(baseline, nothing, EVERYTHING)
    assert (found.saving_usd, found.after_usd, found.n_calls) == (None, None, 0)
    assert found.cost_per_success_after.refused_because == "no reason"


def test_one_cluster_gives_a_figure_without_an_interval() -> None:
    found = result_of(CHEAPER, traffic({}))
    assert (found.saving.value, found.saving.low, found.saving.high) == (0.35, None, None)
    assert found.evidence is Evidence.RECOMPUTED
