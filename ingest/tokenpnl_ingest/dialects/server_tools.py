"""What a provider ran for an answer and bills by the piece: how often, in the words of each provider.

Only what was executed counts. Where a provider tells a count, it stands; where it keeps a list of what it ran, the list
is counted. Opening a page that was found is part of its search, and a call that failed is not billed.
"""

import re
from typing import Any

from tokenpnl_ingest.dialects import convert

_MOST_ITEMS = 1_000
# OpenAI's and xAI's answers list each call of a tool.
_CALLS = {
    "web_search_call": "web_searches",
    "x_search_call": "social_searches",
    "file_search_call": "storage_searches",
    "code_interpreter_call": "code_executions",
}
# Anthropic counts its searches; of code it keeps the results only.
_CODE_RESULTS = ("code_execution_tool_result", "bash_code_execution_tool_result")
# A column, and where it stands inside a usage object.
_COUNTED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("web_searches", ("server_tool_use", "web_search_requests")),
    ("code_executions", ("server_tool_use", "code_execution_requests")),
    ("web_searches", ("num_search_queries",)),
    ("web_searches", ("tool_calls_details", "search_web", "invocation")),
    ("web_searches", ("server_side_tool_usage_details", "web_search_calls")),
    ("social_searches", ("server_side_tool_usage_details", "x_search_calls")),
    ("storage_searches", ("server_side_tool_usage_details", "file_search_calls")),
    ("code_executions", ("server_side_tool_usage_details", "code_interpreter_calls")),
    ("rerank_searches", ("billed_units", "search_units")),
    ("document_pages", ("pages_processed",)),
)
# Up to 2.5 Gemini bills the prompt that was grounded, later models bill each search.
_BILLED_BY_PROMPT = re.compile(r"gemini-(1|2)\b")


def told(usage: dict[str, Any]) -> dict[str, int]:
    """Return the counts that a provider's usage object tells, by column; what it does not tell is absent."""
    counts: dict[str, int] = {}
    for column, path in _COUNTED:
        count = _at(usage, path)
        if count is not None:
            counts.setdefault(column, count)
    return counts


def listed(answer: dict[str, Any]) -> dict[str, int]:
    """Return what an answer lists as executed, by column; what it does not list is absent."""
    found = _responses(answer) | _anthropic(answer) | _gemini(answer)
    return {column: count for column, count in found.items() if count}


def pages(answer: dict[str, Any], counts: dict[str, int]) -> dict[str, int]:
    """Return the counts with the pages of a document answer under one of the two prices that they can have."""
    annotated = answer.get("document_annotation") is not None
    if annotated and "document_pages" in counts:
        return {name: n for name, n in counts.items() if name != "document_pages"} | {
            "annotated_pages": counts["document_pages"]
        }
    return counts


def _responses(answer: dict[str, Any]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for item in _objects(answer.get("output")):
        column = _CALLS.get(str(item.get("type")))
        action = item.get("action")
        searched = not isinstance(action, dict) or action.get("type", "search") == "search"
        if column is not None and item.get("status") == "completed" and searched:
            counts[column] = counts.get(column, 0) + 1
    return counts


def _anthropic(answer: dict[str, Any]) -> dict[str, int]:
    results = [item for item in _objects(answer.get("content")) if item.get("type") in _CODE_RESULTS]
    return {"code_executions": len(results)} if results else {}


def _gemini(answer: dict[str, Any]) -> dict[str, int]:
    searches = 0
    for candidate in _objects(answer.get("candidates")):
        grounding = candidate.get("groundingMetadata") or candidate.get("grounding_metadata")
        if isinstance(grounding, dict):
            queries = grounding.get("webSearchQueries") or grounding.get("web_search_queries")
            searches += sum(bool(query) for query in queries) if isinstance(queries, list) else 0
    model = answer.get("modelVersion") or answer.get("model_version")
    if isinstance(model, str) and _BILLED_BY_PROMPT.search(model):
        searches = min(searches, 1)
    return {"web_searches": searches} if searches else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value[:_MOST_ITEMS] if isinstance(item, dict)] if isinstance(value, list) else []


def _at(holder: dict[str, Any], path: tuple[str, ...]) -> int | None:
    value: Any = holder
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    if value is None:
        return None
    try:
        return convert.tokens(value)
    except ValueError:
        return None
