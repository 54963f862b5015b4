"""Instrumentations that follow the GenAI conventions closely, each with what was measured of its silence.

An emitter that leaves out a count of 0 and writes every other one says "none" by an absent count; one that drops a
kind altogether does not. Only what the captures show and the source explains is claimed here.
"""

from tokenpnl_ingest.dialects.convert import whole
from tokenpnl_ingest.dialects.reading import Dialect, Reading

# Their own APIs count cached tokens inside the input, so both a copy and a conforming reading include them.
_INCLUSIVE_APIS = frozenset(
    {"openai", "azure", "google", "deepseek", "x-ai", "groq", "mistral", "together", "fireworks"}
)


def excludes_cache(reading: Reading) -> bool | None:
    """Return False where the provider's API includes cached tokens itself, None where either reading is possible."""
    return False if reading.row["provider"] in _INCLUSIVE_APIS else None


def count_resends(reading: Reading) -> None:
    """Set `attempts_reported` from a resend or retry count on the model span."""
    for key in ("http.request.resend_count", "retry_attempts", "http.resend_count"):
        resent = whole(reading.get(key))
        if resent is not None:
            reading.row["attempts_reported"] = resent + 1
            return


def _is_converse(reading: Reading) -> bool:
    return str(reading.get("rpc.method") or "").startswith("Converse")


GENERIC = Dialect("generic", amend=count_resends, excludes_cache=excludes_cache)
ANTHROPIC_SDK = Dialect("anthropic_sdk", amend=count_resends, excludes_cache=False, cache_reported=True)
CLAUDE_PLATFORM = Dialect("claude_platform", amend=count_resends, excludes_cache=False)
GENAI = Dialect("otel_genai", amend=count_resends, excludes_cache=excludes_cache)
GENAI_OPENAI = Dialect("otel_genai", excludes_cache=False, cache_reported=True, reasoning_reported=True)
GENAI_ANTHROPIC = Dialect("otel_genai", excludes_cache=False, cache_reported=True)
GOOGLE_GENAI = Dialect("otel_google_genai", excludes_cache=False, cache_reported=True, reasoning_reported=True)
OPENAI_V2 = Dialect("otel_openai_v2", excludes_cache=False)
BOTOCORE = Dialect("otel_botocore", amend=count_resends, excludes_cache=True, cache_reported=_is_converse)
TOKENPNL = Dialect("tokenpnl", amend=count_resends, excludes_cache=False)
ADK = Dialect("google_adk", excludes_cache=False)
