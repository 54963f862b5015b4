"""A LiteLLM price file as rules: 160 flat keys of cost per token to prices by kind, tier of input and context.

The list has no history, and a price of 0 in it often means that nobody knew. It is used only where genai-prices has no
price; what this reader does not understand is counted by key, so that nothing is lost silently.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tokenpnl.errors import RefusedInputError
from tokenpnl.model import ChargeKind, UsageKind
from tokenpnl_analytics.rules.prices import ANY_CACHE_WRITE, Match, PriceFile, PriceList, PriceRule, PriceTier
from tokenpnl_ingest.dialects.providers import provider_of

_MILLION = 1_000_000
_BASES = {
    "input_cost_per_token": UsageKind.INPUT_UNCACHED.value,
    "output_cost_per_token": UsageKind.OUTPUT_TEXT.value,
    "output_cost_per_reasoning_token": UsageKind.OUTPUT_REASONING.value,
    "cache_read_input_token_cost": UsageKind.INPUT_CACHE_READ.value,
    "cache_creation_input_token_cost": ANY_CACHE_WRITE,
    "cache_creation_input_token_cost_above_1hr": UsageKind.INPUT_CACHE_WRITE_1H.value,
    "input_cost_per_audio_token": UsageKind.INPUT_AUDIO.value,
    "cache_read_input_audio_token_cost": UsageKind.INPUT_AUDIO_CACHE_READ.value,
    "input_cost_per_image_token": UsageKind.INPUT_IMAGE.value,
    "input_cost_per_video_token": UsageKind.INPUT_VIDEO.value,
    "output_cost_per_audio_token": UsageKind.OUTPUT_AUDIO.value,
    "output_cost_per_image_token": UsageKind.OUTPUT_IMAGE.value,
    "input_cost_per_request": ChargeKind.REQUEST.value,
}
_CONTEXTS = {"batches": "batch", "flex": "flex", "priority": "priority", "fast": "fast"}
_SUFFIX = re.compile(
    r"^(?P<base>.+?)(?:_above_(?P<thousands>\d+)k_tokens)?(?:_(?P<context>batches|flex|priority|fast))?$"
)
_SEARCH = "search_context_cost_per_query"
_SEARCH_SIZES = ("search_context_size_medium", "search_context_size_low", "search_context_size_high")
_PRICE_WORDS = ("cost", "pricing", "multiplier")
_NO_MODEL = "sample_spec"


@dataclass(frozen=True)
class Imported:
    """What a LiteLLM file came to.

    Attributes:
        file: its prices as rules, one per provider and model, in order of name.
        n_prices: prices taken over.
        unread: keys that look like prices and were not understood, with how often they stood; most frequent first.
        skipped: why an entry was left out, with how often.
    """

    file: PriceFile
    n_prices: int
    unread: dict[str, int]
    skipped: dict[str, int]


def import_litellm(content: bytes) -> Imported:
    """Return the prices of a `model_prices_and_context_window.json`.

    Raises:
        RefusedInputError: it is not JSON, or not a map of models.
    """
    try:
        entries = json.loads(content, parse_float=Decimal, parse_int=Decimal)
    except ValueError as error:
        raise RefusedInputError(f"a LiteLLM price file is JSON, a map of models; this is not: {error}") from error
    if not isinstance(entries, dict) or not any(isinstance(entry, dict) for entry in entries.values()):
        raise RefusedInputError("a LiteLLM price file maps each model to its prices; this one holds no model")
    unread: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    rules: dict[tuple[str, str], PriceRule] = {}
    n_prices = 0
    for name in sorted(entries):
        rule, n_read, reason = _rule(name, entries[name], unread)
        key = (rule.match.provider or "", rule.match.model or "") if rule else ("", "")
        if rule is None or key in rules:
            skipped[reason or "names a model that another entry has priced"] += 1
            continue
        rules[key] = rule
        n_prices += n_read
    file = PriceFile(rules=tuple(rules[key] for key in sorted(rules)))
    return Imported(file, n_prices, dict(unread.most_common()), dict(skipped.most_common()))


def _rule(name: str, entry: Any, unread: Counter[str]) -> tuple[PriceRule | None, int, str]:
    if name == _NO_MODEL or not isinstance(entry, dict):
        return None, 0, "is no model"
    provider = _provider(str(entry.get("litellm_provider", "")))
    if not provider:
        return None, 0, "names no provider"
    prices = dict(_prices(entry, unread))
    if not prices:
        return None, 0, "has no price by token, request or search"
    if not any(prices.values()):
        return None, 0, "states 0 for everything, which may mean unknown"
    model = _model(name.lower(), provider)
    if any(sign in model for sign in "*?["):
        return None, 0, "is a pattern, not a model"
    lists = {context: _price_list(prices, context) for context in ("", *_CONTEXTS.values())}
    standard = lists.pop("")
    rule = PriceRule(
        match=Match(provider=provider, model=model),
        prices=standard.prices,
        tiers=standard.tiers,
        contexts={context: found for context, found in lists.items() if found.prices or found.tiers},
        source=f"LiteLLM {name}",
    )
    return rule, len(prices), ""


def _provider(named: str) -> str | None:
    """Return who serves; LiteLLM names Vertex AI once for every maker (`vertex_ai-anthropic_models`)."""
    return provider_of(named) if not named.startswith("vertex_ai") else "google"


def _model(name: str, provider: str) -> str:
    """Return the model's name without the provider in front of it."""
    prefix, slash, rest = name.partition("/")
    return rest if slash and _provider(prefix) == provider else name


def _prices(entry: dict[str, Any], unread: Counter[str]) -> Iterable[tuple[tuple[str, int, str], Decimal]]:
    """Yield (kind, lower bound of the input or -1, context or nothing) and the price by million or by call."""
    for key, value in entry.items():
        if key == _SEARCH and isinstance(value, dict):
            found = next((value[size] for size in _SEARCH_SIZES if isinstance(value.get(size), Decimal)), None)
            if found is not None:
                yield (ChargeKind.WEB_SEARCH.value, -1, ""), found
            continue
        parts = _SUFFIX.match(key)
        kind = _BASES.get(parts["base"]) if parts else None
        if parts is None or kind is None or not isinstance(value, Decimal) or value < 0:
            if value not in (None, 0, {}) and any(word in key for word in _PRICE_WORDS):
                unread[key] += 1
            continue
        above = int(parts["thousands"]) * 1000 if parts["thousands"] else -1
        per = 1 if kind == ChargeKind.REQUEST else _MILLION
        yield (kind, above, _CONTEXTS.get(parts["context"] or "", "")), value * per


def _price_list(prices: dict[tuple[str, int, str], Decimal], context: str) -> PriceList:
    bounds = sorted({above for _, above, named in prices if named == context and above >= 0})
    return PriceList(
        prices=_at(prices, -1, context),
        tiers=tuple(PriceTier(above=above, prices=_at(prices, above, context)) for above in bounds),
    )


def _at(prices: dict[tuple[str, int, str], Decimal], above: int, context: str) -> dict[str, Decimal]:
    return {kind: price for (kind, bound, named), price in prices.items() if (bound, named) == (above, context)}
