"""Who serves: provider names as emitters spell them, model names and hosts, to the ids of genai-prices."""

from functools import lru_cache

# Words that name a framework, a gateway or a flavour of API, not who serves.
FRAMEWORKS = frozenset(
    word
    for words in (
        "strands-agents strands langchain langgraph gcp.vertex.agent google_adk litellm llamaindex llama_index crewai",
        "autogen haystack dspy openai-agents pydantic-ai vercel ai langfuse langsmith logfire gateway proxy router",
        "custom fake unknown none _other other local global",
    )
    for word in words.split()
)
_NAMES = {
    "aws": "aws",
    "aws.bedrock": "aws",
    "aws_bedrock": "aws",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "amazon": "aws",
    "amazon_bedrock": "aws",
    "amazon-bedrock": "aws",
    "sagemaker": "aws",
    "gemini": "google",
    "gcp": "google",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "gcp_vertex_ai": "google",
    "google": "google",
    "google-vertex": "google",
    "google.vertex": "google",
    "google.generative-ai": "google",
    "google_genai": "google",
    "google_vertexai": "google",
    "google-gla": "google",
    "google-vertex-anthropic": "google",
    "vertexai": "google",
    "vertex_ai": "google",
    "vertex": "google",
    "azure": "azure",
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "az.ai.openai": "azure",
    "az.ai.inference": "azure",
    "azure-openai": "azure",
    "azure_openai": "azure",
    "azure_ai": "azure",
    "openai": "openai",
    "anthropic": "anthropic",
    "claude": "anthropic",
    "claude-platform": "anthropic",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "groq": "groq",
    "mistral": "mistral",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "perplexity": "perplexity",
    "x_ai": "x-ai",
    "x-ai": "x-ai",
    "xai": "x-ai",
    "together": "together",
    "togetherai": "together",
    "together_ai": "together",
    "fireworks": "fireworks",
    "fireworks_ai": "fireworks",
    "fireworks-ai": "fireworks",
    "openrouter": "openrouter",
    "cerebras": "cerebras",
    "moonshot": "moonshotai",
    "moonshot_ai": "moonshotai",
    "moonshotai": "moonshotai",
    "novita": "novita",
    "cloudflare": "cloudflare",
    "databricks": "databricks",
    "voyage": "voyageai",
    "voyageai": "voyageai",
    "minimax": "minimax",
    "zai": "zai",
    "zhipuai": "zhipuai",
    "meta": "meta",
    "elevenlabs": "elevenlabs",
    "github-copilot": "github-copilot",
    "ovhcloud": "ovhcloud",
    "baseten": "baseten",
}
_SUFFIXES = (".chat", ".responses", ".messages", ".embedding", ".completion", ".image", ".transcription", ".speech")
_MODELS = (
    (("claude",), "anthropic"),
    (("gpt-", "gpt4", "o1", "o3", "o4", "chatgpt", "text-embedding-3", "text-embedding-ada", "codex-"), "openai"),
    (("gemini", "text-embedding-00", "gemma-", "imagen", "veo-"), "google"),
    (("mistral-", "codestral", "ministral", "magistral", "pixtral"), "mistral"),
    (("command-r", "command-a", "embed-english", "embed-multilingual", "rerank-"), "cohere"),
    (("deepseek-",), "deepseek"),
    (("grok-",), "x-ai"),
    (("sonar",), "perplexity"),
    (("voyage-",), "voyageai"),
    (("kimi-", "moonshot-"), "moonshotai"),
)
_BEDROCK = ("anthropic.", "amazon.", "meta.llama", "mistral.mi", "cohere.co", "ai21.", "us.", "eu.", "apac.", "global.")
_HOSTS = (
    ("api.openai.com", "openai"),
    (".openai.azure.com", "azure"),
    (".services.ai.azure.com", "azure"),
    (".cognitiveservices.azure.com", "azure"),
    ("api.anthropic.com", "anthropic"),
    ("bedrock-runtime", "aws"),
    ("generativelanguage.googleapis.com", "google"),
    ("aiplatform.googleapis.com", "google"),
    ("api.groq.com", "groq"),
    ("api.mistral.ai", "mistral"),
    ("api.deepseek.com", "deepseek"),
    ("api.x.ai", "x-ai"),
    ("api.together.xyz", "together"),
    ("api.fireworks.ai", "fireworks"),
    ("openrouter.ai", "openrouter"),
    ("api.cohere", "cohere"),
    ("api.perplexity.ai", "perplexity"),
    ("api.cerebras.ai", "cerebras"),
    ("api.moonshot", "moonshotai"),
    ("api.voyageai.com", "voyageai"),
)


def provider_of(named: str | None) -> str | None:
    """Return the genai-prices id of a provider's name; None for a framework; an unknown name comes back as it is."""
    if not named:
        return None
    word = named.strip().lower()
    if word in _NAMES:
        return _NAMES[word]
    if word in FRAMEWORKS:
        return None
    for suffix in _SUFFIXES:
        if word.endswith(suffix):
            return provider_of(word.removesuffix(suffix))
    return provider_of(word.split(".")[0]) if word.split(".")[0] in _NAMES else word


def provider_of_host(host: str | None) -> str | None:
    """Return the provider whose public address a host is, None for any other."""
    if not host:
        return None
    low = host.lower()
    return next((provider for part, provider in _HOSTS if part in low), None)


def provider_of_model(model: str | None) -> str | None:
    """Return the provider that a model's name points to, None when it does not say.

    A vendor prefix with a dot (`anthropic.claude-...`, `us.anthropic...`) is how Bedrock spells models; a prefix with a
    slash (`openai/gpt-...`) names the provider.
    """
    if not model:
        return None
    low = model.lower()
    if low.startswith(_BEDROCK) or low.startswith("arn:aws:bedrock"):
        return "aws"
    prefix, slash, rest = low.partition("/")
    if slash and prefix in _NAMES:
        return _NAMES[prefix]
    return next((provider for starts, provider in _MODELS if (rest or low).startswith(starts)), None)


@lru_cache(maxsize=10_000)
def serving_provider(named: tuple[str, ...], host: str | None, model: str | None) -> str | None:
    """Return who serves, None when nothing says.

    Args:
        named: provider names as sent, best first.
        host: server address; a provider's public host is certain.
        model: model that served, else was asked for; the last resort.
    """
    stated = next((provider for provider in map(provider_of, named) if provider), None)
    return provider_of_host(host) or stated or provider_of_model(model)
