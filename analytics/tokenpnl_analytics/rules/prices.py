"""Prices that finance enters: `contract.yaml`, `override.yaml`, `aliases.yaml` and `fx.yaml`.

One rule says for which usage it holds (`match`) and what it changes: who really served (`as`), a price, a discount, a
multiplier, free quota, a commitment. A contract's `prices` are what we negotiated and are net of every discount but the
rule's own; an override's `prices` replace the list, and discounts apply to them.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from fnmatch import translate
from functools import cached_property, lru_cache
from itertools import combinations
from typing import Annotated, Literal, LiteralString, Self, TypeAlias

from pydantic import AfterValidator, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from tokenpnl.model import SERVER_TOOLS, ChargeKind, UsageKind
from tokenpnl_analytics.rules.reading import RuleFile, Rules
from tokenpnl_ingest.dialects.providers import provider_of

ANY_CACHE_WRITE = "input_cache_write"
PER_CALL_KINDS = (ChargeKind.REQUEST.value, *(kind.value for kind in SERVER_TOOLS))
PRICED_KINDS = (*(kind.value for kind in UsageKind), ANY_CACHE_WRITE, *PER_CALL_KINDS)
STANDARD_TIER = "standard"

Amount: TypeAlias = Annotated[Decimal, Field(ge=0, le=10**9, max_digits=24)]
Percent: TypeAlias = Annotated[Decimal, Field(ge=0, le=100)]
Month: TypeAlias = Annotated[str, Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$")]
Currency: TypeAlias = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


def _known_kinds(prices: dict[str, Decimal]) -> dict[str, Decimal]:
    unknown = sorted(set(prices) - set(PRICED_KINDS))
    if unknown:
        words = {"unknown": ", ".join(unknown), "known": ", ".join(PRICED_KINDS)}
        raise PydanticCustomError("kinds", "unknown usage kinds {unknown}; known: {known}", words)
    return prices


Prices: TypeAlias = Annotated[dict[str, Amount], AfterValidator(_known_kinds)]


class Match(Rules):
    """The usage that a rule is for: every field that is given must fit; `*` and `?` are wildcards, /text/ is a regex.

    A provider is compared with who served, however an emitter spells it; a model with the name that served and with
    the name that an alias gives it.
    """

    provider: str | None = None
    model: str | None = None
    region: str | None = None
    service_tier: str | None = Field(default=None, description="batch, flex, priority, fast; standard: none of them.")
    deployment: str | None = Field(default=None, description="managed_api, cloud, self_host, optimized, edge.")
    tenant: str | None = None

    @field_validator("*")
    @classmethod
    def _readable(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                compiled(pattern)
            except re.error as error:
                raise PydanticCustomError(
                    "regex", "this is no regular expression: {why}", {"why": str(error)}
                ) from None
        return pattern

    @cached_property
    def given(self) -> dict[str, str]:
        """The fields that were given, spelled as they are compared."""
        found = {name: str(value).lower() for name, value in self if value is not None}
        if "provider" in found:
            found["provider"] = provider_of(found["provider"]) or found["provider"]
        return found

    @property
    def words(self) -> str:
        """The match as a person reads it."""
        return ", ".join(f"{name} {value}" for name, value in self.given.items()) or "everything"

    @property
    def precision(self) -> tuple[int, int]:
        """How narrow the match is: fields given, then fields without wildcard; the larger wins."""
        values = self.given.values()
        return len(values), sum(not re.search(r"[*?\[]|^/.*/$", value) for value in values)


class Alias(Rules):
    """Who and what really served: as the price list names it. Without a provider the one that served stays."""

    provider: str | None = None
    model: str


class PriceTier(Rules):
    """Prices of a request whose whole input, cache included, is above a bound; they hold for the whole request."""

    above: int = Field(ge=0, description="Tokens; the request needs more than this.")
    prices: Prices


class PriceList(Rules):
    """Prices by usage kind, `per` that many tokens; of `request` and what is billed by the piece the fee of one."""

    prices: Prices = Field(default_factory=dict)
    tiers: tuple[PriceTier, ...] = ()

    def at(self, input_above: int) -> Prices:
        """Return the prices of requests with more input than this, each write lifetime spelled out."""
        prices = dict(self.prices)
        for tier in sorted(self.tiers, key=lambda tier: tier.above):
            if tier.above <= input_above:
                prices |= tier.prices
        any_write = prices.pop(ANY_CACHE_WRITE, None)
        if any_write is None:
            return prices
        return {kind.value: any_write for kind in UsageKind if kind.value.startswith(ANY_CACHE_WRITE)} | prices


class Dated(Rules):
    """A rule for some usage, with a first and a last day, both included, in UTC; without them it always holds."""

    match: Match = Match()
    from_: date | None = Field(default=None, alias="from")
    to: date | None = None

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.from_ and self.to and self.to < self.from_:
            raise PydanticCustomError("dates", "the last day (to) is before the first (from)", {})
        return self

    def overlaps(self, other: "Dated") -> bool:
        """Return whether one day belongs to both."""
        begins = max(self.from_ or date.min, other.from_ or date.min)
        return begins <= min(self.to or date.max, other.to or date.max)

    @property
    def span_words(self) -> str:
        """The days as a person reads them."""
        return f"{self.from_ or 'ever'} to {self.to or 'open end'}"


class PriceRule(Dated, PriceList):
    """One dated rule; it may say several things, each holds where no narrower or higher rule says the same."""

    as_: Alias | None = Field(default=None, alias="as", description="Who and what really served.")
    contexts: dict[str, PriceList] = Field(default_factory=dict, description="Prices in batch, flex, priority, fast.")
    currency: Currency | None = Field(default=None, description="Of the prices; default that of the file.")
    per: int = Field(default=1_000_000, gt=0, description="Tokens that a price is for.")
    discount_pct: Percent | None = Field(default=None, description="Off the list price.")
    multiplier: Decimal | None = Field(
        default=None, gt=0, le=1000, description="Regional uplift, on list and contract."
    )
    free_tier: bool = Field(default=False, description="Free quota: quantity at list, contracted price 0.")
    commitment: str | None = Field(default=None, description="Commitment that serves it: its tokens cost 0.")
    source: str = Field(default="", description="Where this is written down: a contract's number, a page, a date.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.aspects:
            words = {"aspects": "as, prices, contexts, discount_pct, multiplier, free_tier, commitment"}
            raise PydanticCustomError("empty", "a rule needs one of {aspects}", words)
        return self

    @property
    def aspects(self) -> frozenset[str]:
        """What the rule says."""
        said = {
            "as": self.as_,
            "prices": self.prices or self.tiers,
            **{f"prices in {name}": True for name in self.contexts},
            "discount_pct": self.discount_pct is not None,
            "multiplier": self.multiplier is not None,
            "free_tier": self.free_tier,
            "commitment": self.commitment,
        }
        return frozenset(name for name, value in said.items() if value)

    def price_list(self, tier: str) -> PriceList | None:
        """Return the prices in a service tier; None when the rule has none there."""
        if tier == STANDARD_TIER:
            return self if self.prices or self.tiers else None
        return self.contexts.get(tier)


class VolumeStep(Rules):
    """What a month's volume above a bound earns."""

    above: Decimal = Field(ge=0)
    pct: Percent


class VolumeRule(Dated):
    """A discount or rebate that depends on the month's volume and is settled at its close."""

    name: str
    measure: Literal["usd", "tokens"] = Field(default="usd", description="What `above` counts.")
    whole: bool = Field(default=False, description="The step reached holds for the whole month.")
    steps: tuple[VolumeStep, ...] = Field(min_length=1)
    estimated_pct: Percent = Field(default=Decimal(0), description="Discount that the month's lines carry.")
    source: str = ""


class PriceFile(Rules):
    """Rules of one source of prices."""

    version: Literal[1] = 1
    currency: Currency = "USD"
    rules: tuple[PriceRule, ...] = ()
    volume_tiers: tuple[VolumeRule, ...] = Field(default=(), description="Trued up at close as an adjustment.")
    rebates: tuple[VolumeRule, ...] = Field(default=(), description="Trued up at close as a credit.")

    @model_validator(mode="after")
    def _no_alternatives(self) -> Self:
        for name in ("rules", "volume_tiers", "rebates"):
            _refuse_alternatives(name, getattr(self, name))
        return self

    def __bool__(self) -> bool:
        """Return whether the file says anything."""
        return bool(self.rules or self.volume_tiers or self.rebates)


class FxFile(Rules):
    """Dated exchange rates: USD for one unit of a currency."""

    version: Literal[1] = 1
    months: dict[Currency, dict[Month, Annotated[Decimal, Field(gt=0)]]] = Field(
        default_factory=dict, description="Month averages, for the P&L."
    )
    dates: dict[Currency, dict[date, Annotated[Decimal, Field(gt=0)]]] = Field(
        default_factory=dict, description="Rates of a day, for invoices."
    )

    def month_rate(self, currency: str, month: str) -> Decimal | None:
        """Return the average of a month, else of the newest month before it that has one; None when none has.

        A month that is not over has no average yet: the last one stands in until it is entered.
        """
        if currency == "USD":
            return Decimal(1)
        known = self.months.get(currency, {})
        before = [name for name in known if name <= month]
        return known[max(before)] if before else None

    def date_rate(self, currency: str, day: date) -> Decimal | None:
        """Return the rate of a day, else of the newest day before it; None when there is none."""
        if currency == "USD":
            return Decimal(1)
        known = self.dates.get(currency, {})
        before = [when for when in known if when <= day]
        return known[max(before)] if before else None


CONTRACT = RuleFile("contract.yaml", PriceFile, "Negotiated prices, discounts, commitments and volume terms.")
OVERRIDE = RuleFile("override.yaml", PriceFile, "List prices that the published lists lack or have wrong.")
ALIASES = RuleFile("aliases.yaml", PriceFile, "What deployments, inference profiles and gateway names really are.")
LITELLM = RuleFile("litellm.yaml", PriceFile, "An imported price list, for models that the published lists lack.")
FX = RuleFile("fx.yaml", FxFile, "Exchange rates: USD for one unit, by month average and by day.")


@lru_cache(maxsize=10_000)
def compiled(pattern: str) -> re.Pattern[str]:
    """Return a match's pattern as a regular expression, to be searched in lower-case text."""
    if len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/"):
        return re.compile(pattern[1:-1], re.IGNORECASE)
    return re.compile(r"\A" + translate(pattern.lower()))


def fits(pattern: str, texts: Sequence[str | None]) -> bool:
    """Return whether the pattern fits one of the texts."""
    return any(text is not None and compiled(pattern).search(text.lower()) for text in texts)


def _refuse_alternatives(name: str, rules: Sequence[Dated]) -> None:
    alike: dict[tuple[tuple[str, str], ...], list[tuple[int, Dated]]] = {}
    for number, rule in enumerate(rules):
        alike.setdefault(tuple(rule.match.given.items()), []).append((number, rule))
    for same in alike.values():
        for (earlier, one), (later, other) in combinations(same, 2):
            both = ", ".join(sorted(_both_say(one, other)))
            if both and one.overlaps(other):
                told = f"{name}.{earlier} ({one.span_words}) and {name}.{later} ({other.span_words})"
                words = {"told": told, "match": one.match.words, "both": both, "loc": (name, later)}
                message: LiteralString = "{told} match the same ({match}), both say {both}, and their dates overlap"
                raise PydanticCustomError("alternatives", message, words)


def _both_say(one: Dated, other: Dated) -> Iterator[str]:
    if isinstance(one, PriceRule) and isinstance(other, PriceRule):
        yield from one.aspects & other.aspects
    else:
        yield "volume"
