"""The policy that traffic shows today, the same with scenarios applied, and the difference between the two."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl
import yaml

from tokenpnl_analytics.rules.policy import PolicyFile, ResponseCachePolicy, StepPolicy, beyond_steps
from tokenpnl_analytics.rules.scenario_families import (
    CallMatch,
    Cascade,
    ContextCap,
    OutputCap,
    PromptCache,
    Reprice,
    ResponseCache,
    Retry,
    Route,
    RouteRule,
    SelfHost,
    Swap,
    Target,
)
from tokenpnl_analytics.rules.scenarios import Scenario

_STEP = ["workflow", "step"]


def present_policy(attempts: pl.DataFrame) -> PolicyFile:
    """Return what each step does today, as far as its attempts show it.

    Args:
        attempts: of a baseline. The model that serves most first attempts is what serves; models that served as a
            fallback follow, the most frequent first.
    """
    served = attempts.filter(pl.col("model").is_not_null()).group_by(
        *_STEP, "provider", "model", "service_tier", (pl.col("served_reason") == "fallback").alias("fallback")
    ).agg(pl.len().alias("n"), pl.col("attempt_number").max().alias("most"))  # fmt: skip
    ordered = served.sort([*_STEP, "n", "provider", "model"], descending=[False, False, True, False, False],
                          nulls_last=True)  # fmt: skip
    steps = []
    for (workflow, step), rows in ordered.group_by(_STEP, maintain_order=True):
        first = rows.filter(~pl.col("fallback")).head(1).to_dicts() or rows.head(1).to_dicts()
        serve = _target(first[0])
        others = [_target(row) for row in rows.filter("fallback").to_dicts()]
        most = rows["most"].max()
        steps.append(
            StepPolicy(
                workflow=workflow if isinstance(workflow, str) else None,
                step=str(step),
                serve=serve,
                service_tier=first[0]["service_tier"],
                fallbacks=tuple(dict.fromkeys(other for other in others if other != serve)),
                max_attempts=most if isinstance(most, int) and most > 1 else None,
            )
        )
    return PolicyFile(steps=tuple(steps))


def applied(
    policy: PolicyFile, scenarios: Sequence[Scenario], attempts: pl.DataFrame
) -> tuple[PolicyFile, tuple[str, ...]]:
    """Return the policy with scenarios applied, and a sentence for each that no policy of steps can say.

    Args:
        policy: result of `present_policy`.
        scenarios: applied in this order.
        attempts: of the same baseline; they tell which steps a scenario is for.
    """
    steps = {(step.workflow, step.step): step for step in policy.steps}
    left: list[str] = []
    for scenario in scenarios:
        meant = attempts.filter(scenario.where.expr()).select(_STEP).unique().sort(_STEP, nulls_last=True).rows()
        narrower = beyond_steps(scenario.where)
        for key in meant:
            if key not in steps:
                continue
            changed = _changed(steps[key], scenario, narrower)
            if changed is None:
                left.append(
                    f"{scenario.name}: a policy of steps cannot say {scenario.family} for {narrower_words(narrower)}."
                )
                break
            steps[key] = steps[key].model_copy(update=changed)
        if not meant:
            left.append(f"{scenario.name}: no call in the window matches it.")
    return policy.model_copy(update={"steps": tuple(steps.values())}), tuple(left)


def as_yaml(policy: PolicyFile, *, only: Sequence[StepPolicy] | None = None) -> str:
    """Return the policy as YAML that `POLICY` reads back."""
    chosen = policy if only is None else policy.model_copy(update={"steps": tuple(only)})
    plain = chosen.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return yaml.safe_dump({"version": policy.version, **plain}, sort_keys=False, allow_unicode=True, width=110)


def difference(before: PolicyFile, after: PolicyFile) -> str:
    """Return the unified difference of two policies as text; empty where they are equal."""
    old, new = (as_yaml(policy).splitlines(keepends=True) for policy in (before, after))
    return "".join(difflib.unified_diff(old, new, fromfile="policy.yaml as observed", tofile="policy.yaml", n=2))


def narrower_words(where: CallMatch) -> str:
    """Return what a match asks for as text: `customer halyard, context above 8000`."""
    told = where.model_dump(exclude_defaults=True)
    return ", ".join(f"{name.replace('_', ' ')} {_plain(value)}" for name, value in told.items()) or "all calls"


def _plain(value: object) -> str:
    return " or ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def _target(row: dict[str, Any]) -> Target:
    return Target(model=row["model"], provider=row["provider"])


def _changed(step: StepPolicy, scenario: Scenario, narrower: CallMatch) -> dict[str, Any] | None:
    """Return what a scenario changes of a step; None where a policy of steps cannot say it."""
    everywhere = narrower == CallMatch()
    if isinstance(scenario, Swap):
        if not everywhere:
            return {"routes": (*step.routes, RouteRule(when=narrower, to=scenario.to))}
        fallbacks = dict.fromkeys((step.serve, *step.fallbacks))
        return {"serve": scenario.to, "fallbacks": tuple(other for other in fallbacks if other != scenario.to)}
    if isinstance(scenario, Route):
        return {"routes": (*step.routes, *scenario.rules)} if everywhere else None
    return _settings(step, scenario) if everywhere else None


def _settings(step: StepPolicy, scenario: Scenario) -> dict[str, Any] | None:
    said = _SETTINGS.get(type(scenario))
    return said(step, scenario) if said else None


def _priced(step: StepPolicy, scenario: Reprice) -> dict[str, Any] | None:
    if scenario.rules or scenario.without_contract or scenario.beyond_free_quota:
        return None
    tier = None if scenario.service_tier == "standard" else scenario.service_tier
    return {
        **({"service_tier": tier} if scenario.service_tier else {}),
        **({"region": scenario.region} if scenario.region else {}),
        **({"serve": Target(model=step.serve.model, provider=scenario.provider)} if scenario.provider else {}),
    }


def _cached(_: StepPolicy, scenario: ResponseCache) -> dict[str, Any]:
    cache = ResponseCachePolicy(
        ttl_s=scenario.ttl_s,
        capacity=scenario.capacity,
        eviction=scenario.eviction.value,
        shared_by=scenario.shared_by,
    )
    return {"response_cache": cache}


def _retried(_: StepPolicy, scenario: Retry) -> dict[str, Any]:
    names = ("max_attempts", "timeout_ms", "fallbacks", "give_up_on")
    return {name: getattr(scenario, name) for name in names if getattr(scenario, name)}


def _hosted(step: StepPolicy, scenario: SelfHost) -> dict[str, Any]:
    serve = Target(model=scenario.model or step.serve.model, provider=step.serve.provider)
    return {"serve": serve, "self_hosted_on": f"{scenario.gpus_per_replica} x {scenario.gpu}"}


_SETTINGS: Mapping[type, Callable[[StepPolicy, Any], dict[str, Any] | None]] = {
    Cascade: lambda _, scenario: {"cascade": scenario},
    Reprice: _priced,
    ContextCap: lambda _, scenario: {"max_input_tokens": scenario.max_input_tokens, "shorten": scenario.how},
    OutputCap: lambda _, scenario: (
        {"max_output_tokens": scenario.max_output_tokens} if scenario.max_output_tokens else None
    ),
    ResponseCache: _cached,
    PromptCache: lambda _, scenario: {"prompt_cache_ttl": scenario.ttl},
    Retry: _retried,
    SelfHost: _hosted,
}
"""Family -> what it changes of a step; None where a policy of steps cannot say it."""
