"""Why a record was refused, or stored with a flag: a closed set, and the row that says so."""

from enum import StrEnum
from typing import Any

from tokenpnl.model import Flag


class Reason(StrEnum):
    """The first group refuses the record; the second stores it and flags it."""

    TRACE_ID_INVALID = "trace_id_invalid"
    SPAN_ID_INVALID = "span_id_invalid"
    RECORD_MALFORMED = "record_malformed"
    OUTCOME_INVALID = "outcome_invalid"
    EVALUATION_INVALID = "evaluation_invalid"

    PARENT_ID_INVALID = "parent_id_invalid"
    SELF_PARENT = "self_parent"
    DUPLICATE_ATTRIBUTE = "duplicate_attribute"
    END_BEFORE_START = "end_before_start"
    TIME_IMPLAUSIBLE = "time_implausible"
    USAGE_IMPLAUSIBLE = "usage_implausible"
    UNMAPPED_USAGE = "unmapped_usage"
    VALUE_TRUNCATED = "value_truncated"
    REPORTED_COST_IMPLAUSIBLE = "reported_cost_implausible"


# Flags that somebody should look into; the others are ordinary news about a row.
FLAGGED = {
    Flag.SELF_PARENT: Reason.SELF_PARENT,
    Flag.DUPLICATE_ATTRIBUTE: Reason.DUPLICATE_ATTRIBUTE,
    Flag.END_BEFORE_START: Reason.END_BEFORE_START,
    Flag.TIME_IMPLAUSIBLE: Reason.TIME_IMPLAUSIBLE,
    Flag.USAGE_IMPLAUSIBLE: Reason.USAGE_IMPLAUSIBLE,
    Flag.UNMAPPED_USAGE: Reason.UNMAPPED_USAGE,
    Flag.VALUE_TRUNCATED: Reason.VALUE_TRUNCATED,
    Flag.REPORTED_COST_IMPLAUSIBLE: Reason.REPORTED_COST_IMPLAUSIBLE,
}


def entry(
    reason: Reason, signal: str, detail: str, *, refused: bool, ids: tuple[str, str] = ("", "")
) -> dict[str, Any]:
    """Return a `quarantine` row without its arrival columns.

    Args:
        reason: why.
        signal: traces, logs or metrics.
        detail: what was expected and what came; free of content.
        refused: True when the record was not stored.
        ids: trace id and span id in hex, as far as they could be read; empty when not.
    """
    return {
        "tenant": "default",
        "reason": reason.value,
        "signal": signal,
        "refused": refused,
        "trace_id": ids[0] or None,
        "span_id": ids[1] or None,
        "detail": detail,
    }
