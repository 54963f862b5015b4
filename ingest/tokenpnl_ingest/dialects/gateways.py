"""LiteLLM and OpenLIT: they compute and invent numbers of their own beside what the provider said."""

import re

from tokenpnl.model import BILLABLE_OPERATIONS, Flag, Operation
from tokenpnl_ingest.dialects.conventions import excludes_cache
from tokenpnl_ingest.dialects.convert import text
from tokenpnl_ingest.dialects.payload import Answer, parsed, usage_of
from tokenpnl_ingest.dialects.plan import USAGE_COLUMNS
from tokenpnl_ingest.dialects.reading import Dialect, Reading, adopt
from tokenpnl_ingest.dialects.usage import forget_usage

_RAW_SPAN = "raw_gen_ai_request"
_RAW_ID = re.compile(r"llm\.[^.]+\.id")


def _amend_litellm(reading: Reading) -> None:
    row = reading.row
    if reading.span.name == _RAW_SPAN:
        # The request below the call: it repeats the call and knows the provider's id of the answer.
        reading.operation = Operation.OTHER
        forget_usage(row, USAGE_COLUMNS)
        named = (key for key in reading.span.attributes if _RAW_ID.fullmatch(key))
        row["response_id"] = text(reading.get(next(named, "")))
        return
    said = parsed(reading.get("metadata.usage_object"))
    if isinstance(said, dict):
        adopt(reading, Answer(usage_of(said)))
    if not row["input_tokens"] and not row["output_tokens"]:
        # A stream without usage is written as 0 and 0.
        forget_usage(row, USAGE_COLUMNS)
    invented = row["response_id"] or ""
    if invented == reading.get("litellm.call_id") or (invented.startswith("chatcmpl-") and row["provider"] != "openai"):
        reading.kept["gen_ai.response.id"] = invented
        row["response_id"] = None


def _amend_openlit(reading: Reading) -> None:
    row = reading.row
    if reading.operation not in BILLABLE_OPERATIONS:
        return
    if not row["streamed"]:
        # On an answer in one piece it writes the whole duration as time to first token.
        row["ttft_ms"] = None
    if not row["reported_cost_usd"]:
        # 0 stands for a model that it has no price for.
        row["reported_cost_usd"] = None
    counted = row["input_tokens"] is not None or row["output_tokens"] is not None
    if row["streamed"] and counted and row["cache_read_tokens"] is None:
        # Without usage in the stream it counts words; only real usage comes with a cache count.
        reading.kept["openlit.estimated_input_tokens"] = row["input_tokens"]
        reading.kept["openlit.estimated_output_tokens"] = row["output_tokens"]
        forget_usage(row, USAGE_COLUMNS)
        reading.flags.add(Flag.USAGE_ESTIMATED)


LITELLM = Dialect("litellm", amend=_amend_litellm, excludes_cache=False)
OPENLIT = Dialect("openlit", amend=_amend_openlit, excludes_cache=excludes_cache)
OPENLIT_ANTHROPIC = Dialect("openlit", amend=_amend_openlit, excludes_cache=True)
