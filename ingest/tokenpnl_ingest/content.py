"""What people and models said never reaches a row: which keys hold content, and the fingerprint that replaces it.

A key is judged by its words, so that the rule holds for emitters nobody has seen; a long text under an unknown key
counts as content too. Credentials go the same way, without a fingerprint.
"""

import hashlib
import re
from enum import StrEnum
from functools import lru_cache
from typing import Any

import orjson

MAX_TEXT_CHARS = 256
MAX_VALUE_CHARS = 65_536
PROSE_SPACES = 4
DEFAULT_SECRET = b"tokenpnl"
REDACTED = "[redacted]"


class Content(StrEnum):
    """What a content key holds; the first three get a fingerprint."""

    PROMPT = "prompt"
    OUTPUT = "output"
    ARGUMENTS = "arguments"
    OTHER = "other"
    CREDENTIAL = "credential"


def _split(words: str) -> frozenset[str]:
    return frozenset(words.split())


_CREDENTIALS = _split(
    """authorization cookie password passwd secret secrets credential credentials apikey bearer api_key access_token
    refresh_token private_key client_secret auth_token id_token session_token command_args command_line header headers
    requester_custom_headers user_api_key_hash user_email user_api_key_user_email email hidden_params optional_params
    connection_string dsn stack_trace stacktrace"""
)
_CONTENT_WORDS = {
    Content.ARGUMENTS: _split("arguments args parameters tool_input tool_parameters"),
    Content.OUTPUT: _split(
        """output outputs completion completions response_text assistant_response result results tool_output choices
        answer reply generations tool_response llm_response response_data"""
    ),
    Content.PROMPT: _split(
        """prompt prompts input inputs messages system_instructions instructions query question documents document
        transcript transcription request_text llm_request request_data chat_history all_messages new_messages"""
    ),
    Content.OTHER: _split(
        """content contents message text body embedding embeddings vector vectors value values tools definitions
        json_schema provider_metadata description snippet raw_response tool_calls reasoning variables payload data
        model_request_parameters edges statement invocation_parameters object history explanation note comment"""
    ),
}
_WORDS = {word: kind for kind, words in _CONTENT_WORDS.items() for word in words}
# Below these words everything is content, roles and names included.
_STRUCTURES = _split(
    "messages input_messages output_messages all_messages new_messages tools documents embeddings choices"
)
# Words that make a number or a label of what stands before them.
_MEASURES = _split(
    """tokens token_count count usage cost id ids name version type kind mime_type length role level effort total index
    size status valid model provider temperature top_p limit max_tokens latency duration truncated stop_reason dimension
    dimensions format hash score source ms ns seconds"""
)
_CREDENTIAL_ENDS = ("_api_key", "_password", "_secret", "_credentials", "-api-key")
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
# Cheap to look for; the expression above runs only where one of them stands.
_HINT = re.compile(r"[sprh][kf][-_]|gh[pos]_|xox|glpat|Bearer|AKIA|AIza|eyJ|@|key=|token=|word=|sig|\d{4}[ -]\d{4}")


def content_of(key: str) -> Content | None:
    """Return what kind of content a key holds by its words, or None for a plain attribute.

    `tokenpnl.` names are ours and hold no content. The first word that names content decides, so that the arguments
    inside a prompt's messages belong to the prompt.
    """
    if key in _KNOWN:
        return _KNOWN[key]
    parts = [_CAMEL.sub("_", part).lower() for part in _SEPARATOR.split(key) if part and not part.isdigit()]
    if any(part in _CREDENTIALS or part.endswith(_CREDENTIAL_ENDS) for part in parts):
        return Content.CREDENTIAL
    if not parts or parts[0] == "tokenpnl":
        return None
    words = [word for part in parts for word in (part, *part.split("_"))]
    if (parts[-1] in _MEASURES or words[-1] in _MEASURES) and _STRUCTURES.isdisjoint(parts):
        return None
    if parts[-1] == "response":
        return Content.OUTPUT
    return next((_WORDS[word] for word in words if word in _WORDS), None)


def is_prose(text: str) -> bool:
    """Return whether a text under a plain key is what somebody said: long, or five words and more."""
    return len(text) > MAX_TEXT_CHARS or text.count(" ") >= PROSE_SPACES


def fingerprint(secret: bytes, texts: list[tuple[str, Any]]) -> str:
    """Return the HMAC-SHA256 of keyed values in hex: equality without content.

    Args:
        secret: key of the owner of the data.
        texts: (attribute name, value); their order does not matter.
    """
    parts = [f"{key}={value if type(value) is str else _plain(value)}" for key, value in texts]
    if len(parts) > 1:
        parts.sort()
    inner, outer = _keyed(secret)
    inner, outer = inner.copy(), outer.copy()
    inner.update("\x1e".join(parts).encode("utf-8", "replace"))
    outer.update(inner.digest())
    return outer.hexdigest()


@lru_cache(maxsize=64)
def _keyed(secret: bytes) -> "tuple[hashlib._Hash, hashlib._Hash]":
    """Return the two hash states that HMAC (RFC 2104) starts from; keying anew costs more than hashing a prompt."""
    key = (secret if len(secret) <= 64 else hashlib.sha256(secret).digest()).ljust(64, b"\0")
    return hashlib.sha256(bytes(byte ^ 0x36 for byte in key)), hashlib.sha256(bytes(byte ^ 0x5C for byte in key))


def without_credentials(text: str) -> str:
    """Return the text with credentials, mail addresses and card numbers replaced by `[redacted]`."""
    if _HINT.search(text):
        return _CREDENTIAL_VALUE.sub(REDACTED, text)
    return text


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
