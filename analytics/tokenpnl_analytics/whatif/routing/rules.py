"""Routers by rule: the first rule that fits a task names its model. Intent, risk, step, context length, tenant."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import polars as pl
from pydantic import NonNegativeInt

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.rules.line_match import Globs, fitting
from tokenpnl_analytics.rules.reading import RuleFile, Rules
from tokenpnl_analytics.whatif.routing.table import usd_per_success


class TaskRule(Rules):
    """Which tasks go to which model: every dimension that is given must fit one of its patterns.

    `intent`, `risk`, `step`, `tenant`: wildcards on the column of that name. `context_from`, `context_below`: input
    tokens in [from, below), column `context_tokens`. `model`: whom to ask.
    """

    model: str
    intent: Globs = ()
    risk: Globs = ()
    step: Globs = ()
    tenant: Globs = ()
    context_from: NonNegativeInt | None = None
    context_below: NonNegativeInt | None = None

    def condition(self, columns: Sequence[str]) -> pl.Expr:
        """Return whether the rule fits a row.

        Raises:
            RefusedInputError: the table does not have a column that the rule names.
        """
        named = {name: getattr(self, name) for name in ("intent", "risk", "step", "tenant") if getattr(self, name)}
        by_length = self.context_from is not None or self.context_below is not None
        missing = [name for name in (*named, *(["context_tokens"] if by_length else [])) if name not in columns]
        if missing:
            raise RefusedInputError(f"a rule for {self.model!r} looks at {missing[0]!r}, which the table does not have")
        conditions = [fitting(pl.col(name), patterns) for name, patterns in named.items()]
        if self.context_from is not None:
            conditions.append((pl.col("context_tokens") >= self.context_from).fill_null(value=False))
        if self.context_below is not None:
            conditions.append((pl.col("context_tokens") < self.context_below).fill_null(value=False))
        return pl.all_horizontal(pl.lit(value=True), *conditions)


class TaskRules(Rules):
    """A router by rule: `rules` in order, the first that fits a task counts; `otherwise` is the model of all others."""

    rules: tuple[TaskRule, ...]
    otherwise: str


TASK_RULES = RuleFile("routes.yaml", TaskRules, "Which tasks of a table go to which model, to be judged on it.")


@dataclass(frozen=True)
class PolicyValue:
    """What a policy would have come to on recorded tasks.

    Attributes:
        tasks: a row per task: `task`, `model` chosen, `success`, `cost_usd` (NULL where that pair was never recorded).
        n: tasks.
        n_uncovered: tasks whose chosen model has no recorded answer.
        success_low: success share if no uncovered task succeeded; it is the success share where all are covered.
        success_high: success share if all of them did.
        usd_per_success: cost over successes; None: some task is uncovered, or nothing succeeded.
        refused_because: why there is no point estimate.
    """

    tasks: pl.DataFrame
    n: int
    n_uncovered: int
    success_low: float
    success_high: float
    usd_per_success: Decimal | None
    refused_because: str | None = None


def value_by_rules(tasks: pl.DataFrame, rules: Sequence[TaskRule], otherwise: str) -> PolicyValue:
    """Return what the rules would have come to on a table where every model answered every task.

    Args:
        tasks: result of `tasks_of`; the columns that rules look at must be the same for all rows of a task.
        rules: in order; the first that fits counts.
        otherwise: the model of tasks that no rule fits.

    Raises:
        RefusedInputError: a rule looks at a column that the table does not have.
    """
    model: pl.Expr = pl.lit(otherwise)
    for rule in reversed(rules):
        model = pl.when(rule.condition(tasks.columns)).then(pl.lit(rule.model)).otherwise(model)
    wanted = tasks.unique("task", keep="first", maintain_order=True).select("task", model.alias("model"))
    found = wanted.join(
        tasks.select("task", "model", "success", "cost_usd"), on=["task", "model"], how="left", maintain_order="left"
    )
    return _valued(found)


def _valued(found: pl.DataFrame) -> PolicyValue:
    n, uncovered = found.height, found["success"].null_count()
    successes = float(found["success"].sum())
    per_success = found.select(usd_per_success(pl.col("cost_usd").sum(), pl.col("success").sum())).item()
    why = f"{uncovered} of {n} tasks have no recorded answer of the model that the policy asks" if uncovered else None
    return PolicyValue(
        found, n, uncovered, successes / n, (successes + uncovered) / n, None if uncovered else per_success, why
    )
