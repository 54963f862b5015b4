"""The rules of all price files in one order, and which of them fit a served model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from tokenpnl.model import PriceSource
from tokenpnl_analytics.rules.prices import Dated, FxFile, PriceFile, PriceRule, fits
from tokenpnl_analytics.rules.reading import Rules
from tokenpnl_ingest.dialects.providers import provider_of

DAY_NS = 86_400_000_000_000
BEGIN_NS = -(2**62)
END_NS = 2**62
_EPOCH = date(1970, 1, 1)
_ONE_DAY = timedelta(days=1)


class Layers(Rules):
    """What files say over the published prices; empty files say nothing."""

    contract: PriceFile = PriceFile()
    override: PriceFile = PriceFile()
    aliases: PriceFile = PriceFile()
    fx: FxFile = FxFile()
    litellm: PriceFile = PriceFile()

    def __bool__(self) -> bool:
        """Return whether any file says anything about prices."""
        return any((self.contract, self.override, self.aliases, self.litellm))


class Served(NamedTuple):
    """What decides the price of a usage, as telemetry says it; region and tenant only where a rule asks for them."""

    provider: str | None
    model: str | None
    service_tier: str | None = None
    deployment: str | None = None
    region: str | None = None
    tenant: str | None = None


@dataclass(frozen=True)
class Term:
    """A rule of a file, ready to be applied.

    Attributes:
        rule: what it says.
        source: file that it comes from.
        currency: of its prices.
        from_ns: start of its span of event time.
        until_ns: end of the span, not included.
        volume: its discount is what a month's volume is estimated to earn; it comes on top of any other.
    """

    rule: PriceRule
    source: PriceSource
    currency: str
    from_ns: int
    until_ns: int
    volume: bool = False

    def holds_at(self, at_ns: int) -> bool:
        """Return whether the moment lies in its span."""
        return self.from_ns <= at_ns < self.until_ns


@dataclass(frozen=True)
class Rulebook:
    """The rules of a card's layers, highest first: contract before override, narrower before wider, then as written.

    Attributes:
        terms: rules about prices.
        aliases: rules that say who really served.
        imported: rules of an imported list by (provider, model).
        by_region: a rule speaks of regions.
        by_tenant: a rule speaks of tenants.
    """

    terms: tuple[Term, ...]
    aliases: tuple[Term, ...]
    imported: dict[tuple[str, str], Term]
    by_region: bool
    by_tenant: bool

    @classmethod
    def of(cls, layers: Layers) -> "Rulebook":
        """Return the rules of the layers."""
        contract = [*_terms(layers.contract, PriceSource.CONTRACT), *_volume_terms(layers.contract)]
        override = list(_terms(layers.override, PriceSource.OVERRIDE))
        every = [*contract, *override, *_terms(layers.aliases, PriceSource.OVERRIDE)]
        matches = [term.rule.match for term in every]
        return cls(
            terms=tuple(term for term in every if term.rule.aspects - {"as"}),
            aliases=tuple(term for term in every if term.rule.as_),
            imported={
                (term.rule.match.provider or "", term.rule.match.model or ""): term
                for term in _terms(layers.litellm, PriceSource.LITELLM)
            },
            by_region=any(match.region is not None for match in matches),
            by_tenant=any(match.tenant is not None for match in matches),
        )

    def imported_for(self, served: Served) -> Term | None:
        """Return the imported price list of a served model: by its whole name, else without a path before it."""
        if not self.imported or not served.model:
            return None
        provider, model = provider_of(served.provider) or "", served.model.lower()
        names = (model, model.rsplit("/", 1)[-1])
        return next((self.imported[provider, name] for name in names if (provider, name) in self.imported), None)


def renamed(served: Served, rule: PriceRule) -> Served:
    """Return who and what an alias says really served."""
    if rule.as_ is None:
        return served
    return served._replace(provider=rule.as_.provider or served.provider, model=rule.as_.model)


def rule_fits(rule: PriceRule, served: Served, identity: Served, *, tier: str) -> bool:
    """Return whether a rule is for a served model.

    The provider that is named must be the one that served: a contract with a maker says nothing about its models at
    another seller, whatever alias they carry. Only where nobody knows the one that served (a gateway) does the alias
    name it.
    """
    seller = provider_of(served.provider)
    providers = [served.provider, seller] if seller else [served.provider, provider_of(identity.provider)]
    texts: dict[str, Sequence[str | None]] = {
        "provider": providers,
        "model": [served.model, identity.model],
        "service_tier": [served.service_tier, tier],
        "region": [served.region],
        "deployment": [served.deployment],
        "tenant": [served.tenant],
    }
    return all(fits(pattern, texts[name]) for name, pattern in rule.match.given.items())


def edges(terms: Sequence[Term], fx: FxFile) -> list[int]:
    """Return the moments at which anything that the terms say may change, from the first to the last of all time."""
    found = {BEGIN_NS, END_NS}
    for term in terms:
        found |= {term.from_ns, term.until_ns}
        if term.currency != "USD":
            found |= {_month_ns(month) for month in fx.months.get(term.currency, {})}
    return sorted(found)


def month_of(at_ns: int) -> str:
    """Return the month of a moment, such as 2026-11; the beginning of all time is far in the past."""
    if at_ns <= 0:
        return "1970-01"
    return datetime.fromtimestamp(at_ns // 1_000_000_000, UTC).strftime("%Y-%m")


def _terms(file: PriceFile, source: PriceSource) -> list[Term]:
    found = [Term(rule, source, rule.currency or file.currency, *_span(rule)) for rule in file.rules]
    return sorted(found, key=lambda term: term.rule.match.precision, reverse=True)


def _volume_terms(contract: PriceFile) -> Iterator[Term]:
    """Yield the estimated discounts of volume terms; the difference to what was earned is trued up at close."""
    for volume in contract.volume_tiers:
        rule = PriceRule(match=volume.match, discount_pct=volume.estimated_pct, source=volume.source)
        yield Term(rule, PriceSource.CONTRACT, contract.currency, *_span(volume), volume=True)


def _span(rule: Dated) -> tuple[int, int]:
    return (
        BEGIN_NS if rule.from_ is None else _day_ns(rule.from_),
        END_NS if rule.to is None else _day_ns(rule.to + _ONE_DAY),
    )


def _day_ns(day: date) -> int:
    return (day - _EPOCH).days * DAY_NS


def _month_ns(month: str) -> int:
    return _day_ns(date.fromisoformat(f"{month}-01"))
