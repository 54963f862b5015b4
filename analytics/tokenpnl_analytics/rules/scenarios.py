"""A scenario file: changes to try on recorded traffic. `scenario_families` has a model for each kind of change."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from tokenpnl_analytics.rules.reading import RuleFile, Rules
from tokenpnl_analytics.rules.scenario_families import (
    CallMatch,
    Cascade,
    ContextCap,
    Deployment,
    Eviction,
    Family,
    OutputCap,
    PromptCache,
    Reprice,
    ResponseCache,
    Retry,
    Route,
    RouteRule,
    SelfHost,
    SemanticCache,
    Shortening,
    Swap,
    Target,
    TokenRatio,
    Verifier,
)

Scenario: TypeAlias = Annotated[
    Reprice
    | Swap
    | Route
    | Cascade
    | ResponseCache
    | SemanticCache
    | PromptCache
    | ContextCap
    | OutputCap
    | Retry
    | SelfHost
    | Deployment,
    Field(discriminator="family"),
]
"""One change of one family."""


class Window(Rules):
    """The traffic that is replayed: the last days before the newest fact, or two dates, [from, until) in UTC."""

    last_days: Annotated[int, Field(ge=1, le=1000)] | None = Field(default=None, description="Whole days.")
    from_: date | None = Field(default=None, alias="from")
    until: date | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        dated = self.from_ is not None or self.until is not None
        if dated == (self.last_days is not None):
            raise PydanticCustomError("window", "a window is either last_days, or from and until", {})
        if self.from_ and self.until and self.until <= self.from_:
            raise PydanticCustomError("window", "until is a day after from; it does not belong to the window", {})
        return self


class ScenarioFile(Rules):
    """Changes to try, each alone and, if wanted, all together, on the same recorded traffic."""

    version: Literal[1] = 1
    name: Annotated[str, Field(min_length=1, max_length=200)]
    description: str = ""
    window: Window = Field(default=Window(last_days=30), description="Traffic that is replayed.")
    where: CallMatch = Field(default=CallMatch(), description="Calls that the baseline consists of.")
    scenarios: Annotated[tuple[Scenario, ...], Field(min_length=1)]
    combine: bool = Field(default=True, description="Also replay all of them together, in the printed order.")
    margin: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.02, description="Loss of the success share that would be too much: 0.02 is two points."
    )

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        names = [scenario.name for scenario in self.scenarios]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            words = {"twice": ", ".join(twice), "loc": ("scenarios", names.index(twice[0]))}
            raise PydanticCustomError("twice", "each scenario has its own name; {twice} stands again", words)
        return self


SCENARIOS = RuleFile("scenario.yaml", ScenarioFile, "What-if scenarios on recorded traffic, alone and together.")

ORDER: tuple[tuple[str, tuple[Family, ...]], ...] = (
    ("cache", (Family.RESPONSE_CACHE, Family.SEMANTIC_CACHE, Family.PROMPT_CACHE)),
    ("context", (Family.CONTEXT_CAP, Family.OUTPUT_CAP)),
    ("routing", (Family.SWAP, Family.ROUTE, Family.CASCADE, Family.RETRY)),
    ("batch", (Family.REPRICE,)),
    ("hosting", (Family.SELF_HOST, Family.DEPLOYMENT)),
)
"""The order in which changes are replayed together: what a cache answers needs no route, and so on. Printed."""


def in_order(scenarios: Sequence[Scenario]) -> list[Scenario]:
    """Return the scenarios in the order of composition; those of one family stay in the order of the file."""
    place = {
        family: (step, within) for step, (_, families) in enumerate(ORDER) for within, family in enumerate(families)
    }
    return sorted(scenarios, key=lambda scenario: place[Family(scenario.family)])


__all__ = [
    "ORDER",
    "SCENARIOS",
    "CallMatch",
    "Cascade",
    "ContextCap",
    "Deployment",
    "Eviction",
    "Family",
    "OutputCap",
    "PromptCache",
    "Reprice",
    "ResponseCache",
    "Retry",
    "Route",
    "RouteRule",
    "Scenario",
    "ScenarioFile",
    "SelfHost",
    "SemanticCache",
    "Shortening",
    "Swap",
    "Target",
    "TokenRatio",
    "Verifier",
    "Window",
    "in_order",
]
