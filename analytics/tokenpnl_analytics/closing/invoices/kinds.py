"""Kinds of usage in the words of providers: a description of a meter to one kind of the normal form."""

import re

from tokenpnl.model import ChargeKind, UsageKind
from tokenpnl_analytics.closing.invoices.form import CACHE_WRITE, OTHER_SERVICE, OUTPUT

_KINDS = frozenset({*UsageKind, *ChargeKind, OUTPUT, CACHE_WRITE, OTHER_SERVICE})
FOLDED = {UsageKind.OUTPUT_TEXT.value: OUTPUT, UsageKind.OUTPUT_REASONING.value: OUTPUT}
_LIFETIMES = {
    "5m": UsageKind.INPUT_CACHE_WRITE_5M,
    "30m": UsageKind.INPUT_CACHE_WRITE_30M,
    "1h": UsageKind.INPUT_CACHE_WRITE_1H,
    "12h": UsageKind.INPUT_CACHE_WRITE_12H,
}
_WRITE = re.compile(r"cach\w* ?(write|creation)|(write|creation) ?cache")
_READ = re.compile(r"cach")
_MODALITY = re.compile(r"\b(audio|image|video)\b")
# "File search" alone is its storage, which is billed by the day.
_SEARCHES = {
    r"\bweb\b": ChargeKind.WEB_SEARCH,
    r"\bfile search.* calls?\b": ChargeKind.STORAGE_SEARCH,
    r"\brerank": ChargeKind.RERANK_SEARCH,
}
_TIERS = ("batch", "flex", "priority", "fast")


def kind_of(words: str) -> str | None:
    """Return the kind that a meter's words name, for example `cached input` or `Output Tokens`; None: no token meter.

    Reasoning and text are both `output`, because no invoice bills them at two prices; a cache write without a lifetime
    is `input_cache_write`.
    """
    text = re.sub(r"[^a-z0-9]+", " ", words.lower()).strip()
    exact = text.replace(" ", "_")
    if exact in _KINDS:
        return FOLDED.get(exact, exact)
    if "search" in text:
        return next((kind.value for name, kind in _SEARCHES.items() if re.search(name, text)), None)
    modality = _MODALITY.search(text)
    if re.search(r"\b(output|completion|reasoning|thinking)\b", text):
        return f"output_{modality[1]}" if modality and modality[1] != "video" else OUTPUT
    if _READ.search(text):
        return _cached(text)
    if re.search(r"\b(input|prompt)\b", text):
        return f"input_{modality[1]}" if modality else UsageKind.INPUT_UNCACHED.value
    return None


def _cached(text: str) -> str:
    if _WRITE.search(text):
        return next((kind.value for word, kind in _LIFETIMES.items() if re.search(rf"\b{word}\b", text)), CACHE_WRITE)
    audio = re.search(r"\baudio\b", text)
    return (UsageKind.INPUT_AUDIO_CACHE_READ if audio else UsageKind.INPUT_CACHE_READ).value


def tier_of(words: str) -> str | None:
    """Return the service tier that a meter's words name; None for the standard one."""
    return next((tier for tier in _TIERS if re.search(rf"\b{tier}\b", words.lower())), None)
