"""How each provider says the same answer: bodies, streams and errors of six APIs, each with its own sense of usage."""

from collections.abc import Callable, Iterator
from typing import Final

from provider_wire.anthropic_api import anthropic_body, anthropic_stream
from provider_wire.google_and_aws import bedrock_body, gemini_body, gemini_stream
from provider_wire.model import Api, Json, Reply, ToolCall, Usage
from provider_wire.openai_api import chat_body, chat_stream, embeddings_body, responses_body, responses_stream

__all__ = ["BODIES", "STREAMS", "Api", "Json", "Reply", "ToolCall", "Usage", "error_body"]

BODIES: Final[dict[Api, Callable[[Reply], Json]]] = {
    Api.OPENAI_CHAT: chat_body,
    Api.OPENAI_RESPONSES: responses_body,
    Api.OPENAI_EMBEDDINGS: embeddings_body,
    Api.ANTHROPIC: anthropic_body,
    Api.GEMINI: gemini_body,
    Api.BEDROCK: bedrock_body,
}
STREAMS: Final[dict[Api, Callable[[Reply], Iterator[bytes]]]] = {
    Api.OPENAI_CHAT: chat_stream,
    Api.OPENAI_RESPONSES: responses_stream,
    Api.ANTHROPIC: anthropic_stream,
    Api.GEMINI: gemini_stream,
}


def error_body(api: Api, status: int) -> Json:
    """Return what the API says when it refuses a request with this HTTP status."""
    throttled, message = status == 429, f"scripted {status} of the provider double"
    match api:
        case Api.ANTHROPIC:
            kind = {429: "rate_limit_error", 529: "overloaded_error"}.get(status, "api_error")
            return {"type": "error", "error": {"type": kind, "message": message}}
        case Api.GEMINI:
            name = "RESOURCE_EXHAUSTED" if throttled else "INTERNAL"
            return {"error": {"code": status, "message": message, "status": name}}
        case Api.BEDROCK:
            return {"__type": "ThrottlingException" if throttled else "InternalServerException", "message": message}
        case _:
            kind = "rate_limit_error" if throttled else "server_error"
            return {"error": {"message": message, "type": kind, "code": "rate_limit_exceeded" if throttled else None}}
