"""budgets.yaml: what may be spent, by whom, on what, and when that becomes news."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from tokenpnl_analytics.rules.reading import RuleFile, Rules
from tokenpnl_analytics.rules.zones import Zone

WHOLE = "everything"


class Node(StrEnum):
    """The dimensions that a budget may stand on."""

    TENANT = "tenant"
    WORKFLOW = "workflow"
    CUSTOMER = "customer"
    FEATURE = "feature"
    RELEASE = "release"
    ENVIRONMENT = "environment"
    SERVICE = "service"
    STEP = "step"
    MODEL = "model"
    PROVIDER = "provider"
    DEPLOYMENT = "deployment"
    REGION = "region"


_COLUMN = {Node.CUSTOMER: "customer_id", Node.SERVICE: "service_name"}

Values = tuple[str, ...]
Percent = Annotated[int, Field(gt=0, le=1000)]


def _listed(value: object) -> object:
    """Return what YAML holds as a list: a single name stands for a list of one."""
    return [value] if isinstance(value, str) else value


class Selection(Rules):
    """Which usage is meant: all the named dimensions at once, any of the values of each."""

    where: dict[Node, Values] = Field(default_factory=dict, description="Dimension -> one value or a list of values.")

    @field_validator("where", mode="before")
    @classmethod
    def _lists(cls, value: object) -> object:
        return {key: _listed(item) for key, item in value.items()} if isinstance(value, Mapping) else value

    def columns(self) -> dict[str, list[str | None]]:
        """Return the selection by column of the line items; the value `(none)` stands for rows that name nothing."""
        return {
            _COLUMN.get(node, node.value): [None if value == "(none)" else value for value in values]
            for node, values in self.where.items()
        }

    def spelled(self) -> str:
        """Return the selection in words: `workflow support_reply, environment production`."""
        return ", ".join(f"{node} {' or '.join(values)}" for node, values in self.where.items()) or WHOLE


class Thresholds(Rules):
    """Percentages of the amount that are worth telling; of what is spent, and of what is forecast."""

    actual: tuple[Percent, ...] = (50, 80, 100)
    forecast: tuple[Percent, ...] = (50, 80, 100)


class Budget(Selection):
    """One amount a month or quarter for one selection of usage."""

    name: str = Field(min_length=1, max_length=80)
    amount_usd: Annotated[Decimal, Field(gt=0, max_digits=26, decimal_places=12)]
    every: Literal["month", "quarter"] = "month"
    group: str | None = Field(default=None, description="A group of this file, such as a team, instead of `where`.")
    owner: str = Field(default="", description="Who answers for it.")
    from_day: date | None = Field(default=None, alias="from", description="First day; its month or quarter counts.")
    to_day: date | None = Field(default=None, alias="to", description="Last day, included.")
    thresholds: Thresholds = Thresholds()

    @model_validator(mode="after")
    def _sensible(self) -> "Budget":
        if self.group is not None and self.where:
            raise ValueError("a budget stands on a group or on `where`, not on both")
        if self.from_day and self.to_day and self.to_day < self.from_day:
            raise ValueError(f"the budget ends on {self.to_day}, before it begins on {self.from_day}")
        return self

    def within(self, first: date, last: date) -> bool:
        """Return whether the budget is in force on any of the days from the first to the last."""
        return (self.from_day or date.min) <= last and first <= (self.to_day or date.max)


class BudgetsFile(Rules):
    """All budgets, the groups they may name, and the zone in which their months begin."""

    version: Literal[1] = 1
    currency: Literal["USD"] = Field(default="USD", description="Amounts are USD; other currencies are refused.")
    zone: Zone = "UTC"
    groups: dict[str, Selection] = Field(default_factory=dict, description="Name -> selection: teams, products.")
    budgets: tuple[Budget, ...] = ()

    @field_validator("budgets")
    @classmethod
    def _apart(cls, budgets: tuple[Budget, ...]) -> tuple[Budget, ...]:
        """Refuse two budgets of one name that are in force on the same day: nobody could say which one counts."""
        for place, one in enumerate(budgets):
            for other in budgets[:place]:
                starts, ends = (one.from_day, other.from_day), (one.to_day, other.to_day)
                overlap = max(day or date.min for day in starts) <= min(day or date.max for day in ends)
                if one.name == other.name and overlap:
                    raise ValueError(
                        f"two budgets {one.name!r} are in force on the same day; end the older one by `to`"
                    )
        return budgets

    @model_validator(mode="after")
    def _known_groups(self) -> "BudgetsFile":
        missing = sorted({b.group for b in self.budgets if b.group is not None} - set(self.groups))
        if missing:
            known = ", ".join(sorted(self.groups)) or "none"
            raise ValueError(f"no group {', '.join(missing)}; the groups of this file: {known}")
        return self

    def selection(self, budget: Budget) -> Selection:
        """Return what the budget stands on: its own `where`, or that of its group."""
        return budget if budget.group is None else self.groups[budget.group]


BUDGETS = RuleFile("budgets.yaml", BudgetsFile, "Amounts by month or quarter for any part of the spend.")
