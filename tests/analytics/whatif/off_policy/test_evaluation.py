from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.whatif.off_policy.evaluation import Question, contrast, evaluate
from tokenpnl_analytics.whatif.off_policy.logged import with_target
from tokenpnl_analytics.whatif.result import Evidence

ADVANTAGE = 0.146
ARMS = ("strong", "cheap")


def routed(propensity, hard, *, advantage=ADVANTAGE, seed=7):
    """Runs in clusters of three; strong succeeds `advantage` more often whatever the task; hard tasks fail more."""
    chance = np.random.default_rng(seed)
    strong = chance.random(len(hard)) < propensity
    # 0.85 on the easiest and 0.05 on the hardest task: the advantage stays a probability everywhere.
    easy = 0.05 + 0.8 / (1 + np.exp(3 * hard))
    won = chance.random(len(hard)) < easy + advantage * strong
    return pl.DataFrame(
        {
            "route_arm": np.where(strong, *ARMS),
            "reward": won.astype(float),
            "cost": np.where(strong, 0.10, 0.01),
            "cluster": np.arange(len(hard)) // 3,
            "hard": hard,
            "propensity": np.where(strong, propensity, 1 - propensity),
        }
    )


def hardness(n=9000, seed=3):
    return np.random.default_rng(seed).choice([-1.0, 1.0], n) + np.random.default_rng(seed + 1).uniform(-0.3, 0.3, n)


def noisy(hard):
    return 0.155 + 0.69 / (1 + np.exp(-4 * hard))


def plain_difference(runs):
    means = dict(runs.group_by("route_arm").agg(pl.col("reward").mean()).rows())
    return means["strong"] - means["cheap"]


def chance():
    return np.random.default_rng(1)


def always(runs, arm):
    return with_target(runs.with_columns(pl.lit(arm).alias("wanted")), "wanted")


def test_hard_tasks_sent_to_the_strong_model_do_not_make_it_look_worse():
    hard = hardness()
    runs = routed(noisy(hard), hard)
    assert plain_difference(runs) == pytest.approx(-0.33, abs=0.03)
    found, evidence, sensitivity = contrast(runs, ARMS, Question(inputs=("hard",)), chance=chance())
    assert evidence is Evidence.ESTIMATED
    assert 0 < found.low < ADVANTAGE < found.high
    assert 1.0 < sensitivity.sign_lost_at < 5.0
    logged = runs.rename({"propensity": "route_propensity"})
    found, evidence, sensitivity = contrast(logged, ARMS, chance=chance())
    assert 0 < found.low < ADVANTAGE < found.high
    assert sensitivity is None


def test_a_deterministic_router_is_bounded():
    hard = hardness()
    runs = routed((hard > 0).astype(float), hard)
    found, evidence, _ = contrast(runs, ARMS, Question(inputs=("hard",)), chance=chance())
    assert evidence is Evidence.BOUNDED
    assert found.value is None
    assert found.low < ADVANTAGE < found.high
    assert "never or hardly ever tried" in found.refused_because


def test_an_unlogged_input_widens_the_interval_by_lambda():
    # The router looked at `hidden` too, which moves the odds of the strong arm by a factor of 2 either way.
    hard, hidden = hardness(), np.random.default_rng(5).choice([-1.0, 1.0], 9000)
    odds = np.exp(hard + np.log(2) * hidden)
    runs = routed(odds / (1 + odds), hard + 0.6 * hidden).with_columns(pl.Series("hard", hard))
    narrow, _, sensitivity = contrast(runs, ARMS, Question(inputs=("hard",)), chance=chance())
    wide, _, _ = contrast(runs, ARMS, Question(inputs=("hard",), hidden_odds=2.0), chance=chance())
    assert narrow.high < ADVANTAGE  # without the input the strong model still looks worse than it is
    assert wide.low < narrow.low
    assert wide.low < ADVANTAGE < wide.high
    assert sensitivity.sign_lost_at < 2.0


def test_without_confounding_nothing_changes():
    hard = hardness()
    runs = routed(np.full(9000, 0.5), hard)
    found, evidence, _ = contrast(runs, ARMS, Question(inputs=("hard",)), chance=chance())
    assert evidence is Evidence.ESTIMATED
    assert found.value == pytest.approx(plain_difference(runs), abs=0.01)
    assert found.low < ADVANTAGE < found.high


def test_a_route_that_nobody_explained_has_bounds_only():
    hard = hardness()
    found, evidence, _ = contrast(routed(noisy(hard), hard), ARMS, chance=chance())
    assert evidence is Evidence.BOUNDED
    assert found.refused_because.startswith("neither probabilities nor inputs")
    assert found.low < ADVANTAGE < found.high


def test_a_target_that_is_the_log_changes_nothing():
    hard = hardness()
    runs = routed(np.full(9000, 0.5), hard).with_columns(
        pl.lit(0.5).alias("route_propensity"), *(pl.lit(0.5).alias(f"target:{arm}") for arm in ARMS)
    )
    found = evaluate(runs, chance=chance())
    assert found.evidence is Evidence.ESTIMATED
    assert found.success_change.low < 0 < found.success_change.high
    assert found.success.value == pytest.approx(runs["reward"].mean(), abs=0.003)
    assert found.cost.value == pytest.approx(runs["cost"].mean(), rel=0.02)
    assert found.overlap.ess == pytest.approx(9000)


def test_cost_per_success_of_the_cheap_model_with_its_interval():
    hard = hardness()
    runs = routed(noisy(hard), hard).rename({"propensity": "route_propensity"})
    found = evaluate(always(runs, "cheap"), Question(inputs=("hard",)), chance=chance())
    truth = float(np.mean(0.05 + 0.8 / (1 + np.exp(3 * hard))))
    assert found.success.low < truth < found.success.high
    assert found.cost.value == pytest.approx(0.01)
    assert found.cost_per_success.low < 0.01 / truth < found.cost_per_success.high


def test_money_of_the_books_is_taken_as_it_is():
    hard = hardness()
    runs = routed(noisy(hard), hard).rename({"propensity": "route_propensity"})
    money = runs.with_columns(pl.col("cost").cast(pl.Decimal(38, 12)))
    assert money["cost"][0] in {Decimal("0.1"), Decimal("0.01")}
    assert evaluate(always(money, "cheap"), chance=chance()) == evaluate(always(runs, "cheap"), chance=chance())


def test_a_model_that_was_never_used_is_not_identifiable():
    runs = routed(np.full(9000, 0.5), hardness()).rename({"propensity": "route_propensity"})
    found = evaluate(always(runs, "newest"), chance=chance())
    assert found.evidence is Evidence.NOT_IDENTIFIABLE
    assert (found.success.low, found.success.high) == (0.0, 1.0)


def test_runs_without_outcome_enter_as_failures_and_as_successes():
    runs = routed(np.full(9000, 0.5), hardness()).rename({"propensity": "route_propensity"})
    holes = runs.with_columns(pl.when(pl.int_range(pl.len()) % 10 > 0).then("reward").alias("reward"))
    found = evaluate(always(holes, "strong"), chance=chance())
    assert found.success.value is None
    assert "no outcome" in found.success.refused_because
    assert found.success.high - found.success.low > 0.1
    few = runs.with_columns(pl.when(pl.int_range(pl.len()) % 50 > 0).then("reward").alias("reward"))
    whole = evaluate(always(runs, "strong"), chance=chance()).success
    wider = evaluate(always(few, "strong"), chance=chance()).success
    assert wider.high - wider.low == pytest.approx(whole.high - whole.low + 0.02, abs=0.005)


def test_a_target_whose_probabilities_do_not_add_up_is_refused():
    runs = routed(np.full(30, 0.5), hardness(30)).with_columns(pl.lit(0.4).alias("target:cheap"))
    with pytest.raises(RefusedInputError, match="add up to 1"):
        evaluate(runs, chance=chance())


def open_bandit(folder, campaign, items):
    frame = pl.read_csv(
        folder / "reference/open_bandit/bts" / campaign / f"{campaign}.csv",
        columns=["item_id", "position", "click", "propensity_score"],
    )
    return frame.select(
        pl.col("item_id").cast(pl.String).alias("route_arm"),
        pl.col("propensity_score").alias("route_propensity"),
        pl.col("click").alias("reward"),
        pl.lit(1.0).alias("cost"),
        pl.int_range(pl.len()).alias("cluster"),
        *(pl.lit(1 / items).alias(f"target:{item}") for item in range(items)),
    )


def test_open_bandit_men_has_too_few_effective_successes(shared_data):
    found = evaluate(open_bandit(shared_data, "men", 34), chance=chance())
    assert (round(found.overlap.ess), round(found.overlap.ess_successes)) == (656, 15)
    assert found.success.value is None
    assert "the weighted successes are worth 15" in found.success.refused_because
    assert found.overlap.clipped_at is None
    random = pl.read_csv(shared_data / "reference/open_bandit/random/men/men.csv", columns=["click"])["click"].mean()
    assert random == pytest.approx(0.0046)
    assert found.success.low < random < found.success.high


def test_open_bandit_women_is_clipped(shared_data):
    found = evaluate(open_bandit(shared_data, "women", 46), chance=chance())
    assert round(found.overlap.ess) == 2
    assert found.overlap.max_weight == pytest.approx(1 / 46 / 1e-6)
    assert found.overlap.clipped_at == 1e-6
    assert "clipped" in found.success.refused_because
    assert found.evidence is Evidence.BOUNDED
