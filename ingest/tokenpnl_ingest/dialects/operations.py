"""What a span did: every emitter's word for the operation, folded to `Operation`."""

from tokenpnl.model import Operation

_WORDS = {
    Operation.INFERENCE: """chat text_completion completion completions generate_content generate_text llm llm_call
        llm_request inference responses response message messages messages.create converse converse_stream invoke_model
        generation chat_completion chat_completions acompletion stream_text image_generation image speech transcription
        audio realtime multi_modal run_inference chat_model model_request vision""",
    Operation.EMBEDDING: "embeddings embedding embed aembedding",
    Operation.RERANK: "rerank reranker reranking",
    Operation.WORKFLOW: "invoke_workflow workflow",
    Operation.AGENT: "invoke_agent create_agent agent interaction run_agent agent_run invoke_swarm",
    Operation.TOOL: "execute_tool tool tool_call tools function function_call mcp_tools execute_function",
    Operation.RETRIEVAL: """retrieval retriever search search_memory vector_search query_vector_store memory_search
        retrieve create_memory update_memory delete_memory create_memory_store delete_memory_store upsert_memory""",
    Operation.GUARDRAIL: "guardrail guardrails moderation moderations",
    Operation.EVALUATION: "evaluation evaluator evaluate eval",
    Operation.HTTP: "http http_request",
    Operation.OTHER: "chain task plan span event handoff prompt parser fetch_response unknown list_tools",
}
_FOLDED = {word: operation for operation, words in _WORDS.items() for word in words.split()}


def operation_of(word: object) -> Operation | None:
    """Return the operation that an emitter's word means, None when it is not known."""
    if not isinstance(word, str):
        return None
    return _FOLDED.get(word) or _FOLDED.get(word.strip().lower())
