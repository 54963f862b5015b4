"""reconciliation.yaml: which traced usage a provider's account bills, and what a model is called on the invoice."""

from typing import Annotated

from pydantic import Field

from tokenpnl_analytics.rules.line_match import LineMatch
from tokenpnl_analytics.rules.reading import RuleFile, Rules

Name = Annotated[str, Field(min_length=1, max_length=200)]


class BilledTo(LineMatch):
    """The traced usage that one account, project or workspace of a provider is billed for."""

    account: Name = Field(description="As the invoice spells it; `default` is Anthropic's default workspace.")


class ReconciliationFile(Rules):
    """Without accounts every provider is reconciled as one; the first rule that fits a line item counts."""

    accounts: tuple[BilledTo, ...] = ()
    models: dict[Name, Name] = Field(default_factory=dict, description="Name on the invoice -> name in the traces.")


RECONCILIATION = RuleFile(
    "reconciliation.yaml", ReconciliationFile, "Which usage an invoice's accounts bill, and how it spells models."
)
