"""allocation.yaml: who pays for which cost, and how shared cost is split."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from tokenpnl_analytics.rules.line_match import Globs, LineMatch
from tokenpnl_analytics.rules.reading import RuleFile, Rules

LEVELS = ("org", "team", "product")
Name = Annotated[str, Field(min_length=1, max_length=80, pattern="^[^/]+$")]
Percent = Annotated[Decimal, Field(ge=0, le=100)]


class Split(StrEnum):
    """How a shared cost is split among its owners."""

    EVEN = "even"
    TOKENS = "tokens"
    COST = "cost"
    FIXED = "fixed"


class Owner(Rules):
    """Who pays: a place in the hierarchy org, team, product; below it stand workflow and customer."""

    org: Name | None = None
    team: Name | None = None
    product: Name | None = None

    @model_validator(mode="after")
    def _without_gaps(self) -> "Owner":
        given = [level for level in LEVELS if getattr(self, level) is not None]
        if tuple(given) != LEVELS[: len(given)] or not given:
            raise ValueError("an owner is an org, or an org and a team, or an org, a team and a product")
        return self

    @property
    def path(self) -> str:
        """The owner in one line: `Acme/Support/Helpdesk`."""
        return "/".join(getattr(self, level) for level in LEVELS if getattr(self, level) is not None)


class Share(Rules):
    """How the cost that a rule is for is shared.

    `even` gives each owner the same, `tokens` and `cost` go by what owners used themselves in the period, `fixed` by
    stated percentages, of which what is missing to 100 stays unallocated.
    """

    split: Split
    among: Globs = Field(default=("*",), description="Owners by path, such as Acme/Support/*; default: all.")
    within: Literal["pool", "provider", "model", "environment", "deployment"] | None = Field(
        default=None, description="Count only what owners used of the same pool, provider, ..."
    )
    percent: dict[str, Percent] = Field(default_factory=dict, description="With fixed: owner's path -> percent.")

    @model_validator(mode="after")
    def _fixed_has_percent(self) -> "Share":
        if (self.split is Split.FIXED) != bool(self.percent):
            raise ValueError("`percent` belongs to `split: fixed`, and that needs it")
        if (total := sum(self.percent.values(), Decimal(0))) > 100:
            raise ValueError(f"the percentages sum to {total}, which is more than 100")
        return self

    @field_validator("percent")
    @classmethod
    def _paths(cls, percent: dict[str, Decimal]) -> dict[str, Decimal]:
        wrong = [path for path in percent if not all(path.split("/")) or path.count("/") >= len(LEVELS)]
        if wrong:
            raise ValueError(f"owners are written org/team/product, not {', '.join(wrong)}")
        return percent


class AllocationRule(LineMatch):
    """The line items that it is for, and either their owner or how they are shared."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    owner: Owner | None = None
    share: Share | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "AllocationRule":
        if (self.owner is None) == (self.share is None):
            raise ValueError("a rule names an owner, or says how the cost is shared: one of both")
        return self


class AllocationFile(Rules):
    """The rules, of which the first that fits a line item counts; what fits none is unallocated and shown as such."""

    version: str = Field(default="", max_length=40, description="Printed on everything that was allocated by the file.")
    target_unallocated_percent: Percent = Decimal(5)
    rules: tuple[AllocationRule, ...] = ()

    @field_validator("rules")
    @classmethod
    def _named_apart(cls, rules: tuple[AllocationRule, ...]) -> tuple[AllocationRule, ...]:
        names = [rule.name for rule in rules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two rules are named {', '.join(twice)}; a report tells rules apart by name")
        return rules


ALLOCATION = RuleFile("allocation.yaml", AllocationFile, "Owners of cost, and how shared cost is split.")

TEMPLATE = """\
# Who pays for which cost. The first rule that fits a line item counts; what fits none stays visible as unallocated.
# Patterns: tenant, workflow, customer, feature, environment, release, service, step, provider, model, deployment, pool,
# kind, charge, category, evaluation. "*" and "?" are wildcards, "(none)" is what names nothing.
version: "1"
target_unallocated_percent: 5

rules:
  - {name: support, workflow: support_*, owner: {org: Acme, team: Support, product: Helpdesk}}
  - {name: finance, workflow: [invoice_*, contract_*], owner: {org: Acme, team: Finance, product: Back office}}
  - {name: idle GPUs, category: idle_capacity, share: {split: cost, within: pool}}
  - {name: platform, workflow: [platform_*, (none)], share: {split: tokens}}
"""
"""Rules to begin with."""
