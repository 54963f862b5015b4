"""agents.yaml: the contract of each agent between product and system: its model, its tools, its limits."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from tokenpnl_analytics.rules.reading import RuleFile, Rules

Name = Annotated[str, Field(min_length=1, max_length=200)]
Count = Annotated[int, Field(ge=1)]


class Clause(StrEnum):
    """The clauses of a contract that traces can break; the word is its key in the file."""

    MAX_STEPS = "max_steps"
    MAX_INPUT_TOKENS = "max_input_tokens"
    MAX_OUTPUT_TOKENS = "max_output_tokens"
    MAX_USD = "max_usd"
    MAX_WALL_S = "max_wall_s"
    MODEL = "model"
    TOOLS = "tools"
    TIMEOUT_MS = "timeout_ms"
    RETRIES = "retries"
    OUTPUT_SCHEMA = "output_schema"


class Stored(StrEnum):
    """What of prompts and answers may be kept."""

    NEVER = "never"
    REDACTED = "redacted"
    FULL = "full"


class Tool(Rules):
    """A tool that the agent may use."""

    name: Name
    timeout_ms: Count | None = Field(default=None, description="Longest execution.")
    retries: int | None = Field(default=None, ge=0, description="Executions with the same arguments after a failure.")
    requires_human_approval: bool = Field(default=False, description="Somebody has to agree before it is executed.")


class Limits(Rules):
    """How far one run of the agent may go; what is left out is without a limit."""

    max_steps: Count | None = Field(default=None, description="Model calls and tool executions of a run.")
    max_input_tokens: Count | None = Field(default=None, description="Input of one request to a model, cache included.")
    max_output_tokens: Count | None = Field(default=None, description="Output of one request, reasoning included.")
    max_usd: Decimal | None = Field(default=None, gt=0, description="Effective cost of a run's steps.")
    max_wall_s: Decimal | None = Field(default=None, gt=0, description="Seconds from the agent's start to its end.")


class Logging(Rules):
    """What has to be recorded of the agent's work."""

    trace_id: bool = True
    store_prompts: Stored = Stored.NEVER


class AgentContract(Rules):
    """What one agent may do, and how far it may go."""

    agent: Name = Field(description="The agent's name in the traces; where none is named, the workflow.")
    model: Name | None = Field(default=None, description="Model that it answers with; dated versions of it fit.")
    output_schema: Name | None = Field(default=None, description="Schema that every answer has to fit.")
    tools: tuple[Tool, ...] = Field(default=(), description="The only tools it may use; none listed: any.")
    limits: Limits = Field(default_factory=Limits)
    logging: Logging = Field(default_factory=Logging)

    @model_validator(mode="after")
    def _tools_once(self) -> "AgentContract":
        names = [tool.name for tool in self.tools]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"a tool stands once; {', '.join(twice)} stands again")
        return self


class AgentsFile(Rules):
    """The contracts of a home's agents."""

    agents: tuple[AgentContract, ...] = ()

    @model_validator(mode="after")
    def _agents_once(self) -> "AgentsFile":
        names = [one.agent for one in self.agents]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"an agent has one contract; {', '.join(twice)} has more")
        return self


AGENTS = RuleFile("agents.yaml", AgentsFile, "What each agent may do and how far it may go; breaches are priced.")
