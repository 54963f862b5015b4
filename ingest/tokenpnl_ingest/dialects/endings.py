"""How a span ended: finish reasons folded to one word each, and timeouts and cancellations told from failures."""

import re

from tokenpnl_ingest.raw import RawSpan

_FOLDED = {
    word: reason
    for reason, words in (
        ("stop", "stop end_turn stop_sequence completed complete end eos eos_token finished finish_reason_stop"),
        ("length", "length max_tokens max_output_tokens model_length model_context_window_exceeded incomplete"),
        ("tool_calls", "tool_calls tool_call tool-calls tool_use function_call malformed_function_call"),
        ("content_filter", "content_filter content-filter content_filtered safety refusal recitation blocklist"),
        ("content_filter", "prohibited_content guardrail_intervened spii image_safety"),
        ("error", "error failed"),
    )
    for word in words.split()
}
TIMEOUT_PATTERN = r"(?i)timed?.?out|deadline"
CANCELLED_PATTERN = r"(?i)cancel|abort|GeneratorExit|KeyboardInterrupt"
_TIMEOUT = re.compile(TIMEOUT_PATTERN)
_CANCELLED = re.compile(CANCELLED_PATTERN)
CANCELLED_WORDS = frozenset({"cancelled", "canceled", "aborted", "abort", "interrupted"})


def fold_finish_reason(word: str | None) -> str | None:
    """Return stop, length, tool_calls, content_filter or error; another word comes back in lower case."""
    if not word:
        return None
    low = word.rsplit(".", 1)[-1].lower()
    return _FOLDED.get(low, low)


def exception_of(span: RawSpan) -> tuple[str | None, str]:
    """Return type and message of the span's last exception event, (None, "") without one."""
    for event in reversed(span.events):
        if event.name == "exception" or "exception.type" in event.attributes:
            kind, message = event.attributes.get("exception.type"), event.attributes.get("exception.message")
            return (str(kind) if kind else None), (message if isinstance(message, str) else "")
    return None, ""


def timed_out(*said: str | None) -> bool:
    """Return whether error types or messages speak of a timeout or deadline."""
    return any(_TIMEOUT.search(text) for text in said if text)


def cancelled(error_type: str | None, finish_reason: str | None) -> bool:
    """Return whether the client itself ended the call, by error type or finish reason."""
    return bool(error_type and _CANCELLED.search(error_type)) or finish_reason in CANCELLED_WORDS
