"""Which dialect reads a span: by its instrumentation scope, else by the attribute names that give an emitter away."""

from tokenpnl_ingest.dialects import coding_agents, conventions, frameworks, gateways, servers, traceloop
from tokenpnl_ingest.dialects.openinference import OPENINFERENCE
from tokenpnl_ingest.dialects.reading import Dialect
from tokenpnl_ingest.dialects.vercel import VERCEL
from tokenpnl_ingest.raw import RawSpan

# Scope names; one that ends in a star stands for every scope that begins so, the longest match wins.
SCOPES: dict[str, Dialect] = {
    "tokenpnl*": conventions.TOKENPNL,
    "openinference.instrumentation.*": OPENINFERENCE,
    "@arizeai/openinference*": OPENINFERENCE,
    "com.anthropic.sdk.*": conventions.ANTHROPIC_SDK,
    "com.anthropic.claude-platform*": conventions.CLAUDE_PLATFORM,
    "com.anthropic.claude_code.*": coding_agents.CLAUDE_CODE,
    "codex_*": coding_agents.CODEX,
    "gemini-cli*": coding_agents.GEMINI_CLI,
    "opentelemetry.instrumentation.genai.*": conventions.GENAI,
    "opentelemetry.instrumentation.genai.openai": conventions.GENAI_OPENAI,
    "opentelemetry.instrumentation.genai.anthropic": conventions.GENAI_ANTHROPIC,
    "opentelemetry.instrumentation.google_genai*": conventions.GOOGLE_GENAI,
    "opentelemetry.instrumentation.vertexai*": conventions.OPENAI_V2,
    "opentelemetry.instrumentation.openai_v2*": conventions.OPENAI_V2,
    "opentelemetry.instrumentation.botocore*": conventions.BOTOCORE,
    "opentelemetry.instrumentation.openai.*": traceloop.TRACELOOP_OPENAI,
    "opentelemetry.instrumentation.openai_agents*": traceloop.TRACELOOP_OPENAI,
    "opentelemetry.instrumentation.anthropic*": traceloop.TRACELOOP_ANTHROPIC,
    "opentelemetry.instrumentation.bedrock*": traceloop.TRACELOOP_BEDROCK,
    "opentelemetry.instrumentation.langchain*": traceloop.TRACELOOP_LANGCHAIN,
    "traceloop.*": traceloop.TRACELOOP,
    "litellm*": gateways.LITELLM,
    "openlit.instrumentation.*": gateways.OPENLIT,
    "openlit.instrumentation.anthropic*": gateways.OPENLIT_ANTHROPIC,
    "openlit.instrumentation.bedrock*": gateways.OPENLIT_ANTHROPIC,
    "ai": VERCEL,
    "pydantic-ai*": frameworks.PYDANTIC_AI,
    "logfire*": frameworks.LOGFIRE,
    "langfuse*": frameworks.LANGFUSE,
    "langsmith*": frameworks.LANGSMITH,
    "strands*": frameworks.STRANDS,
    "gcp.vertex.agent*": conventions.ADK,
    "vllm*": servers.VLLM,
    "sglang*": servers.SGLANG,
    "text-generation*": servers.TGI,
    "text-embeddings*": servers.TEI,
    "triton*": servers.TRITON,
    "trt.llm*": servers.TENSORRT_LLM,
    "tensorrt_llm*": servers.TENSORRT_LLM,
    "dynamo*": servers.DYNAMO,
}
# Attribute names that only one family writes, for spans whose scope says nothing.
MARKS: tuple[tuple[str, Dialect], ...] = (
    ("openinference.span.kind", OPENINFERENCE),
    ("ai.operationId", VERCEL),
    ("langfuse.observation.type", frameworks.LANGFUSE),
    ("langfuse.observation.usage_details", frameworks.LANGFUSE),
    ("langsmith.span.kind", frameworks.LANGSMITH),
    ("langsmith.trace.id", frameworks.LANGSMITH),
    ("traceloop.span.kind", traceloop.TRACELOOP),
    ("llm.request.type", traceloop.TRACELOOP),
    ("litellm.call_id", gateways.LITELLM),
    ("triton.model_name", servers.TRITON),
    ("gen_ai.latency.e2e", servers.SERVER),
    ("gen_ai.latency.time_in_queue", servers.SERVER),
    ("time_per_token", servers.TGI),
    ("tokenization_time", servers.TEI),
    ("gcp.vertex.agent.session_id", conventions.ADK),
)

_MAX_REMEMBERED = 10_000
_known: dict[str, Dialect | None] = {}


def dialect_of(span: RawSpan) -> Dialect:
    """Return the dialect that reads the span; the generic one when nothing gives the emitter away."""
    scope = span.scope_name
    if scope in _known:
        named = _known[scope]
    else:
        named = _by_scope(scope)
        if len(_known) < _MAX_REMEMBERED:
            _known[scope] = named
    if named is not None:
        return named
    attributes = span.attributes
    for mark, dialect in MARKS:
        if mark in attributes:
            return dialect
    service = span.resource.get("service.name")
    return servers.BY_SERVICE.get(service, conventions.GENERIC) if type(service) is str else conventions.GENERIC


def _by_scope(scope: str) -> Dialect | None:
    if scope in SCOPES:
        return SCOPES[scope]
    starts = [name for name in SCOPES if name.endswith("*") and scope.startswith(name[:-1])]
    return SCOPES[max(starts, key=len)] if starts else None
