"""agents.yaml: the contract of an agent, in the shape in which product and system agree on it."""

from decimal import Decimal

import pytest

from tokenpnl.errors import ConfigurationError
from tokenpnl_analytics.rules.agents import AGENTS, Clause, Limits, Stored
from tokenpnl_analytics.rules.registry import RULE_FILES

AGREED = """
agents:
  - agent: order_assistant
    model: gpt-4.1
    output_schema: OrderDraft
    tools:
      - {name: inventory.lookup, timeout_ms: 1500, retries: 1}
      - {name: payments.create_intent, timeout_ms: 2000, retries: 0, requires_human_approval: true}
    limits: {max_steps: 6, max_input_tokens: 8000, max_output_tokens: 800, max_usd: 0.25, max_wall_s: 60}
    logging: {trace_id: true, store_prompts: redacted}
"""


def test_a_contract_holds_what_product_and_system_agreed_on() -> None:
    (found,) = AGENTS.parse(AGREED).agents
    assert (found.agent, found.model, found.output_schema) == ("order_assistant", "gpt-4.1", "OrderDraft")
    assert [(tool.timeout_ms, tool.retries, tool.requires_human_approval) for tool in found.tools] == [
        (1500, 1, False),
        (2000, 0, True),
    ]
    assert (found.limits.max_steps, found.limits.max_usd) == (6, Decimal("0.25"))
    assert found.logging.store_prompts is Stored.REDACTED


def test_every_limit_is_a_clause() -> None:
    assert set(Limits.model_fields) <= {clause.value for clause in Clause}


def test_the_file_is_one_of_those_that_the_product_reads() -> None:
    assert AGENTS in RULE_FILES
    assert AGENTS.parse("").agents == ()


def test_two_contracts_of_one_agent_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="an agent has one contract; a has more"):
        AGENTS.parse("agents: [{agent: a}, {agent: a}]")


def test_a_tool_that_stands_twice_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="a tool stands once; t stands again"):
        AGENTS.parse("agents: [{agent: a, tools: [{name: t}, {name: t}]}]")


def test_a_limit_of_nothing_is_refused_with_its_line() -> None:
    with pytest.raises(ConfigurationError, match=r"agents.yaml:2: .*max_steps"):
        AGENTS.parse("agents:\n  - {agent: a, limits: {max_steps: 0}}\n")
