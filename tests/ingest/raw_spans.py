"""Short ways to write a raw span or log record, for tests of the dialects."""

from typing import Any

from tokenpnl_ingest.dialects import read_log, read_span
from tokenpnl_ingest.raw import RawEvent, RawLog, RawSpan

START_NS = 1_764_000_000 * 10**9
END_NS = START_NS + 2 * 10**9


def raw_span(attributes: dict[str, Any], *, scope: str = "", name: str = "chat", **changed: Any) -> RawSpan:
    given: dict[str, Any] = {
        "trace_id": "1" * 32,
        "span_id": "2" * 16,
        "parent_span_id": None,
        "name": name,
        "kind": "client",
        "start_ns": START_NS,
        "end_ns": END_NS,
        "status_code": "unset",
        "status_message": "",
        "scope_name": scope,
        "scope_version": "",
        "attributes": attributes,
        "resource": {},
        **changed,
    }
    return RawSpan(**given)


def row_of(attributes: dict[str, Any], *, scope: str = "", name: str = "chat", **changed: Any) -> dict[str, Any]:
    return read_span(raw_span(attributes, scope=scope, name=name, **changed))


def log_row_of(
    attributes: dict[str, Any], *, scope: str = "", event_name: str = "", body: Any = None
) -> dict[str, Any] | None:
    return read_log(
        RawLog(
            trace_id="",
            span_id="",
            event_name=event_name,
            time_ns=END_NS,
            severity="",
            body=body,
            scope_name=scope,
            scope_version="",
            attributes=attributes,
            resource={},
        )
    )


def exception(kind: str, message: str = "") -> RawEvent:
    return RawEvent("exception", END_NS, {"exception.type": kind, "exception.message": message})
