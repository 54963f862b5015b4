"""`policy.yaml`: what each step of each workflow shall do, in words of no gateway. Written by `whatif apply`."""

from typing import Literal

from pydantic import Field

from tokenpnl_analytics.rules.reading import RuleFile, Rules
from tokenpnl_analytics.rules.scenario_families import CallMatch, Cascade, Count, Positive, RouteRule, Target


class ResponseCachePolicy(Rules):
    """Answers that are reused for equal requests."""

    ttl_s: Positive | None = None
    capacity: Count | None = None
    eviction: str = "lru"
    shared_by: Literal["customer", "tenant"] = "customer"


class StepPolicy(Rules):
    """What one step shall do; what is not said stays as the program has it."""

    workflow: str | None = None
    step: str
    serve: Target = Field(description="Model and provider.")
    service_tier: str | None = Field(default=None, description="batch: within a day, for steps that nobody waits for.")
    region: str | None = None
    fallbacks: tuple[Target, ...] = Field(default=(), description="Tried in this order when `serve` fails.")
    routes: tuple[RouteRule, ...] = Field(default=(), description="The first that fits serves instead.")
    cascade: Cascade | None = None
    max_attempts: Count | None = None
    timeout_ms: Positive | None = None
    give_up_on: tuple[str, ...] = ()
    max_input_tokens: Count | None = None
    shorten: str | None = Field(default=None, description="summarise, chunk or refuse what is above it.")
    max_output_tokens: Count | None = None
    response_cache: ResponseCachePolicy | None = None
    prompt_cache_ttl: str | None = None
    self_hosted_on: str | None = Field(default=None, description="Accelerators of one's own that serve it.")


class PolicyFile(Rules):
    """What every step shall do, and for which calls a change was meant that a step alone cannot say."""

    version: Literal[1] = 1
    name: str = ""
    steps: tuple[StepPolicy, ...] = ()


POLICY = RuleFile("policy.yaml", PolicyFile, "What each step of each workflow shall do; written by `whatif apply`.")

ONLY_STEPS = ("workflow", "step")


def beyond_steps(where: CallMatch) -> CallMatch:
    """Return what a match asks for beside workflow and step; empty where it asks for nothing else."""
    return where.model_copy(update=dict.fromkeys(ONLY_STEPS, ()))
