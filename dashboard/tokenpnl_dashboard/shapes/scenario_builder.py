"""From a form to a scenario file: which fields a kind of change has, and the text with one change more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from tokenpnl_analytics.rules.scenarios import Family

Value = str | float | int | None


@dataclass(frozen=True)
class Asked:
    """One field of the form.

    Attributes:
        path: where the value goes in the change, such as `to.model`.
        label: what the reader sees.
        default: what stands there first; its type decides the input; None: empty text.
        choices: closed list of values; empty: any.
    """

    path: str
    label: str
    default: Value = None
    choices: tuple[str, ...] = ()


FIELDS: Mapping[Family, tuple[Asked, ...]] = {
    Family.SWAP: (Asked("to.model", "Model"), Asked("to.provider", "Provider (empty: the present one)")),
    Family.RESPONSE_CACHE: (
        Asked("ttl_s", "An answer is good for, seconds", 3600.0),
        Asked("shared_by", "Shared by", "customer", ("customer", "tenant")),
    ),
    Family.PROMPT_CACHE: (Asked("ttl", "Lifetime", "provider", ("provider", "5m", "1h")),),
    Family.CONTEXT_CAP: (
        Asked("max_input_tokens", "Most input tokens", 8000),
        Asked("how", "What is above it", "summarise", ("summarise", "chunk", "refuse")),
    ),
    Family.OUTPUT_CAP: (Asked("max_output_tokens", "Most output tokens", 500),),
    Family.RETRY: (Asked("max_attempts", "Most attempts", 2),),
    Family.REPRICE: (Asked("service_tier", "Tier", "batch", ("batch", "flex", "priority", "standard")),),
    Family.CASCADE: (
        Asked("cheap.model", "Cheap model first"),
        Asked("threshold", "Ask the strong one below a confidence of", 0.7),
    ),
    Family.SELF_HOST: (
        Asked("model", "Open weights that would serve"),
        Asked("gpu", "Accelerator", "l4"),
        Asked("usd_per_hour", "USD an hour, each", 0.8),
        Asked("prefill_tokens_per_s", "Tokens read a second, per replica", 5000.0),
        Asked("decode_tokens_per_s", "Tokens written a second, per replica", 800.0),
    ),
}
"""What the form offers; every other kind and every other field is written into the file itself."""

TITLES: Mapping[Family, str] = {
    Family.SWAP: "Another model for the same calls",
    Family.RESPONSE_CACHE: "Reuse answers to equal requests",
    Family.PROMPT_CACHE: "The provider's prompt cache",
    Family.CONTEXT_CAP: "A cap on input",
    Family.OUTPUT_CAP: "A cap on output",
    Family.RETRY: "Fewer attempts",
    Family.REPRICE: "Another tier, such as batch",
    Family.CASCADE: "A cheap model first",
    Family.SELF_HOST: "Servers of our own",
}

BLANK = "name: A new scenario\nwindow: {last_days: 30}\nscenarios: []\n"


def change(family: Family, values: Mapping[str, Value], where: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return a change as the file has it.

    Args:
        family: kind of change.
        values: by path of the field; empty ones are left out.
        where: names of the calls that it is for; empty lists are left out.
    """
    limits = {name: list(names) if len(names) > 1 else names[0] for name, names in where.items() if names}
    told = {path: value for path, value in values.items() if value not in (None, "")}
    title = TITLES[family].lower() + (
        f" for {', '.join(name for names in where.values() for name in names)}" if limits else ""
    )
    made: dict[str, Any] = {"name": title, "family": family.value, **({"where": limits} if limits else {})}
    for path, value in told.items():
        head, _, rest = path.partition(".")
        if rest:
            made.setdefault(head, {})[rest] = value
        else:
            made[head] = value
    return made


def with_change(text: str, made: Mapping[str, Any]) -> str:
    """Return the text of a scenario file with one change more at its end; comments after `scenarios` are kept.

    Args:
        text: YAML of a scenario file; text that is none is left as it is before the change.
        made: result of `change`; where its name stands already, it gets a number.
    """
    try:
        known = yaml.safe_load(text) or {}
    except yaml.YAMLError:
        known = {}
    listed = known.get("scenarios") if isinstance(known, dict) else None
    names = {one.get("name") for one in listed or () if isinstance(one, dict)}
    name = made["name"]
    numbered = next(
        f"{name}{tail}" for tail in ("", *(f" {n}" for n in range(2, 1000))) if f"{name}{tail}" not in names
    )
    entry = yaml.safe_dump([{**made, "name": numbered}], sort_keys=False, allow_unicode=True, width=110)
    indented = "".join(f"  {line}" for line in entry.splitlines(keepends=True))
    if not listed:
        head = "\n".join(line for line in text.splitlines() if not line.startswith("scenarios:"))
        return f"{head.rstrip()}\nscenarios:\n{indented}"
    if list(known)[-1] == "scenarios" and "\n  -" in text:
        return f"{text.rstrip()}\n\n{indented}"
    whole = {
        **{key: value for key, value in known.items() if key != "scenarios"},
        "scenarios": [*listed, {**made, "name": numbered}],
    }
    return yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=110)
