"""A policy as the configuration of a LiteLLM router, and what that router cannot do."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from tokenpnl_analytics.rules.policy import StepPolicy
from tokenpnl_analytics.rules.scenario_families import Target

PREFIX: Mapping[str, str] = {
    "anthropic": "anthropic",
    "aws": "bedrock",
    "azure": "azure",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "fireworks": "fireworks_ai",
    "google": "gemini",
    "groq": "groq",
    "mistral": "mistral",
    "moonshotai": "moonshot",
    "novita": "novita",
    "openai": "openai",
    "openrouter": "openrouter",
    "perplexity": "perplexity",
    "together": "together_ai",
    "x-ai": "xai",
}
"""Our provider (genai-prices' id) -> the prefix by which LiteLLM names it."""
_OWN_SERVER = "http://127.0.0.1:8000/v1"


def litellm_config(steps: Sequence[StepPolicy], *, notes: Sequence[str] = ()) -> tuple[str, tuple[str, ...]]:
    """Return the router's YAML, one model name a step (`workflow/step`), and a sentence for each thing left out.

    Args:
        steps: those that the router shall serve.
        notes: lines for its head, such as what is expected of the change.
    """
    models: list[dict[str, Any]] = []
    fallbacks: list[dict[str, list[str]]] = []
    left: list[str] = []
    for step in steps:
        name = name_of(step)
        models.append({"model_name": name, "litellm_params": _parameters(step, step.serve)})
        names = [f"{name}-fallback{'' if place == 1 else f'-{place}'}" for place in range(1, len(step.fallbacks) + 1)]
        models += [
            {"model_name": other, "litellm_params": _parameters(step, target, fallback=True)}
            for other, target in zip(names, step.fallbacks, strict=True)
        ]
        if names:
            fallbacks.append({name: names})
        left += _not_said(step)
    router: dict[str, Any] = {}
    retries = [step.max_attempts - 1 for step in steps if step.max_attempts is not None]
    if retries:
        router["num_retries"] = min(retries)
        if len(set(retries)) > 1:
            left.append(f"num_retries holds for the whole router: {min(retries)} is the least of what the steps want.")
    if fallbacks:
        router["fallbacks"] = fallbacks
    document = {"model_list": models, **({"router_settings": router} if router else {}), **_cache(steps, left)}
    head = "".join(f"# {line}\n" for note in notes for line in note.splitlines())
    return head + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110), tuple(dict.fromkeys(left))


def name_of(step: StepPolicy) -> str:
    """Return the model name by which a program asks the router for this step."""
    return step.step if step.workflow is None else f"{step.workflow}/{step.step}"


def _parameters(step: StepPolicy, target: Target, *, fallback: bool = False) -> dict[str, Any]:
    own = step.self_hosted_on is not None and not fallback
    prefix = "hosted_vllm" if own else PREFIX.get(target.provider or "")
    found: dict[str, Any] = {"model": f"{prefix}/{target.model}" if prefix else target.model}
    if own:
        found["api_base"] = _OWN_SERVER
    if step.timeout_ms is not None:
        found["timeout"] = step.timeout_ms / 1000
    if step.max_output_tokens is not None:
        found["max_tokens"] = step.max_output_tokens
    if step.service_tier in ("flex", "priority"):
        found["service_tier"] = step.service_tier
    return found


def _cache(steps: Sequence[StepPolicy], left: list[str]) -> dict[str, Any]:
    cached = [step for step in steps if step.response_cache is not None]
    if not cached:
        return {}
    left.append(
        "LiteLLM's cache serves every model of the router; ask with `cache: {no-cache: true}` where it must not."
    )
    ttls = [step.response_cache.ttl_s for step in cached if step.response_cache and step.response_cache.ttl_s]
    kept = {"type": "local", "supported_call_types": ["acompletion", "completion"]}
    return {"litellm_settings": {"cache": True, "cache_params": {**kept, **({"ttl": min(ttls)} if ttls else {})}}}


def _not_said(step: StepPolicy) -> list[str]:
    name = name_of(step)
    told = {
        f"{name}: routes by rules are the program's: ask for the model that the rule names.": bool(step.routes),
        f"{name}: a cascade on a score is the program's.": step.cascade is not None,
        f"{name}: LiteLLM has no cap on input; the program must {step.shorten or 'shorten'} above "
        f"{step.max_input_tokens} tokens.": step.max_input_tokens is not None,
        f"{name}: batch goes through the provider's batch API, not through a router.": step.service_tier == "batch",
        f"{name}: prompt-cache marks are set in the request.": step.prompt_cache_ttl is not None,
        f"{name}: put the address of your own server into api_base.": step.self_hosted_on is not None,
        f"{name}: no prefix of LiteLLM is known for {step.serve.provider}; the model is named alone.": (
            step.serve.provider is not None and step.serve.provider not in PREFIX and step.self_hosted_on is None
        ),
    }
    return [sentence for sentence, holds in told.items() if holds]
