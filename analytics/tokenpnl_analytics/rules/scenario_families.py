"""The kinds of change that a scenario file may try: a model for each family, with the calls that it is for."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, Self

import polars as pl
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from tokenpnl_analytics.rules.line_match import Globs, fitting
from tokenpnl_analytics.rules.prices import Amount, PriceRule
from tokenpnl_analytics.rules.reading import Rules

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Usd = Amount

_COLUMN_OF: Mapping[str, str] = {
    "workflow": "workflow",
    "step": "step",
    "customer": "customer_id",
    "model": "model",
    "provider": "provider",
    "environment": "environment",
    "service_tier": "service_tier",
    "prompt": "prompt_name",
}


class Family(StrEnum):
    """The families of change; the word is the value of `family` in the file."""

    REPRICE = "reprice"
    SWAP = "swap"
    ROUTE = "route"
    CASCADE = "cascade"
    RESPONSE_CACHE = "response_cache"
    SEMANTIC_CACHE = "semantic_cache"
    PROMPT_CACHE = "prompt_cache"
    CONTEXT_CAP = "context_cap"
    OUTPUT_CAP = "output_cap"
    RETRY = "retry"
    SELF_HOST = "self_host"
    DEPLOYMENT = "deployment"


class CallMatch(Rules):
    """The attempts that a scenario may touch: every field that is given must fit one of its wildcard patterns."""

    workflow: Globs = ()
    step: Globs = ()
    customer: Globs = ()
    model: Globs = ()
    provider: Globs = ()
    environment: Globs = ()
    service_tier: Globs = Field(default=(), description="batch, flex, priority, fast; `(none)`: the ordinary one.")
    prompt: Globs = Field(default=(), description="Name of the prompt, where the emitter tells.")
    context_above: Annotated[int, Field(ge=0)] | None = Field(default=None, description="Input tokens; more than this.")
    context_up_to: Annotated[int, Field(ge=0)] | None = Field(default=None, description="Input tokens; this included.")

    def expr(self) -> pl.Expr:
        """Return whether an attempt of a baseline is meant; never NULL. Unknown input is in no range of context."""
        fits = pl.lit(value=True)
        for name, column in _COLUMN_OF.items():
            if patterns := getattr(self, name):
                fits = fits & fitting(pl.col(column), patterns)
        size = pl.col("input_total_tokens")
        if self.context_above is not None:
            fits = fits & (size > self.context_above).fill_null(value=False)
        if self.context_up_to is not None:
            fits = fits & (size <= self.context_up_to).fill_null(value=False)
        return fits


class Target(Rules):
    """Who shall serve."""

    model: Annotated[str, Field(min_length=1)]
    provider: str | None = Field(default=None, description="Default: the provider of the attempt.")


class TokenRatio(Rules):
    """How many tokens another model needs for the same text, and the range in which it is believed."""

    input: Positive = 1.0
    output: Positive = 1.0
    low: Positive = Field(default=0.8, description="Lower end of the range of both, as a factor on them.")
    high: Positive = Field(default=1.3, description="Upper end.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= 1 <= self.high:
            raise PydanticCustomError(
                "range", "the range holds the ratio itself: low is at most 1, high at least 1", {}
            )
        return self


class _Change(Rules):
    """What every family has."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    description: str = ""
    where: CallMatch = Field(default=CallMatch(), description="Attempts that it may touch.")


class Reprice(_Change):
    """Other prices for the same tokens: another rate card, provider, tier, region, batch, or no free quota."""

    family: Literal["reprice"] = "reprice"
    provider: str | None = Field(default=None, description="The same model, sold by another provider.")
    service_tier: Literal["standard", "batch", "flex", "priority", "fast"] | None = None
    region: str | None = None
    rules: tuple[PriceRule, ...] = Field(default=(), description="As in contract.yaml; they lie over every other rule.")
    without_contract: bool = Field(default=False, description="At list: what the contract is worth.")
    beyond_free_quota: bool = Field(default=False, description="The next token after the free quota, at list.")
    largest_slack_h: Positive = Field(
        default=24.0, description="batch: hours within which the provider answers; a result must be read later."
    )


class Swap(_Change):
    """Another model for the same calls."""

    family: Literal["swap"] = "swap"
    to: Target
    tokens: TokenRatio | None = Field(
        default=None, description="Default: measured where both models served the step, else 1.0 with the usual range."
    )


class RouteRule(Rules):
    """Which calls go to which model; every field that is given must fit."""

    when: CallMatch = CallMatch()
    inputs: dict[str, Globs] = Field(
        default_factory=dict, description="Patterns on logged inputs of the router, such as intent and risk."
    )
    to: Target


class Route(_Change):
    """A router by rules: the first rule that fits names the model; a call that none fits keeps its own."""

    family: Literal["route"] = "route"
    rules: Annotated[tuple[RouteRule, ...], Field(min_length=1)]
    tokens: TokenRatio | None = None


class Verifier(Rules):
    """Who looks at the cheap model's answer and lets it pass, or sends the call on."""

    tpr: Share = Field(description="Share of correct answers that it lets pass.")
    fpr: Share = Field(description="Share of wrong answers that it lets pass. 1 and 0 make a ceiling, labelled so.")
    n_correct: Count | None = Field(default=None, description="Labelled answers behind tpr; none: assumed.")
    n_wrong: Count | None = Field(default=None, description="Labelled answers behind fpr; none: assumed.")
    usd_per_check: Usd = Decimal(0)


class Cascade(_Change):
    """A cheap model first; the answer goes to the strong one where a score is too low or a verifier objects."""

    family: Literal["cascade"] = "cascade"
    cheap: Target
    strong: Target | None = Field(default=None, description="Default: the model that served.")
    score: str = Field(default="confidence", description="Recorded score of the cheap answer, 0 to 1.")
    threshold: Share | None = Field(default=None, description="Escalate below it.")
    verifier: Verifier | None = None
    cheap_correct_share: Share | None = Field(default=None, description="Assumed, where no trace tells.")
    tokens: TokenRatio | None = None

    @model_validator(mode="after")
    def _decides(self) -> Self:
        if (self.threshold is None) == (self.verifier is None):
            raise PydanticCustomError("cascade", "a cascade escalates by a threshold on a score, or by a verifier", {})
        return self


class Eviction(StrEnum):
    """Which entry leaves a full cache."""

    LRU = "lru"
    FIFO = "fifo"
    LFU = "lfu"
    SIEVE = "sieve"
    S3_FIFO = "s3_fifo"
    ARC = "arc"


class ResponseCache(_Change):
    """Answers reused for equal requests: model, parameters, tools and tenant are part of the key."""

    family: Literal["response_cache"] = "response_cache"
    ttl_s: Positive | None = Field(default=None, description="How long an answer is good; default: for ever.")
    capacity: Count | None = Field(default=None, description="Answers kept; default: all.")
    eviction: Eviction = Eviction.LRU
    shared_by: Literal["customer", "tenant"] = Field(default="customer", description="Who may get whose answer.")
    any_temperature: bool = Field(default=False, description="Also reuse answers drawn at a temperature above 0.")
    usd_per_lookup: Usd = Decimal(0)


class SemanticCache(_Change):
    """Answers reused for similar requests; only labelled pairs tell how often they are wrong."""

    family: Literal["semantic_cache"] = "semantic_cache"
    hit_share: Share | None = Field(default=None, description="Measured on labelled pairs; none: not identifiable.")
    wrong_share: Share | None = Field(default=None, description="Of the hits; measured likewise.")
    n_pairs: Count | None = Field(default=None, description="Labelled pairs behind both.")
    usd_per_lookup: Usd = Decimal(0)

    @model_validator(mode="after")
    def _measured_together(self) -> Self:
        told = (self.hit_share, self.wrong_share, self.n_pairs)
        if any(one is None for one in told) and any(one is not None for one in told):
            raise PydanticCustomError(
                "pairs", "hit_share, wrong_share and n_pairs come from the same labelled pairs", {}
            )
        return self


class PromptCache(_Change):
    """The provider's prompt cache, by its rules on the day of the call."""

    family: Literal["prompt_cache"] = "prompt_cache"
    ttl: Literal["provider", "5m", "1h"] = Field(default="provider", description="Lifetime that is written.")
    breakpoints: Annotated[int, Field(ge=1, le=4)] = Field(default=4, description="Marks in a prompt; Anthropic.")
    minimum_tokens: Annotated[int, Field(ge=0)] | None = Field(default=None, description="Default: the model's.")
    storage: bool = Field(default=False, description="Gemini: an explicit cache, kept and paid by the hour.")


class Shortening(Rules):
    """How long input is made to fit."""

    how: Literal["summarise", "chunk", "refuse"] = "summarise"
    summary_share: Share = Field(default=0.25, description="summarise: tokens of a summary per token it stands for.")
    summary_by: Target | None = Field(default=None, description="summarise: who writes it; default: the same model.")
    overlap_tokens: Annotated[int, Field(ge=0)] = Field(default=200, description="chunk: repeated in the next chunk.")


class ContextCap(Shortening, _Change):
    """A hard cap on input tokens; what is above it is summarised, cut into chunks, or refused."""

    family: Literal["context_cap"] = "context_cap"
    max_input_tokens: Annotated[int, Field(ge=16)]

    @model_validator(mode="after")
    def _chunks_advance(self) -> Self:
        if self.how == "chunk" and self.overlap_tokens >= self.max_input_tokens:
            raise PydanticCustomError("chunk", "chunks overlap by fewer tokens than they hold", {})
        return self


class OutputCap(_Change):
    """A smaller maximum of output, or a shorter shape of it such as a schema."""

    family: Literal["output_cap"] = "output_cap"
    max_output_tokens: Count | None = Field(default=None, description="Answers are cut there.")
    shaped_share: Annotated[float, Field(gt=0, le=1)] | None = Field(
        default=None, description="Assumed: tokens of the shaped answer per token of the present one."
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.max_output_tokens is None and self.shaped_share is None:
            raise PydanticCustomError("empty", "an output cap needs max_output_tokens, shaped_share, or both", {})
        return self


class Breaker(Rules):
    """A circuit breaker: after so many failures in a row a provider is left alone for a while."""

    after_failures: Count = 5
    open_s: Positive = 60.0


class Retry(_Change):
    """Fewer attempts, another time-out, another order of fallbacks, a circuit breaker."""

    family: Literal["retry"] = "retry"
    max_attempts: Count | None = None
    timeout_ms: Positive | None = None
    fallbacks: tuple[Target, ...] = Field(default=(), description="In order; default: as recorded.")
    breaker: Breaker | None = None
    give_up_on: tuple[str, ...] = Field(default=(), description="Error types that are not tried again.")


class Place(Rules):
    """Where an option would run, and what it cannot do."""

    region: str | None = Field(default=None, description="Where data would be handled.")
    context_tokens: Count | None = Field(default=None, description="Longest input and output together; none: any.")


class Servers(Place):
    """Accelerators of one's own that would serve, as fast as a benchmark measured them."""

    model: str | None = Field(default=None, description="Weights that would serve; default: the model that served.")
    gpu: str
    usd_per_hour: Usd = Field(description="Of one accelerator.")
    gpus_per_replica: Count = 1
    prefill_tokens_per_s: Positive = Field(description="Of a replica, from a benchmark.")
    decode_tokens_per_s: Positive = Field(description="Of a replica, all requests together.")
    decode_alone_tokens_per_s: Positive | None = Field(
        default=None, description="Of one request alone; default: its part of a full batch."
    )
    concurrency: Count = Field(default=16, description="Requests that a replica works on together.")
    batching_factor: Positive = Field(default=1.0, description="Measured gain of continuous batching.")
    speculative_factor: Positive = Field(default=1.0, description="Measured gain of speculative decoding.")
    highest_utilisation: Annotated[float, Field(gt=0, le=1)] = 0.7
    min_replicas: Annotated[int, Field(ge=0)] = 1
    slo_ms: Positive | None = Field(default=None, description="Latency promised.")
    slo_share: Annotated[float, Field(gt=0, lt=1)] = Field(default=0.95, description="Share of requests within it.")
    source: str = Field(default="", description="Where the throughput was measured.")
    tokens: TokenRatio | None = None


class SelfHost(Servers, _Change):
    """The same calls on accelerators of one's own."""

    family: Literal["self_host"] = "self_host"


class Api(Target, Place):
    """Somebody else's servers, paid by the token."""

    service_tier: str | None = None


class Devices(Place):
    """Users' devices, one request at a time: no price by the token, and nobody waits for another's request."""

    model: Annotated[str, Field(min_length=1)]
    prefill_tokens_per_s: Positive
    decode_tokens_per_s: Positive
    source: str = Field(default="", description="Where the speed was measured.")
    tokens: TokenRatio | None = None


class Deployment(_Change):
    """The five options of the deployment table on the same traffic, side by side; the cheapest that may serve wins."""

    family: Literal["deployment"] = "deployment"
    managed_api: Api | None = None
    cloud: Api | None = None
    self_host: Servers | None = None
    optimized: Servers | None = None
    edge: Devices | None = None
    residency: tuple[str, ...] = Field(default=(), description="Regions in which data may be handled; none: any.")
