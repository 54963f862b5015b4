"""Vercel AI SDK (scope `ai`), versions 4 to 6.

The inner span (`.doGenerate`, `.doStream`, `.doEmbed`) is one request; the outer one repeats it, or its last step.
Versions tell themselves apart only by names: 6 has `inputTokenDetails`, 5 has `inputTokens` that leaves the cache out
for Anthropic and Bedrock, 4 has `promptTokens`. `providerMetadata` holds the provider's own usage.
"""

from tokenpnl.model import Operation
from tokenpnl_ingest.dialects.convert import text
from tokenpnl_ingest.dialects.payload import Answer, parsed, usage_of
from tokenpnl_ingest.dialects.reading import Dialect, Reading, adopt

_EXCLUDING = ("anthropic", "bedrock")
_NO_CACHE = "ai.usage.inputTokenDetails.noCacheTokens"
_METADATA = "ai.response.providerMetadata"


def _amend(reading: Reading) -> None:
    row = reading.row
    word = text(reading.get("ai.operationId")) or reading.span.name.split(" ")[0]
    reading.operation = _operation(word)
    if reading.operation in (Operation.INFERENCE, Operation.EMBEDDING):
        row["streamed"] = word.endswith(".doStream")
    row["step_kind"] = row["step_kind"] if reading.operation is not Operation.TOOL else "tool"
    adopt(reading, _provider_usage(parsed(reading.get(_METADATA))))
    for event in reading.span.events:
        if event.name == "ai.stream.firstChunk" and row["ttft_ms"] is None:
            row["ttft_ms"] = max(0, event.time_ns - reading.span.start_ns) / 1e6


def _operation(word: str) -> Operation:
    if word == "ai.toolCall":
        return Operation.TOOL
    if word.endswith((".doGenerate", ".doStream")):
        return Operation.INFERENCE
    if ".doEmbed" in word:
        return Operation.EMBEDDING
    if ".doRerank" in word:
        return Operation.RERANK
    return Operation.AGENT if word.startswith("ai.") else Operation.OTHER


def _provider_usage(metadata: object) -> Answer | None:
    """Return the usage in provider metadata: `{provider: {usage: ...}}`, or Google's `usageMetadata`."""
    if not isinstance(metadata, dict):
        return None
    for provider, said in metadata.items():
        usage = (said.get("usage") or said.get("usageMetadata")) if isinstance(said, dict) else None
        if isinstance(usage, dict):
            tier = usage.get("service_tier") or said.get("serviceTier")
            counts = usage_of(usage) if provider != "openai" else _openai_writes(usage)
            return Answer(counts, service_tier=tier if isinstance(tier, str) else None)
    return None


def _openai_writes(usage: dict[str, object]) -> dict[str, int]:
    written = usage.get("cacheWriteTokens")
    return {"cache_write_tokens": written} if isinstance(written, int) and 0 <= written <= 10**9 else {}


def _excludes_cache(reading: Reading) -> bool | None:
    if _NO_CACHE in reading.span.attributes:
        return False
    provider = text(reading.get("ai.model.provider")) or ""
    return any(word in provider for word in _EXCLUDING)


def _details_told(reading: Reading) -> bool:
    return _NO_CACHE in reading.span.attributes


VERCEL = Dialect("vercel", amend=_amend, excludes_cache=_excludes_cache, cache_reported=_details_told)
