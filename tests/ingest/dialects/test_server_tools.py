"""What providers run for an answer and bill by the piece."""

from typing import Any

import pytest

from tokenpnl_ingest.dialects.payload import answer_in
from tokenpnl_ingest.dialects.server_tools import listed, told

TOKENS = {"input_tokens": 5, "output_tokens": 7}


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 9}}, {"web_searches": 2}),
        ({"num_search_queries": 3}, {"web_searches": 3}),
        ({"tool_calls_details": {"search_web": {"invocation": 4}}}, {"web_searches": 4}),
        (
            {
                "server_side_tool_usage_details": {
                    "web_search_calls": 1,
                    "x_search_calls": 2,
                    "file_search_calls": 3,
                }
            },
            {"web_searches": 1, "social_searches": 2, "storage_searches": 3},
        ),
        ({"billed_units": {"search_units": 6}}, {"rerank_searches": 6}),
        ({"pages_processed": 8, "doc_size_bytes": 1}, {"document_pages": 8}),
        ({"server_tool_use": None, "num_search_queries": "many"}, {}),
    ],
)
def test_a_count_is_read_where_each_provider_tells_it(usage: dict[str, Any], counts: dict[str, int]) -> None:
    assert told(usage) == counts


def test_only_completed_calls_of_a_response_count() -> None:
    calls = [
        {"type": "file_search_call", "status": "completed"},
        {"type": "file_search_call", "status": "failed"},
        {"type": "code_interpreter_call", "status": "completed"},
        {"type": "code_interpreter_call", "status": "completed"},
        {"type": "x_search_call", "status": "completed"},
    ]
    assert listed({"output": calls}) == {"storage_searches": 1, "code_executions": 2, "social_searches": 1}


def test_code_that_anthropic_ran_is_counted_by_its_results() -> None:
    content = [
        {"type": "server_tool_use", "name": "bash_code_execution"},
        {"type": "bash_code_execution_tool_result"},
        {"type": "text", "text": "done"},
    ]
    assert listed({"content": content}) == {"code_executions": 1}


@pytest.mark.parametrize(("model", "n"), [("gemini-2.5-pro", 1), ("gemini-3-pro-preview", 2)])
def test_grounding_is_billed_by_the_prompt_up_to_two_and_a_half_and_by_the_search_after(model: str, n: int) -> None:
    answer = {
        "candidates": [{"groundingMetadata": {"webSearchQueries": ["a", "", "b"]}}],
        "modelVersion": model,
        "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 2},
    }
    found = answer_in(answer)
    assert found is not None
    assert found.usage["web_searches"] == n


def test_pages_of_an_annotated_document_are_annotated_pages() -> None:
    plain = {"pages": [], "usage_info": {"pages_processed": 3}}
    assert answer_in(plain).usage == {"document_pages": 3}  # type: ignore[union-attr]
    assert answer_in(plain | {"document_annotation": "{}"}).usage == {"annotated_pages": 3}  # type: ignore[union-attr]


def test_a_reranker_tells_its_search_units_and_no_tokens() -> None:
    found = answer_in({"id": "r1", "results": [], "meta": {"billed_units": {"search_units": 2}}})
    assert found is not None
    assert found.usage == {"rerank_searches": 2}


def test_a_told_count_wins_over_a_list() -> None:
    content = [{"type": "code_execution_tool_result"}]
    usage = TOKENS | {"server_tool_use": {"code_execution_requests": 4}}
    found = answer_in({"content": content, "usage": usage})
    assert found is not None
    assert found.usage["code_executions"] == 4
