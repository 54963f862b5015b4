"""What people and models said never reaches a row: which keys hold content, and the fingerprint that replaces it.

A key is judged by its words, so that the rule holds for emitters nobody has seen; a long text under an unknown key
counts as content too. Credentials go the same way, without a fingerprint.
"""

import hmac
import re
from enum import StrEnum
from typing import Any

import orjson

MAX_TEXT_CHARS = 256
MAX_VALUE_CHARS = 65_536
DEFAULT_SECRET = b"tokenpnl"
REDACTED = "[redacted]"


class Content(StrEnum):
    """What a content key holds; the first three get a fingerprint."""

    PROMPT = "prompt"
    OUTPUT = "output"
    ARGUMENTS = "arguments"
    OTHER = "other"
    CREDENTIAL = "credential"


_CREDENTIALS = frozenset(
    "authorization cookie password passwd secret secrets credential credentials apikey bearer api_key access_token "
    "refresh_token private_key client_secret auth_token id_token session_token command_args command_line header headers "
    "requester_custom_headers user_api_key_hash user_email user_api_key_user_email email hidden_params optional_params "
    "connection_string dsn stack_trace stacktrace".split()
)
_WORDS: dict[str, Content] = {
    word: kind
    for kind, words in (
        (Content.ARGUMENTS, "arguments args parameters tool_arguments tool_input tool_args tool_parameters"),
        (
            Content.OUTPUT,
            "output outputs output_messages completion completions response_text assistant_response output_value result "
            "results final_result tool_result tool_output choices answer reply generations",
        ),
        (
            Content.PROMPT,
            "prompt prompts input inputs input_messages messages system_instructions system_prompt user_prompt "
            "instructions query question documents document transcript request_text prompt_template chat_history "
            "all_messages new_messages",
        ),
        (
            Content.OTHER,
            "content contents message text body embedding embeddings vector vectors value values tools definitions "
            "json_schema provider_metadata description snippet response_body request_body raw_response tool_calls "
            "reasoning variables model_request_parameters function_tools edges statement invocation_parameters object",
        ),
    )
    for word in words.split()
}
# Below these words everything is content, roles and names included.
_STRUCTURES = frozenset(
    "messages input_messages output_messages all_messages new_messages tools documents embeddings choices".split()
)
# Words that make a number or a label of what stands before them.
_MEASURES = frozenset(
    "tokens token_count count usage cost id ids name version type kind mime_type length role level effort total index "
    "size status valid model provider temperature top_p limit max_tokens latency duration truncated input_tokens "
    "output_tokens stop_reason dimension dimensions format".split()
)
_KNOWN = {
    "ai.response.text": Content.OUTPUT,
    "ai.response.object": Content.OUTPUT,
    "ai.response.toolCalls": Content.OUTPUT,
    "gen_ai.event.content": Content.OTHER,
    "llm.openai.object": None,
}
_SEPARATOR = re.compile(r"[.\[\]/:]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# Matches stay inside one JSON string: no quote, no backslash.
_CREDENTIAL_VALUE = re.compile(
    r"\b(?:sk|pk|rk|hf|ghp|gho|ghs|glpat|xox[abprs])[-_][A-Za-z0-9_-]{12,}"
    r"|\bBearer\s+[^\s\"\\]+|\bAKIA[0-9A-Z]{12,}|\bAIza[\w-]{20,}|\beyJ[\w-]{8,}\.[\w-]{8,}"
    r"|(?<=//)[^/\s:@\"\\]+:[^/\s@\"\\]+(?=@)|(?<=[?&])(?:api_?key|key|token|sig|signature|password)=[^&\s\"\\]+"
    r"|[\w.+-]+@[\w-]+\.[A-Za-z]{2,}"
    r"|(?<![\w-])\d{4}[ -]\d{4}[ -]\d{4}[ -]\d{1,7}(?![\w-])"
)
_HINTS = (
    "sk-",
    "pk-",
    "rk-",
    "sk_",
    "hf_",
    "gh",
    "xox",
    "glpat",
    "Bearer",
    "AKIA",
    "AIza",
    "eyJ",
    "@",
    "key=",
    "token=",
)


def content_of(key: str) -> Content | None:
    """Return what kind of content a key holds by its words, or None for a plain attribute.

    `tokenpnl.` names are ours and hold no content. The first word that names content decides, so that the arguments
    inside a prompt's messages belong to the prompt.
    """
    if key in _KNOWN:
        return _KNOWN[key]
    words = [_CAMEL.sub("_", part).lower() for part in _SEPARATOR.split(key) if part and not part.isdigit()]
    if not _CREDENTIALS.isdisjoint(words):
        return Content.CREDENTIAL
    if not words or words[0] == "tokenpnl":
        return None
    if words[-1] in _MEASURES and _STRUCTURES.isdisjoint(words):
        return None
    if words[-1] == "response":
        return Content.OUTPUT
    return next((_WORDS[word] for word in words if word in _WORDS), None)


def fingerprint(secret: bytes, texts: list[tuple[str, Any]]) -> str:
    """Return the HMAC-SHA256 of keyed values in hex: equality without content.

    Args:
        secret: key of the owner of the data.
        texts: (attribute name, value); their order does not matter.
    """
    parts = sorted(f"{key}={_plain(value)}" for key, value in texts)
    return hmac.digest(secret, "\x1e".join(parts).encode("utf-8", "replace"), "sha256").hex()


def without_credentials(text: str) -> str:
    """Return the text with credentials, mail addresses and card numbers replaced by `[redacted]`."""
    if any(hint in text for hint in _HINTS) or text.count(" ") > 2:
        return _CREDENTIAL_VALUE.sub(REDACTED, text)
    return text


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
