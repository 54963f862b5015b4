"""OpenInference."""

import json

from tests.ingest.raw_spans import row_of


def test_openinference_llama_index_reads_the_older_cache_name_and_kinds() -> None:
    row = row_of(
        {
            "openinference.span.kind": "LLM",
            "llm.model_name": "gpt-5-mini",
            "llm.token_count.prompt": 1110,
            "llm.token_count.completion": 53,
            "llm.token_count.prompt_details.cache_input": 1009,
        },
        scope="openinference.instrumentation.llama_index",
    )
    kinds = {
        kind: row_of({"openinference.span.kind": kind})["operation"]
        for kind in ("CHAIN", "RETRIEVER", "RERANKER", "EMBEDDING", "GUARDRAIL", "EVALUATOR", "AGENT", "TOOL")
    }
    assert (row["operation"], row["cache_read_tokens"], row["provider"]) == ("inference", 1009, "openai")
    assert list(kinds.values()) == [
        "other",
        "retrieval",
        "rerank",
        "embedding",
        "guardrail",
        "evaluation",
        "agent",
        "tool",
    ]


def test_openinference_takes_the_answer_id_and_the_lifetimes_out_of_the_raw_answer() -> None:
    answer = {
        "id": "msg-1",
        "usage": {
            "input_tokens": 101,
            "output_tokens": 53,
            "cache_read_input_tokens": 1009,
            "cache_creation_input_tokens": 714,
            "cache_creation": {"ephemeral_5m_input_tokens": 503, "ephemeral_1h_input_tokens": 211},
        },
    }
    row = row_of(
        {
            "openinference.span.kind": "LLM",
            "llm.token_count.prompt": 1824,
            "llm.token_count.completion": 53,
            "output.value": json.dumps(answer),
        }
    )
    assert (row["response_id"], row["cache_write_5m_tokens"], row["cache_write_1h_tokens"]) == ("msg-1", 503, 211)
