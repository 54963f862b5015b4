"""Which price list a served model is billed by: resolved once per distinct provider, model and tier."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from genai_prices.data_snapshot import DataSnapshot, find_provider_by_id

from tokenpnl_analytics.pricing.ratecard import CONTEXTS, STANDARD, RateCard
from tokenpnl_ingest.dialects.deployments import EDGE_RUNTIMES, OPTIMIZED_SERVERS, SELF_HOST_SERVERS
from tokenpnl_ingest.dialects.providers import provider_of

# Servers that run weights on somebody's own machine: a hosted model of the same name has another price.
SELF_HOSTED_SERVERS = SELF_HOST_SERVERS | OPTIMIZED_SERVERS | EDGE_RUNTIMES
SELF_HOSTED_DEPLOYMENTS = frozenset({"self_host", "optimized", "edge"})
_NO_CONTEXT = frozenset({"", "auto", "default", "standard", "standard_only", "on_demand", "unspecified"})
_DATE_IN_NAME = re.compile(r"(?<!\d)(20\d\d)-?([01]\d)-?([0-3]\d)(?!\d)")
_DATE_AT_END = re.compile(r"[-@]20\d\d-?[01]\d-?[0-3]\d$")


@dataclass(frozen=True)
class Match:
    """How one (provider, model, service tier) is priced.

    Attributes:
        card_key: price lists in the rate card; None: no price known.
        context_unmatched: the tier asks for a context that this model never had a price for.
        undated: the card knows the model, but not the dated version of it that served.
        released_ns: date that the model's own name carries; no price was in force before it.
    """

    card_key: int | None = None
    context_unmatched: bool = False
    undated: bool = False
    released_ns: int | None = None


def match(
    card: RateCard, provider: str | None, model: str | None, service_tier: str | None, deployment: str | None = None
) -> Match:
    """Return the published price lists of a served model; standard ones where its context has none."""
    here = deployment in SELF_HOSTED_DEPLOYMENTS
    found = _find(card.snapshot, provider, model) if model and not here else None
    if found is None or model is None:
        return Match()
    seller, owner, model_id, undated = found
    context = context_of(service_tier)
    # A seller without a list of its own borrows the maker's standard prices, but not the maker's discounts.
    own = seller == owner and context in {STANDARD, *CONTEXTS}
    key = card.keys.get((owner, model_id, context)) if own else None
    standard = card.keys.get((owner, model_id, STANDARD))
    unmatched = key is None and context != STANDARD
    return Match(standard if key is None else key, unmatched, undated, released_ns(model))


def context_of(service_tier: str | None) -> str:
    """Return the price context that a tier of a response asks for; standard for the ordinary ones."""
    tier = (service_tier or "").lower()
    return STANDARD if tier in _NO_CONTEXT else tier


def _find(snapshot: DataSnapshot, provider: str | None, model: str) -> tuple[str, str, str, bool] | None:
    """Return (seller, owner of the price list, model id, whether the version's date had to be dropped)."""
    name = provider_of(provider) or ""
    if name in SELF_HOSTED_SERVERS:
        return None
    known = bool(name) and find_provider_by_id(snapshot.providers, name) is not None
    for spelled, undated in _spellings(model):
        # Without a known seller the model's name must name its maker, by genai-prices' own rule or as a prefix.
        for seller in (name,) if known else ("litellm", None):
            try:
                sold_by, info = snapshot.find_provider_model(spelled, None, seller, None)
            except LookupError:
                continue
            owner = next(p.id for p in snapshot.providers if any(m is info for m in p.models))
            return sold_by.id, owner, info.id, undated
    return None


def _spellings(model: str) -> list[tuple[str, bool]]:
    """Return the name as sent, without a resource path or a gateway's prefix, and last without the version's date."""
    names = list(dict.fromkeys([model, model.rsplit("/", 1)[-1]]))
    undated = _DATE_AT_END.sub("", names[-1])
    return [*((name, False) for name in names), *([(undated, True)] if undated not in names else [])]


def released_ns(model: str) -> int | None:
    """Return the start of the day that a model's own name carries; None when it carries none."""
    found = _DATE_IN_NAME.search(model)
    if found is None:
        return None
    year, month, day = map(int, found.groups())
    try:
        released = datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        return None
    return int(released.timestamp()) * 1_000_000_000
