"""The layered card: contract over override over genai-prices over an imported list, resolved once per served model.

Whoever is served by the same provider, model, tier and deployment (and region and tenant, where a rule speaks of them)
has the same dated prices. Each such *served* is resolved once to slots; the lines are then joined to them as they are
to the published ones. Served models that no rule touches keep the published slots, at no cost.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tokenpnl.model import PriceSource
from tokenpnl_analytics.pricing.cells import Cell, Price, prices_of
from tokenpnl_analytics.pricing.matching import SELF_HOSTED_DEPLOYMENTS, Match, context_of, match
from tokenpnl_analytics.pricing.ratecard import MORE_TOKENS, STANDARD, RateCard, Section, default_rate_card
from tokenpnl_analytics.pricing.rulebook import (
    BEGIN_NS,
    DAY_NS,
    END_NS,
    Layers,
    Served,
    Term,
    edges,
    month_of,
    renamed,
    rule_fits,
)
from tokenpnl_analytics.rules.prices import FxFile, PriceFile

_MOST_SERVED = 20_000


@dataclass(frozen=True)
class LaidSlot:
    """One price list in force for a served model, rules included."""

    from_ns: int
    until_ns: int
    day_from_ns: int
    day_until_ns: int
    input_above: int
    input_up_to: int
    context_matched: bool
    undated: bool
    prices: tuple[Price, ...]


def card_of(
    *,
    contract: PriceFile | None = None,
    override: PriceFile | None = None,
    aliases: PriceFile | None = None,
    fx: FxFile | None = None,
    litellm: PriceFile | None = None,
    published: RateCard | None = None,
) -> RateCard:
    """Return the rate card of the published prices with files laid over them.

    Args:
        contract: what was negotiated; highest.
        override: list prices that the published lists lack or have wrong.
        aliases: what deployments and profiles really are.
        fx: exchange rates for prices in other currencies.
        litellm: an imported price list; lowest, used where genai-prices has no price.
        published: the list below; default the installed genai-prices.
    """
    below = published or default_rate_card()
    layers = Layers(
        contract=contract or PriceFile(),
        override=override or PriceFile(),
        aliases=aliases or PriceFile(),
        fx=fx or FxFile(),
        litellm=litellm or PriceFile(),
    )
    return laid_over(below, layers)


def laid_over(published: RateCard, layers: Layers) -> RateCard:
    """Return the published card with the layers over it; the version names both."""
    if not layers:
        return published
    digest = hashlib.sha256(layers.model_dump_json(by_alias=True).encode()).hexdigest()[:12]
    version = f"{published.version} + rules sha256:{digest}"
    return RateCard(published.slots, published.rates, published.keys, version, published.snapshot, layers)


def merged(sections: Sequence[tuple[int | None, int | None, RateCard]]) -> RateCard:
    """Return cards that follow each other in event time as one card.

    Args:
        sections: `(from_ns, until_ns, card)`, `None` for an open end; where spans overlap the later of the list wins.

    Returns:
        A card whose lines carry the version of their own section. A moment that no section covers has no price.
    """
    laid: list[Section] = []
    for from_ns, until_ns, card in sections:
        new = Section(BEGIN_NS if from_ns is None else from_ns, END_NS if until_ns is None else until_ns, card)
        for part in card.in_force:
            begins, ends = max(new.from_ns, part.from_ns), min(new.until_ns, part.until_ns)
            if begins < ends:
                laid = [*_without(laid, begins, ends), Section(begins, ends, part.card)]
    if not laid:
        raise ValueError("a card needs at least one section with a span of time")
    laid.sort(key=lambda section: section.from_ns)
    newest = laid[-1].card
    versions = list(dict.fromkeys(section.card.version for section in laid))
    if len(laid) == 1 and (laid[0].from_ns, laid[0].until_ns) == (BEGIN_NS, END_NS):
        return newest
    return RateCard(
        newest.slots, newest.rates, newest.keys, "; ".join(versions), newest.snapshot, newest.layers, tuple(laid)
    )


def _without(sections: list[Section], begins: int, ends: int) -> Iterator[Section]:
    for section in sections:
        if section.from_ns < min(begins, section.until_ns):
            yield Section(section.from_ns, min(begins, section.until_ns), section.card)
        if max(ends, section.from_ns) < section.until_ns:
            yield Section(max(ends, section.from_ns), section.until_ns, section.card)


def laid_slots(card: RateCard, served: Served) -> tuple[LaidSlot, ...] | None:
    """Return the dated prices of a served model; None where the published ones hold as they are."""
    if served not in card.resolved:
        if len(card.resolved) >= _MOST_SERVED:
            card.resolved.clear()
        card.resolved[served] = _laid_slots(card, served)
    found: tuple[LaidSlot, ...] | None = card.resolved[served]
    return found


def _laid_slots(card: RateCard, served: Served) -> tuple[LaidSlot, ...] | None:
    book, tier = card.rulebook, context_of(served.service_tier)
    aliases = [term for term in book.aliases if rule_fits(term.rule, served, served, tier=tier)]
    identities = [served, *(renamed(served, term.rule) for term in aliases)]
    touching = [t for t in book.terms if any(rule_fits(t.rule, served, i, tier=tier) for i in identities)]
    if not aliases and not touching and book.imported_for(served) is None:
        return None
    found: list[LaidSlot] = []
    for begins, ends in pairwise(edges([*touching, *aliases], card.layers.fx)):
        alias = next((term.rule for term in aliases if term.holds_at(begins)), None)
        identity = served if alias is None else renamed(served, alias)
        active = [t for t in touching if t.holds_at(begins) and rule_fits(t.rule, served, identity, tier=tier)]
        imported = None if identity.deployment in SELF_HOSTED_DEPLOYMENTS else book.imported_for(identity)
        found.extend(_span_slots(card, identity, [*active, *([imported] if imported else [])], begins, ends))
    return tuple(found)


def _span_slots(card: RateCard, identity: Served, terms: list[Term], begins: int, ends: int) -> Iterator[LaidSlot]:
    """Yield the slots of a span of time in which neither the identity nor the rules change."""
    found = match(card, identity.provider, identity.model, identity.service_tier, identity.deployment)
    tier = context_of(identity.service_tier)
    lists = [term.rule.price_list(context) for term in terms for context in {tier, STANDARD}]
    bounds = {step.above for price_list in lists if price_list for step in price_list.tiers}
    for slot in _published_slots(card, found, begins, ends):
        inside = sorted(bound for bound in bounds if slot["input_above"] < bound < slot["input_up_to"])
        for above, up_to in pairwise([slot["input_above"], *inside, slot["input_up_to"]]):
            cell = Cell(
                terms=terms,
                tier=tier,
                published=card.listed_by_rate.get(slot["rate_id"], {}),
                own_context=slot["context_matched"] and not found.context_unmatched,
                input_above=above,
                month=month_of(slot["from_ns"]),
                fx=card.layers.fx,
            )
            prices, matched = prices_of(cell)
            when = (slot["from_ns"], slot["until_ns"], slot["day_from_ns"], slot["day_until_ns"])
            undated = found.undated and any(price.source == PriceSource.GENAI_PRICES for price in prices)
            yield LaidSlot(*when, above, up_to, matched, undated, tuple(prices))


def _published_slots(card: RateCard, found: Match, begins: int, ends: int) -> Iterator[dict[str, Any]]:
    """Yield the published slots clipped to a span of time; one empty slot where nothing is published."""
    if found.card_key is None:
        yield {
            "rate_id": None,
            "from_ns": begins,
            "until_ns": ends,
            "day_from_ns": 0,
            "day_until_ns": DAY_NS,
            "input_above": -1,
            "input_up_to": MORE_TOKENS,
            "context_matched": False,
        }
        return
    for slot in card.slots_by_key[found.card_key]:
        from_ns, until_ns = max(begins, slot["from_ns"]), min(ends, slot["until_ns"])
        if from_ns < until_ns:
            yield slot | {"from_ns": from_ns, "until_ns": until_ns}
