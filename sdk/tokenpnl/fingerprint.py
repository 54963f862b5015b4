"""Equality without content: keyed hashes of prompts, answers, tool arguments and results.

The key is ``TOKENPNL_FINGERPRINT_KEY``, one per tenant, so that every process and host of a tenant gives the same
fingerprint for the same content and nobody without the key can test a guess. Without it a constant key is used:
fingerprints stay equal across processes, but whoever reads the telemetry could confirm a guessed text.
"""

import hashlib
import hmac
import json
import os
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

from tokenpnl.state import state

BLOCK_TOKENS: Final = 128
# A tokenizer would weigh more than the whole SDK; providers document about four characters a token.
_BLOCK_CHARACTERS: Final = BLOCK_TOKENS * 4
_MOST_BLOCKS: Final = 512
_MOST_MESSAGES: Final = 64
_DEFAULT_KEY: Final = b"tokenpnl: set TOKENPNL_FINGERPRINT_KEY to a secret of the tenant"
# Providers cache a prompt in this order, so a changed question keeps the fingerprints of the tools before it.
_SAID: Final = ("system", "instructions", "system_instruction", "messages", "input", "contents")
_PROMPT_ORDER: Final = ("tools", *_SAID)


def _key() -> bytes:
    if state.fingerprint_key is not None:
        return state.fingerprint_key
    return os.environ.get("TOKENPNL_FINGERPRINT_KEY", "").encode() or _DEFAULT_KEY


def _plain(value: object) -> Any:
    """Return what JSON can write for a value that it does not know; an object that shows nothing gives its class name.

    Iterators and files are not read: what comes out of them is the host's.
    """
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return dump(mode="json", exclude_none=True)
    if isinstance(value, (bytes, bytearray)):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, AbstractSet):
        return sorted(map(canonical, value))
    if isinstance(value, Collection):
        return list(value)
    # Dates, decimals, ids, paths, enums and dataclasses show their content; the default text shows an address.
    return type(value).__qualname__ if type(value).__repr__ is object.__repr__ else repr(value)


def canonical(value: object) -> str:
    """Return one text for equal values: text as it is, everything else as JSON with sorted keys."""
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain)


def fingerprint(value: object) -> str:
    """Return the fingerprint of a value: 32 hex digits of an HMAC-SHA256 under the tenant's key."""
    return hmac.digest(_key(), canonical(value).encode("utf-8", "surrogatepass"), "sha256").hex()[:32]


def _parts(prompt: object) -> list[str]:
    if isinstance(prompt, Mapping):
        known = [key for key in _PROMPT_ORDER if prompt.get(key)]
        rest = sorted(str(key) for key in prompt if key not in _PROMPT_ORDER)
        return [part for key in known for part in _parts(prompt[key])] + [canonical({k: prompt.get(k)}) for k in rest]
    if isinstance(prompt, (list, tuple)):
        return [canonical(item) for item in prompt]
    return [canonical(prompt)]


def chained_blocks(prompt: object) -> list[str]:
    """Return one 16-digit fingerprint per full block of about 128 tokens, each chained to the one before.

    Two prompts share their first n fingerprints exactly when they share their first n blocks. At most 512 blocks.

    Args:
        prompt: text, a list of messages, or a mapping with `tools`, `system`, `messages` as the provider takes them.
    """
    text = "\x1e".join(_parts(prompt))
    key, link, chain = _key(), b"", []
    for start in range(0, min(len(text), _MOST_BLOCKS * _BLOCK_CHARACTERS) - _BLOCK_CHARACTERS + 1, _BLOCK_CHARACTERS):
        block = text[start : start + _BLOCK_CHARACTERS].encode("utf-8", "surrogatepass")
        link = hmac.digest(key, link + block, "sha256")
        chain.append(link.hex()[:16])
    return chain


def message_fingerprints(prompt: object) -> list[str]:
    """Return one fingerprint per message of a prompt, that of its text alone; of more than 64 the last 64.

    An answer that a later prompt holds as a message has the fingerprint that `Call.output` gave it, whoever is said to
    speak. A message of several parts has one each; definitions of tools are no messages; one plain text has none, as
    its fingerprint is the prompt's.

    Args:
        prompt: as of `chained_blocks`.
    """
    return [] if isinstance(prompt, str) else [fingerprint(text) for text in _texts(prompt)[-_MOST_MESSAGES:]]


def _texts(value: object) -> list[object]:
    """Return what a prompt, a message or a part of one says; what is not text (an image, a call of a tool) is whole."""
    dump = getattr(value, "model_dump", None)
    plain = _plain(value) if callable(dump) else value
    if isinstance(plain, (list, tuple)):
        return [text for item in plain for text in _texts(item)]
    if not isinstance(plain, Mapping):
        return [plain]
    inside = [plain[key] for key in ("content", "parts", "text") if isinstance(plain.get(key), (str, list, tuple))]
    if inside:
        return _texts(inside[0])
    if "role" in plain or "type" in plain:
        return [plain]
    return [text for key in _SAID if plain.get(key) for text in _texts(plain[key])]
