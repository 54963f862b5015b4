"""The price of one cell: one served model in one tier, span of dates, window of the day and size of input.

Lists lie over each other, lowest first: an imported LiteLLM list where genai-prices has no price in the tier,
genai-prices, an override, and a contract. Each kind takes the highest price that names it, and where none does, the
price of its parent (a cache read without a price of its own costs full input).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from tokenpnl.model import PriceReason, PriceSource
from tokenpnl_analytics.pricing.ratecard import KINDS, PARENTS, STANDARD, UNCACHED_TWIN, Listed, quantised
from tokenpnl_analytics.pricing.rulebook import Term
from tokenpnl_analytics.rules.prices import PER_CALL_KINDS, FxFile

_MILLION = 1_000_000
_NOTHING = Decimal(0)


@dataclass(frozen=True)
class Price:
    """What a million of one kind costs, as a line item stores it. NULL: not known."""

    kind: str
    list_usd: Decimal | None
    contracted_usd: Decimal | None
    effective_usd: Decimal | None
    uncached_usd: Decimal | None
    standard_usd: Decimal | None
    rounded: bool
    source: str | None
    reason: str | None
    currency: str | None
    native: Decimal | None
    pool: str | None


@dataclass(frozen=True)
class Cell:
    """What is known where one price list is in force.

    Attributes:
        terms: rules in force, highest first.
        tier: price context that was asked for.
        published: prices of genai-prices; those of the standard tier where `own_context` is false.
        own_context: genai-prices has prices in this tier.
        input_above: lower bound of the request's input.
        month: such as 2026-11, for exchange rates.
    """

    terms: Sequence[Term]
    tier: str
    published: Mapping[str, Listed]
    own_context: bool
    input_above: int
    month: str
    fx: FxFile


@dataclass(frozen=True)
class _Quoted:
    """The price of a kind in one list, exact, before terms."""

    usd: Decimal | None
    source: PriceSource
    rank: int = 0
    inherits: str | None = None
    currency: str | None = None
    native: Decimal | None = None
    term: Term | None = None


def prices_of(cell: Cell) -> tuple[list[Price], bool]:
    """Return the price of each priced kind, and whether a price exists in the tier that was asked for."""
    matched = _has_tier(cell)
    standard: dict[str, Decimal | None] = {}
    if matched and cell.tier != STANDARD:
        standard = {price.kind: price.contracted_usd for price in _priced(cell, STANDARD)}
    return _priced(cell, cell.tier if matched else STANDARD, standard), matched


def _has_tier(cell: Cell) -> bool:
    own = cell.own_context and bool(cell.published)
    return cell.tier == STANDARD or own or any(term.rule.price_list(cell.tier) for term in cell.terms)


def _priced(cell: Cell, tier: str, standard: Mapping[str, Decimal | None] | None = None) -> list[Price]:
    usual, asked = _usual_lists(cell), _lists_of_tier(cell, tier)
    contracts = [_quotes(cell, PriceSource.CONTRACT, tier)]
    if tier != STANDARD and not any(asked):
        # Our own standard price stands in only where no list has one of the tier.
        contracts.insert(0, _quotes(cell, PriceSource.CONTRACT, STANDARD))
    listed, whole = _overlaid([*usual, *asked]), _overlaid([*usual, *asked, *contracts])
    terms = _Terms.of(cell.terms)
    found: list[Price] = []
    for kind in KINDS:
        net = _looked_up(whole, kind)
        if net is not None:
            found.append(_price(kind, net, _looked_up(listed, kind), terms))
        elif (terms.free or terms.pool) and kind not in PER_CALL_KINDS:
            found.append(_unlisted(kind, terms))
    return _with_memos(found, standard or {})


def _usual_lists(cell: Cell) -> list[dict[str, _Quoted]]:
    """Return the lists of the standard tier, without contracts, lowest first."""
    published: dict[str, _Quoted] = {}
    for kind, price in cell.published.items():
        usd = price.standard_usd if cell.own_context and cell.tier != STANDARD else price.exact
        if usd is not None:
            published[kind] = _Quoted(usd, PriceSource.GENAI_PRICES, inherits=price.inherits)
    imported = {} if published else _quotes(cell, PriceSource.LITELLM, STANDARD)
    return [imported, published, _quotes(cell, PriceSource.OVERRIDE, STANDARD)]


def _lists_of_tier(cell: Cell, tier: str) -> list[dict[str, _Quoted]]:
    """Return the lists of another tier, likewise; none for the standard one."""
    if tier == STANDARD:
        return []
    imported = {} if cell.own_context and cell.published else _quotes(cell, PriceSource.LITELLM, tier)
    published = {
        kind: _Quoted(price.exact, PriceSource.GENAI_PRICES, inherits=price.inherits)
        for kind, price in (cell.published.items() if cell.own_context else ())
    }
    return [imported, published, _quotes(cell, PriceSource.OVERRIDE, tier)]


def _quotes(cell: Cell, source: PriceSource, tier: str) -> dict[str, _Quoted]:
    """Return the prices that the rules of one source state in a tier; the higher rule wins kind by kind."""
    found: dict[str, _Quoted] = {}
    for term in reversed(cell.terms):
        prices = term.rule.price_list(tier) if term.source == source else None
        if prices is None:
            continue
        rate = cell.fx.month_rate(term.currency, cell.month)
        for kind, amount in prices.at(cell.input_above).items():
            native = amount * _MILLION if kind in PER_CALL_KINDS else amount * _MILLION / term.rule.per
            usd = None if rate is None else native * rate
            foreign = (None, None) if term.currency == "USD" else (term.currency, native)
            found[kind] = _Quoted(usd, source, currency=foreign[0], native=foreign[1], term=term)
    return found


def _overlaid(lists: Sequence[Mapping[str, _Quoted]]) -> dict[str, _Quoted]:
    found: dict[str, _Quoted] = {}
    for rank, quotes in enumerate(lists):
        for kind, quote in quotes.items():
            below = found.get(kind)
            # A price that is only its parent's says nothing over one that was stated for the kind.
            if below is None or quote.inherits is None or below.inherits is not None:
                found[kind] = replace(quote, rank=rank)
    return found


def _looked_up(prices: Mapping[str, _Quoted], kind: str) -> _Quoted | None:
    own, parent = prices.get(kind), PARENTS.get(kind)
    if own is None:
        return _looked_up(prices, parent) if parent else None
    if own.inherits:
        above = _looked_up(prices, own.inherits)
        if above is not None and above.rank > own.rank:
            return above
    return own


@dataclass(frozen=True)
class _Terms:
    """The highest term of each sort that is in force."""

    discounted: Decimal
    multiplier: Decimal
    volume: Decimal
    free: bool
    pool: str | None

    @classmethod
    def of(cls, terms: Sequence[Term]) -> "_Terms":
        rules = [term.rule for term in terms if not term.volume]
        volume = [term.rule for term in terms if term.volume]
        return cls(
            discounted=_factor(next((r.discount_pct for r in rules if r.discount_pct is not None), None)),
            multiplier=next((r.multiplier for r in rules if r.multiplier is not None), Decimal(1)),
            volume=_factor(volume[0].discount_pct if volume else None),
            free=any(r.free_tier for r in rules),
            pool=next((r.commitment for r in rules if r.commitment), None),
        )

    def reason(self, otherwise: PriceReason | None) -> str | None:
        """Return why the contracted price is not the list price."""
        if self.pool:
            return PriceReason.COMMITMENT.value
        if self.free:
            return PriceReason.FREE_TIER.value
        return otherwise.value if otherwise else None


def _factor(discount_pct: Decimal | None) -> Decimal:
    return 1 - (discount_pct or _NOTHING) / 100


def _price(kind: str, net: _Quoted, usual: _Quoted | None, terms: _Terms) -> Price:
    """Return the price of a kind from the price in force and the list price."""
    factor, reason = _factor_and_reason(net, terms)
    exact = None if net.usd is None else net.usd * factor
    paid = None if exact is None else quantised(exact)
    native = None if net.native is None else quantised(net.native * factor)
    listed = paid if usual is None or usual.usd is None else quantised(usual.usd * terms.multiplier)
    contracted = _NOTHING if terms.free else paid
    return Price(
        kind=kind,
        list_usd=listed,
        contracted_usd=contracted,
        effective_usd=_NOTHING if terms.pool else contracted,
        uncached_usd=None,
        standard_usd=None,
        rounded=paid != exact and not terms.free,
        source=net.source.value,
        reason=terms.reason(reason),
        currency=net.currency,
        native=_NOTHING if terms.free and native is not None else native,
        pool=terms.pool,
    )


def _factor_and_reason(net: _Quoted, terms: _Terms) -> tuple[Decimal, PriceReason | None]:
    if net.source == PriceSource.CONTRACT and net.term is not None:
        # A contract's price is net: only what its own rule says besides is applied to it.
        rule = net.term.rule
        return _factor(rule.discount_pct) * (rule.multiplier or 1) * terms.volume, PriceReason.FIXED
    reduced = terms.discounted * terms.volume
    uplifted = PriceReason.MULTIPLIER if terms.multiplier != 1 else None
    return reduced * terms.multiplier, PriceReason.DISCOUNT if reduced != 1 else uplifted


def _unlisted(kind: str, terms: _Terms) -> Price:
    """Return the price of a kind that no list knows, but that is free or paid for by the hour."""
    return Price(
        kind=kind,
        list_usd=None,
        contracted_usd=_NOTHING if terms.free else None,
        effective_usd=_NOTHING,
        uncached_usd=None,
        standard_usd=None,
        rounded=False,
        source=PriceSource.CONTRACT.value,
        reason=terms.reason(None),
        currency=None,
        native=None,
        pool=terms.pool,
    )


def _with_memos(prices: list[Price], standard: Mapping[str, Decimal | None]) -> list[Price]:
    """Add what the tokens would have cost outside the cache and in the standard tier.

    Memo lines set sums of these against sums of cost. So a kind without a price has neither, and where the price
    outside the cache is unknown nothing is said to be saved.
    """
    effective = {price.kind: price.effective_usd for price in prices if price.effective_usd is not None}
    return [
        replace(
            price,
            uncached_usd=effective.get(UNCACHED_TWIN.get(price.kind, price.kind), price.effective_usd),
            standard_usd=standard.get(price.kind),
        )
        if price.effective_usd is not None
        else price
        for price in prices
    ]
