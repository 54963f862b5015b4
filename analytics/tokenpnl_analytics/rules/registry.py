"""Every rule file that the product reads, in the order in which one meets them."""

from typing import Any

from tokenpnl_analytics.rules.accounts import ACCOUNTS
from tokenpnl_analytics.rules.agents import AGENTS
from tokenpnl_analytics.rules.alerts import ALERTS
from tokenpnl_analytics.rules.allocation import ALLOCATION
from tokenpnl_analytics.rules.budgets import BUDGETS
from tokenpnl_analytics.rules.close import CLOSE
from tokenpnl_analytics.rules.commitments import COMMITMENTS
from tokenpnl_analytics.rules.experiments import EXPERIMENT
from tokenpnl_analytics.rules.gpus import GPUS
from tokenpnl_analytics.rules.labels import LABELS
from tokenpnl_analytics.rules.outcomes import OUTCOMES
from tokenpnl_analytics.rules.policy import POLICY
from tokenpnl_analytics.rules.prices import ALIASES, CONTRACT, FX, LITELLM, OVERRIDE
from tokenpnl_analytics.rules.reading import RuleFile
from tokenpnl_analytics.rules.reconciliation import RECONCILIATION
from tokenpnl_analytics.rules.scenarios import SCENARIOS

RULE_FILES: tuple[RuleFile[Any], ...] = (
    CONTRACT,
    OVERRIDE,
    ALIASES,
    LITELLM,
    FX,
    GPUS,
    COMMITMENTS,
    BUDGETS,
    ALERTS,
    OUTCOMES,
    ALLOCATION,
    ACCOUNTS,
    RECONCILIATION,
    CLOSE,
    AGENTS,
    LABELS,
)
"""Files that lie in the configuration folder under their own names."""

HANDED_FILES: tuple[RuleFile[Any], ...] = (SCENARIOS, POLICY, EXPERIMENT)
"""Files that are handed to a verb, or written by one, under any name."""
