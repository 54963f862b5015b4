"""OpenAI, `GET /v1/organization/usage/completions` (and embeddings): tokens by day, project and model; no dollars.

`input_tokens` includes cached, cache-write and audio tokens, so that the kinds are told apart by subtraction. Which of
`model`, `project_id` and `batch` are null is decided by the report's `group_by`. Scale-tier tokens are included.
"""

from typing import Any

from tokenpnl.model import UsageKind
from tokenpnl_analytics.closing.invoices.amounts import whole
from tokenpnl_analytics.closing.invoices.form import CACHE_WRITE, DEFAULT_ACCOUNT, OUTPUT, Fault, Invoice
from tokenpnl_analytics.closing.invoices.pages import Bucketed, gather, pages_of

SOURCE = "OpenAI usage"
RESULTS = ("organization.usage.completions.result", "organization.usage.embeddings.result")
_PARTS = (
    "input_cached_tokens", "input_cache_write_tokens", "input_audio_tokens", "input_cached_audio_tokens",
    "input_image_tokens", "output_tokens", "output_audio_tokens", "output_image_tokens",
)  # fmt: skip


def recognises(document: object) -> bool:
    """Return whether the JSON holds pages of this report."""
    return any(result.get("object") in RESULTS for _, result in pages_of(document))


def read(document: object, *, name: str) -> Invoice:
    """Return the report in the normal form, one line a model and kind; a kind of 0 tokens has none.

    Raises:
        RefusedInputError: a result has no model or token count, or its parts exceed its total; all such are listed.
    """
    return gather(document, _lines, name=name, source=SOURCE)


def _lines(at: Bucketed, result: dict[str, Any]) -> list[dict[str, Any]] | Fault:
    total, model = whole(result.get("input_tokens")), result.get("model")
    if total is None or not isinstance(model, str):
        return Fault(at.row, f"expected model (group_by=model) and input_tokens, got {model!r} and {total!r}")
    part = {name: whole(result.get(name)) or 0 for name in _PARTS}
    cached_audio = part["input_cached_audio_tokens"]
    counts = {
        UsageKind.INPUT_CACHE_READ: part["input_cached_tokens"] - cached_audio,
        CACHE_WRITE: part["input_cache_write_tokens"],
        UsageKind.INPUT_AUDIO: part["input_audio_tokens"] - cached_audio,
        UsageKind.INPUT_AUDIO_CACHE_READ: cached_audio,
        UsageKind.INPUT_IMAGE: part["input_image_tokens"],
        OUTPUT: part["output_tokens"] - part["output_audio_tokens"] - part["output_image_tokens"],
        UsageKind.OUTPUT_AUDIO: part["output_audio_tokens"],
        UsageKind.OUTPUT_IMAGE: part["output_image_tokens"],
    }
    inputs = sum(count for kind, count in counts.items() if kind.startswith("input"))
    counts = {UsageKind.INPUT_UNCACHED: total - inputs, **counts}
    if min(counts.values()) < 0:
        return Fault(at.row, f"the parts of the tokens exceed their total: {result!r}")
    line = {
        "provider": "openai",
        "account": result.get("project_id") or DEFAULT_ACCOUNT,
        "day": at.day,
        "model": model,
        "service_tier": "batch" if result.get("batch") is True else None,
    }
    lines = [line | {"usage_kind": str(kind), "quantity": count} for kind, count in counts.items() if count]
    if lines:
        lines[0]["requests"] = whole(result.get("num_model_requests"))
    return lines
