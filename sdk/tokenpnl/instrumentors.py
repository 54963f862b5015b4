"""Which instrumentation speaks for which model client: one each, so that no call is counted twice.

Several distributions register the same entry point. Preference: the client's own spans,
`opentelemetry-instrumentation-genai-*`, OpenInference, Traceloop and the other `opentelemetry-instrumentation-*`,
then `*-v2`. What is already instrumented is left alone.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, distribution, entry_points
from typing import Any, Final

from tokenpnl.guard import log

_GROUP: Final = "opentelemetry_instrumentor"
# Entry points of this group also cover web servers and databases: these are the ones about models.
_CLIENTS: Final = frozenset({
    "openai", "anthropic", "google-genai", "vertexai", "bedrock", "cohere", "groq", "mistralai", "ollama", "together",
    "replicate", "watsonx", "sagemaker", "voyageai", "writer", "alephalpha", "litellm", "langchain", "llama-index",
    "openai-agents", "crewai", "haystack", "dspy", "smolagents", "agno", "mcp", "pydantic-ai", "instructor",
    "autogen", "transformers", "claude-agent-sdk", "strands-agents",
})  # fmt: skip
_SAME_CLIENT: Final = {
    "llamaindex": "llama-index",
    "google-generativeai": "google-genai",
    "mistral": "mistralai",
    "aws-bedrock": "bedrock",
    "openai-v2": "openai",
    "openai-agents-v2": "openai-agents",
}
# Files that show that the client itself writes spans, and the variable that turns them off.
_NATIVE: Final = {"anthropic": ("anthropic/_tracing.py", "ANTHROPIC_OPEN_TELEMETRY")}


@dataclass(frozen=True, slots=True)
class Instrumentation:
    """What was decided for one model client.

    `status`: `native` (the client writes spans itself), `instrumented` (switched on by us), `already` (was on),
    `disabled` (by argument or variable), `failed` (see `reason`). `passed_over` are the distributions not used.
    """

    client: str
    distribution: str
    version: str
    status: str
    reason: str = ""
    passed_over: tuple[str, ...] = ()


def _client(entry: EntryPoint) -> str:
    name = entry.name.lower().replace("_", "-")
    return _SAME_CLIENT.get(name, name)


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name.lower().replace("_", "-") if entry.dist is not None else "unknown"


def _version(entry: EntryPoint) -> str:
    return entry.dist.version if entry.dist is not None else ""


def preference(distribution_name: str) -> int:
    """Return the rank of a distribution, smaller first."""
    if distribution_name.startswith("opentelemetry-instrumentation-genai-"):
        return 1
    if distribution_name.startswith("openinference-instrumentation"):
        return 2
    return 4 if distribution_name.endswith("-v2") else 3


def candidates() -> dict[str, list[EntryPoint]]:
    """Return the installed instrumentors of each model client, best first, clients in order of name."""
    found: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=_GROUP):
        client, owner = _client(entry), _distribution(entry)
        if client in _CLIENTS or owner.startswith(("opentelemetry-instrumentation-genai-", "openinference-")):
            found.setdefault(client, []).append(entry)
    for entries in found.values():
        entries.sort(key=lambda entry: (preference(_distribution(entry)), _distribution(entry)))
    return dict(sorted(found.items()))


def native_clients() -> dict[str, Distribution]:
    """Return the installed clients that write spans of their own and are not told to be silent."""
    found = {}
    for client, (marker, switch) in _NATIVE.items():
        if os.environ.get(switch, "").strip().lower() in {"false", "0", "off"}:
            continue
        try:
            package = distribution(client)
        except PackageNotFoundError:
            continue
        if os.path.exists(str(package.locate_file(marker))):  # noqa: PTH110 -- locate_file gives no pathlib path
            found[client] = package
    return found


def _already_on(entry: EntryPoint) -> bool:
    """Return whether this instrumentor is on; one whose module nobody imported cannot be."""
    if entry.module not in sys.modules:
        return False
    return bool(getattr(entry.load()(), "is_instrumented_by_opentelemetry", False))


def _switch_on(client: str, entries: Sequence[EntryPoint], provider: Any) -> Instrumentation:
    """Switch on the first candidate that fits the installed client."""
    names = [_distribution(entry) for entry in entries]
    for entry, name in zip(entries, names, strict=True):
        if _already_on(entry):
            others = tuple(other for other in names if other != name)
            return Instrumentation(client, name, _version(entry), "already", passed_over=others)
    reasons = []
    for entry, name in zip(entries, names, strict=True):
        try:
            entry.load()().instrument(tracer_provider=provider, raise_exception_on_conflict=True)
        except Exception as error:  # noqa: BLE001 -- foreign code at the SDK's border: the next candidate may do
            reasons.append(f"{name}: {type(error).__name__}: {error}")
            log.debug("%s was not switched on", name, exc_info=error)
            continue
        others = tuple(other for other in names if other != name)
        return Instrumentation(client, name, _version(entry), "instrumented", "; ".join(reasons), others)
    return Instrumentation(client, names[0], _version(entries[0]), "failed", "; ".join(reasons), tuple(names[1:]))


def _refusal(client: str, entries: Sequence[EntryPoint], instrument: bool | Sequence[str]) -> str:  # noqa: FBT001 -- as init spells it
    """Return why a client is not to be instrumented, or nothing."""
    off = {name.strip() for name in os.environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(",")}
    if "*" in off or off & {entry.name for entry in entries}:
        return "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
    if instrument is False:
        return "init(instrument=False)"
    if instrument is not True:
        named = {name.lower().replace("_", "-") for name in instrument}
        if client not in named and not named & {_distribution(entry) for entry in entries}:
            return "not in init(instrument=[...])"
    return ""


def instrument_clients(provider: Any, instrument: bool | Sequence[str] = True) -> tuple[Instrumentation, ...]:  # noqa: FBT001, FBT002 -- as init spells it
    """Switch on one instrumentation per installed model client and return what was decided for each.

    Args:
        provider: the tracer provider that they shall use.
        instrument: True for all, False for none, or names of clients or of distributions (the latter also decide
            which of several is used).
    """
    decided = []
    native, installed = native_clients(), candidates()
    named = set() if isinstance(instrument, bool) else {name.lower().replace("_", "-") for name in instrument}
    for client in sorted({*native, *installed}):
        entries = installed.get(client, [])
        chosen = [entry for entry in entries if _distribution(entry) in named]
        refusal = _refusal(client, entries, instrument)
        if client in native and not chosen:
            others = tuple(_distribution(entry) for entry in entries)
            decided.append(Instrumentation(client, client, native[client].version, "native", passed_over=others))
        elif refusal:
            first = entries[0]
            decided.append(Instrumentation(client, _distribution(first), _version(first), "disabled", refusal))
        else:
            decided.append(_switch_on(client, chosen or entries, provider))
    return tuple(decided)
