"""accounts.yaml: which account and cost centre of the general ledger a cost is posted to."""

from typing import Annotated

from pydantic import Field

from tokenpnl_analytics.rules.line_match import LineMatch
from tokenpnl_analytics.rules.reading import RuleFile, Rules

Account = Annotated[str, Field(min_length=1, max_length=40)]


class Posting(LineMatch):
    """Where the line items that it is for are posted."""

    account: Account
    cost_centre: str = Field(default="", max_length=40)
    memo: str = Field(default="", max_length=120)


class Booked(Rules):
    """An account of one purpose."""

    account: Account
    cost_centre: str = Field(default="", max_length=40)
    memo: str = Field(default="", max_length=120)


class AccountsFile(Rules):
    """The account map: in both lists the first rule that fits counts, and no line may fit none.

    `accounts` takes the debit: the kind of cost. `payables` takes the credit: whom it is owed to until the invoice
    is there, by provider as a rule.
    """

    version: str = Field(default="", max_length=40, description="Printed on every entry that was mapped by the file.")
    accounts: tuple[Posting, ...] = ()
    payables: tuple[Posting, ...] = ()
    prepaid: Booked | None = Field(default=None, description="Asset of prepaid credit; needed where there is some.")
    fx_residual: Booked | None = Field(
        default=None, description="Exchange differences of invoices; needed where an invoice has one."
    )


ACCOUNTS = RuleFile("accounts.yaml", AccountsFile, "General ledger account and cost centre of every cost.")

TEMPLATE = """\
# Which account of the general ledger a cost belongs to. In each list the first rule that fits counts.
# Patterns: tenant, workflow, customer, feature, environment, release, service, step, provider, model, deployment, pool,
# kind, charge (Usage, Purchase, Credit, Tax, Adjustment), category, evaluation. "*" and "?" are wildcards, "(none)" is
# what names nothing. A line that fits no rule is an error at close.
version: "1"

accounts: # the debit: production delivery is cost of revenue, experiments are R&D, internal tools are opex
  - {category: evaluation, evaluation: offline, account: "6100", cost_centre: R&D, memo: Offline evaluation}
  - {environment: [dev*, stag*, test*, ci, qa, local], account: "6110", cost_centre: R&D, memo: Development and staging}
  - {workflow: internal_*, account: "6200", cost_centre: G&A, memo: Internal tools}
  - {category: evaluation, account: "5110", cost_centre: COGS, memo: Inline evaluation}
  - {category: idle_capacity, account: "5120", cost_centre: COGS, memo: Idle capacity}
  - {environment: [prod*, (none)], account: "5100", cost_centre: COGS, memo: Model cost of delivery}

payables: # the credit
  - {kind: gpu_time, account: "2310", memo: Infrastructure clearing}
  - {account: "2150", memo: Accrued model cost}

prepaid: {account: "1410", memo: Prepaid model credit} # an asset until it is used
fx_residual: {account: "7100", memo: Exchange differences of invoices}
"""
"""A map to begin with: delivery and inline evaluation are cost of revenue, the rest is R&D or opex."""
