"""Rules name a model by what is known of a task before it is asked."""

from decimal import Decimal

import polars as pl
import pytest

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.whatif.routing.rules import TaskRule, value_by_rules
from tokenpnl_analytics.whatif.routing.table import tasks_of

from .pairs import table

TASKS = tasks_of(
    table().with_columns(
        pl.when(pl.col("confidence") < 0.5).then(pl.lit("dispute")).otherwise(pl.lit("status")).alias("intent"),
        (pl.col("confidence") * 1000).cast(pl.Int64).alias("context_tokens"),
    )
)


def test_the_first_rule_that_fits_names_the_model() -> None:
    rules = [TaskRule(model="large", intent="disp*"), TaskRule(model="large", intent="*", context_from=900)]
    found = value_by_rules(TASKS, rules, otherwise="small")
    assert found.tasks["model"].to_list() == ["large", "small", "large", "large", "large"]
    assert (found.success_low, found.success_high, found.n_uncovered) == (0.8, 0.8, 0)
    assert found.usd_per_success == Decimal("0.41") / 4


def test_a_range_of_context_begins_with_its_first_and_ends_before_its_last_token() -> None:
    rule = TaskRule(model="large", context_from=200, context_below=800)
    assert value_by_rules(TASKS, [rule], otherwise="small").tasks["model"].to_list() == [
        "small",
        "small",
        "large",
        "large",
        "small",
    ]


def test_a_choice_that_was_never_recorded_gives_bounds() -> None:
    found = value_by_rules(TASKS, [TaskRule(model="huge", intent="status")], otherwise="large")
    assert (found.n_uncovered, found.success_low, found.success_high) == (2, 0.4, 0.8)
    assert found.usd_per_success is None
    assert "2 of 5 tasks" in str(found.refused_because)


@pytest.mark.parametrize("rule", [TaskRule(model="large", risk="high")], ids=["risk"])
def test_a_rule_on_what_the_table_lacks_is_refused(rule: TaskRule) -> None:
    with pytest.raises(RefusedInputError, match="'risk'"):
        value_by_rules(TASKS, [rule], otherwise="small")
