"""One name for a model that the traces and the invoice spell differently."""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping

_VERSION_AT_END = re.compile(r"([-@:]?v\d+(:\d+)?)$")
_DATE_AT_END = re.compile(r"[-@](20\d\d-?[01]\d-?[0-3]\d|latest)$")
_WORD, _NUMBER = re.compile(r"[a-z]+"), re.compile(r"\d+")


def common_names(traced: Collection[str], billed: Collection[str], told: Mapping[str, str]) -> dict[str, str]:
    """Return one name for every spelling of a provider's models.

    Spellings with the same words and the same numbers in order are one model (`Claude4.6Sonnet` and
    `claude-sonnet-4-6`), whatever path, date or version stands around them. Dated versions stay apart where both sides
    tell them apart: two versions may have two prices.

    Args:
        traced: names in the traces.
        billed: names on the invoice.
        told: name on the invoice -> name in the traces, from the configuration; stronger than resemblance.
    """
    spellings: dict[str, set[str]] = defaultdict(set)
    for name in {*traced, *(told.get(name, name) for name in billed)}:
        spellings[_essence(name)].add(name)
    names: dict[str, str] = {}
    for essence in sorted(spellings):
        group = spellings[essence]
        apart = group & set(traced) == group & {told.get(name, name) for name in billed} == group
        shortest = min(group & set(traced) or group, key=lambda name: (len(name), name))
        names |= {name: name if apart else shortest for name in group}
    return names | {name: names[told.get(name, name)] for name in billed}


def _essence(name: str) -> str:
    bare = name.lower().rsplit("/", 1)[-1].rsplit(".anthropic.", 1)[-1]
    bare = re.sub(r"^(us|eu|apac|jp|au|global)\.", "", bare)
    bare = re.sub(r"^(anthropic|amazon|meta|mistral|cohere|openai|deepseek|qwen|ai21|writer)\.", "", bare)
    bare = _DATE_AT_END.sub("", _VERSION_AT_END.sub("", bare))
    return " ".join([*sorted(_WORD.findall(bare)), *_NUMBER.findall(bare)])
