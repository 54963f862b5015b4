"""The models that the sample workflows buy, how they fail, and what their prompt caches remember."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tokenpnl import semconv
from world import HOUR, SECOND


class PrefixCaching(StrEnum):
    """How a provider caches the beginning of a prompt."""

    NONE = "none"
    AUTOMATIC = "automatic"
    MARKED = "marked"


@dataclass(frozen=True)
class Replica:
    """One server with accelerators of our own, on which a model runs."""

    name: str
    gpu: str
    gpus: int = 1


@dataclass(frozen=True)
class Model:
    """A model as its provider sells it, or as a replica of ours serves it; speeds are medians."""

    provider: str
    name: str
    first_token_ms: float
    ms_per_token: float
    caching: PrefixCaching = PrefixCaching.AUTOMATIC
    deployment: str | None = None
    replica: Replica | None = None

    @property
    def attributes(self) -> dict[str, str | int]:
        """What a span says about where the model runs; nothing where that goes without saying."""
        told: dict[str, str | int] = {}
        if self.deployment is not None:
            told[semconv.DEPLOYMENT] = self.deployment
        if self.replica is not None:
            told[semconv.GPU_TYPE] = self.replica.gpu
            told[semconv.GPU_COUNT] = self.replica.gpus
            told[semconv.GPU_REPLICA] = self.replica.name
        return told


GPT_NANO: Final = Model("openai", "gpt-5.4-nano", 240, 3.5)
GPT_MINI: Final = Model("openai", "gpt-5.4-mini", 380, 6)
GPT_LARGE: Final = Model("openai", "gpt-5.4", 620, 11)
EMBEDDING: Final = Model("openai", "text-embedding-3-small", 70, 0, PrefixCaching.NONE)
SONNET: Final = Model("anthropic", "claude-sonnet-5", 700, 13, PrefixCaching.MARKED)
OPUS: Final = Model("anthropic", "claude-opus-5", 1100, 19, PrefixCaching.MARKED)
GEMINI_LITE: Final = Model("gcp.gemini", "gemini-3.5-flash-lite", 260, 4, PrefixCaching.NONE)
MISTRAL_SMALL: Final = Model("mistral_ai", "mistral-small-2603", 210, 5, PrefixCaching.NONE)
BEDROCK_HAIKU: Final = Model(
    "aws.bedrock", "global.anthropic.claude-haiku-4-5-20251001-v1:0", 450, 7, PrefixCaching.NONE
)
# A house model without a price anywhere: what it costs is unknown, and the books have to say so.
HOUSE_MODEL: Final = Model("halyard-ml", "desk-writer-7b-canary", 190, 8, PrefixCaching.NONE)
# The same weights twice. An L4 reads 16 GB of them for every token, at 300 GB a second.
OWN_LLAMA: Final = Model(
    "vllm",
    "meta-llama/Llama-3.1-8B-Instruct",
    350,
    53,
    PrefixCaching.NONE,
    deployment="self_host",
    replica=Replica("tagger-0", "l4-24g"),
)
DEEPSEEK_FLASH: Final = Model("deepseek", "deepseek-v4-flash", 320, 5)
DEEPSEEK_PRO: Final = Model("deepseek", "deepseek-v4-pro", 540, 11)
HOSTED_LLAMA: Final = Model("groq", "llama-3.1-8b-instant", 180, 1.6, PrefixCaching.NONE, deployment="managed_api")


class Fate(StrEnum):
    """How an attempt ends."""

    ANSWERED = "answered"
    THROTTLED = "throttled"
    SERVER_ERROR = "server_error"
    TIMED_OUT = "timed_out"
    INVALID = "invalid"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Trouble:
    """Chances of failure, per attempt."""

    throttled: float = 0.012
    server_error: float = 0.004
    timed_out: float = 0.006
    invalid: float = 0.0

    def fate(self, rng: random.Random) -> Fate:
        """Draw how one attempt ends."""
        chances = {
            Fate.THROTTLED: self.throttled,
            Fate.SERVER_ERROR: self.server_error,
            Fate.TIMED_OUT: self.timed_out,
            Fate.INVALID: self.invalid,
        }
        drawn = rng.random()
        for fate, chance in chances.items():
            drawn -= chance
            if drawn < 0:
                return fate
        return Fate.ANSWERED


CALM: Final = Trouble()
OVERLOADED: Final = Trouble(throttled=0.34, server_error=0.07, timed_out=0.17)


@dataclass(frozen=True)
class Try:
    """One attempt of a call: which model, why, and how it ends."""

    model: Model
    reason: str
    fate: Fate


_NEXT_REASON: Final = {
    Fate.THROTTLED: "retry",
    Fate.SERVER_ERROR: "retry",
    Fate.TIMED_OUT: "timeout",
    Fate.INVALID: "schema",
}


def tries(
    rng: random.Random, primary: Model, trouble: Trouble = CALM, *, fallback: Model | None = None, most: int = 3
) -> Iterator[Try]:
    """Yield the attempts of one call: up to `most` on the primary, then two on the fallback, until one answers.

    The fallback's provider is calm whatever happens to the primary's.
    """
    reason = "first"
    for _ in range(most):
        fate = trouble.fate(rng)
        yield Try(primary, reason, fate)
        if fate is Fate.ANSWERED:
            return
        reason = _NEXT_REASON[fate]
    if fallback is None:
        return
    calm = Trouble(invalid=trouble.invalid / 2)
    for _ in range(2):
        fate = calm.fate(rng)
        yield Try(fallback, "fallback", fate)
        if fate is Fate.ANSWERED:
            return


class PromptCache:
    """What the providers' prompt caches hold, by model and prefix, with a lifetime that every use renews."""

    def __init__(self) -> None:
        self._warm_until: dict[tuple[str, str], int] = {}

    def used(self, model: Model, prefix: str, tokens: int, at_ns: int, *, hours: int = 0) -> tuple[int, int]:
        """Return the tokens read from and written to the cache by a call with this prefix.

        Args:
            model: the model asked.
            prefix: names the prefix; equal names are equal text.
            tokens: length of the prefix.
            at_ns: moment of the call.
            hours: lifetime in hours; 0 means five minutes.
        """
        if model.caching is PrefixCaching.NONE or tokens < 1024:
            return 0, 0
        warm = self._warm_until.get((model.name, prefix), -1) >= at_ns
        self._warm_until[model.name, prefix] = at_ns + (hours * HOUR or 300 * SECOND)
        if model.caching is PrefixCaching.AUTOMATIC:
            return (tokens // 128 * 128, 0) if warm else (0, 0)
        return (tokens, 0) if warm else (0, tokens)
