"""How providers keep and bill prompt prefixes: rules with dates, as data. Factors are of uncached input's price."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase

_ANTHROPIC = "platform.claude.com/docs/en/build-with-claude/prompt-caching"
_OPENAI = "developers.openai.com/api/docs/guides/prompt-caching"
_GOOGLE = "ai.google.dev/gemini-api/docs/caching"
_DEEPSEEK = "api-docs.deepseek.com/guides/kv_cache"
READ = date(2026, 11, 24)
"""When the sources were read; a rule says since when it holds where its source does."""


@dataclass(frozen=True)
class PromptRule:
    """How one provider keeps and bills the prefix of a prompt.

    Attributes:
        name: of the rule, such as `anthropic 5m`.
        provider: who has it.
        models: patterns of the models that it is for; the first rule that fits counts.
        ttl_s: seconds for which a prefix is kept after its last use.
        write_factor: price of a token that is written; 1: writing costs no fee.
        read_factor: price of a token that is read.
        minimum_tokens: shorter prompts and shorter prefixes are not kept.
        step_tokens: a prefix is read in whole steps of so many tokens.
        source: where it is written.
        since: first day; None: the source names none.
        breakpoints: marks that a prompt may have at most; None: the provider finds prefixes itself.
        storage: the prefix is rented by the hour (price by model in `STORAGE`).
        writes_below_minimum: too short prompts pay the write all the same; no provider does that. It is the convention
            of the published figures on the Mooncake trace.
    """

    name: str
    provider: str
    models: tuple[str, ...]
    ttl_s: float
    write_factor: Decimal
    read_factor: Decimal
    minimum_tokens: int
    step_tokens: int
    source: str
    since: date | None = None
    breakpoints: int | None = None
    storage: bool = False
    writes_below_minimum: bool = False

    @property
    def break_even_hit_share(self) -> float | None:
        """Share of tokens that must be read for the cache to cost what no cache costs; None: it never costs more."""
        fee = self.write_factor - 1
        return float(fee / (self.write_factor - self.read_factor)) if fee else None


# The first line that fits counts, so the general pattern stands last.
ANTHROPIC_MINIMUM: Sequence[tuple[int, tuple[str, ...]]] = (
    (512, ("*opus-5*", "*fable-5*", "*mythos-5*")),
    (2048, ("*opus-4-7*", "*opus-4.7*", "*haiku-3*", "*3-haiku*", "*3-5-haiku*")),
    (4096, ("*opus-4-6*", "*opus-4.6*", "*opus-4-5*", "*opus-4.5*", "*haiku-4-5*", "*haiku-4.5*")),
    (1024, ("*",)),
)


def _anthropic() -> tuple[PromptRule, ...]:
    rules = []
    for name, ttl_s, write, since in (
        ("anthropic 5m", 300.0, "1.25", date(2024, 8, 14)),
        ("anthropic 1h", 3600.0, "2", date(2025, 5, 22)),
    ):
        for minimum, models in ANTHROPIC_MINIMUM:
            rules.append(
                PromptRule(
                    *(name, "anthropic", models, ttl_s, Decimal(write), Decimal("0.1"), minimum, 1, _ANTHROPIC),
                    since=since,
                    breakpoints=4,
                )
            )
    return tuple(rules)


def _openai(models: tuple[str, ...], *, write: str, read: str, ttl_s: float = 300.0) -> PromptRule:
    # Before GPT-5.6 the guide speaks of five to ten minutes without use; the shorter end flatters nobody.
    factors = (Decimal(write), Decimal(read), 1024, 128)
    return PromptRule("openai", "openai", models, ttl_s, *factors, _OPENAI, since=date(2024, 10, 1))


def _gemini(models: tuple[str, ...], minimum: int, read: str, *, explicit: bool) -> PromptRule:
    name, ttl_s = ("gemini explicit", 3600.0) if explicit else ("gemini implicit", 300.0)
    factors = (Decimal(1), Decimal(read), minimum, 1)
    since = None if explicit else date(2025, 5, 8)
    return PromptRule(name, "google", models, ttl_s, *factors, _GOOGLE, since=since, storage=explicit)


def _deepseek(models: tuple[str, ...], read: str) -> PromptRule:
    # The guide speaks of hours to days; the shorter end flatters nobody.
    factors = (Decimal(1), Decimal(read), 64, 64)
    return PromptRule("deepseek", "deepseek", models, 3600.0, *factors, _DEEPSEEK, since=date(2024, 8, 2))


RULES: tuple[PromptRule, ...] = (
    *_anthropic(),
    _openai(("gpt-4o*", "o1*", "o3-mini*", "chatgpt-4o*"), write="1", read="0.5"),
    _openai(("gpt-4.1*", "o3*", "o4-mini*"), write="1", read="0.25"),
    _openai(("gpt-5", "gpt-5-*", "gpt-5.[1-5]", "gpt-5.[1-5]-*"), write="1", read="0.1"),
    _openai(("gpt-5.6*", "gpt-5.[7-9]*", "gpt-[6-9]*"), write="1.25", read="0.1", ttl_s=1800.0),
    *(
        rule
        for explicit in (False, True)
        for rule in (
            _gemini(("gemini-2.0*",), 4096, "0.25", explicit=explicit),
            _gemini(("gemini-*-flash*",), 1024, "0.1", explicit=explicit),
            _gemini(("gemini-*",), 4096, "0.1", explicit=explicit),
        )
    ),
    _deepseek(("deepseek-v4*",), "0.02"),
    _deepseek(("*",), "0.1"),
)

STORAGE: tuple[tuple[str, Decimal], ...] = (("gemini-*-flash*", Decimal(1)), ("gemini-*", Decimal("4.5")))
"""USD per million tokens and hour of an explicit Gemini cache, by model (ai.google.dev/gemini-api/docs/pricing)."""


def prompt_rule(provider: str, model: str, on: date, *, name: str | None = None) -> PromptRule | None:
    """Return the rule that holds for a model on a day; None: no prompt cache is known for it.

    Args:
        provider: as in the books.
        model: as in the books.
        on: day of the call.
        name: of the rule where a provider has several; default: the provider's first.
    """
    for rule in RULES:
        named = rule.provider == provider and (name is None or rule.name == name)
        if named and any(fnmatchcase(model, glob) for glob in rule.models) and (rule.since is None or rule.since <= on):
            return rule
    return None


def storage_usd(model: str) -> Decimal | None:
    """Return USD per million tokens and hour of a rented cache; None: not known for this model."""
    return next((usd for glob, usd in STORAGE if fnmatchcase(model, glob)), None)
