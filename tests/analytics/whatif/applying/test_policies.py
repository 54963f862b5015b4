"""From traffic to a policy, and from scenarios to a changed one."""

from typing import Any

import polars as pl
import pytest
from tests.analytics.conftest import attempts_of

from tokenpnl_analytics.rules.policy import POLICY, PolicyFile
from tokenpnl_analytics.rules.scenarios import SCENARIOS, Scenario
from tokenpnl_analytics.whatif.applying.policies import applied, as_yaml, difference, present_policy


@pytest.fixture
def attempts() -> pl.DataFrame:
    """Three drafts by gpt-4o, one of them served by a fallback in a second attempt; one check."""
    draft = {"workflow": "support", "step": "draft"}
    fallback = {"provider": "anthropic", "model": "claude-opus-5", "served_reason": "fallback", "attempt_number": 2}
    frame = attempts_of(draft, draft, draft | fallback, {"workflow": "support", "step": "check"})
    return frame.with_columns(pl.lit(None, pl.String).alias("prompt_name"))


def scenarios(*texts: str) -> tuple[Scenario, ...]:
    listed = "\n".join(f"- {text}" for text in texts)
    return SCENARIOS.parse(f"name: x\nscenarios:\n{listed}").scenarios


def step(policy: PolicyFile, name: str) -> Any:
    return next(step for step in policy.steps if step.step == name)


def test_traffic_shows_who_serves_and_who_stands_in(attempts: pl.DataFrame) -> None:
    draft = step(present_policy(attempts), "draft")
    assert (draft.serve.model, draft.serve.provider) == ("gpt-4o", "openai")
    assert [target.model for target in draft.fallbacks] == ["claude-opus-5"]
    assert draft.max_attempts == 2


def test_a_swap_keeps_the_present_model_as_a_fallback(attempts: pl.DataFrame) -> None:
    swap = "{name: a, family: swap, to: {model: gpt-4o-mini, provider: openai}, where: {step: draft}}"
    after, left = applied(present_policy(attempts), scenarios(swap), attempts)
    assert left == ()
    assert step(after, "draft").serve.model == "gpt-4o-mini"
    assert [target.model for target in step(after, "draft").fallbacks] == ["gpt-4o", "claude-opus-5"]
    assert step(after, "check").serve.model == "gpt-4o"


def test_a_swap_for_some_calls_of_a_step_becomes_a_route(attempts: pl.DataFrame) -> None:
    narrow = "{name: a, family: swap, to: {model: gpt-4o-mini}, where: {step: draft, environment: '(none)'}}"
    after, _ = applied(present_policy(attempts), scenarios(narrow), attempts)
    [rule] = step(after, "draft").routes
    assert (rule.to.model, rule.when.environment) == ("gpt-4o-mini", ("(none)",))
    assert step(after, "draft").serve.model == "gpt-4o"


def test_caps_caches_retries_and_tiers_are_settings_of_a_step(attempts: pl.DataFrame) -> None:
    after, left = applied(
        present_policy(attempts),
        scenarios(
            "{name: a, family: context_cap, max_input_tokens: 4000, where: {step: draft}}",
            "{name: b, family: response_cache, ttl_s: 60, where: {step: draft}}",
            "{name: c, family: retry, max_attempts: 1, where: {step: draft}}",
            "{name: d, family: reprice, service_tier: batch, where: {step: check}}",
        ),
        attempts,
    )
    draft = step(after, "draft")
    assert left == ()
    assert (draft.max_input_tokens, draft.shorten, draft.max_attempts) == (4000, "summarise", 1)
    assert draft.response_cache.ttl_s == 60
    assert step(after, "check").service_tier == "batch"


def test_what_no_policy_can_say_is_said(attempts: pl.DataFrame) -> None:
    _, left = applied(
        present_policy(attempts),
        scenarios(
            "{name: list, family: reprice, without_contract: true}",
            "{name: nobody, family: output_cap, max_output_tokens: 5, where: {step: nowhere}}",
        ),
        attempts,
    )
    assert left == (
        "list: a policy of steps cannot say reprice for all calls.",
        "nobody: no call in the window matches it.",
    )


def test_a_written_policy_is_read_back_the_same(attempts: pl.DataFrame) -> None:
    swap = "{name: a, family: swap, to: {model: gpt-4o-mini}, where: {step: draft, context_above: 100}}"
    after, _ = applied(present_policy(attempts), scenarios(swap), attempts)
    assert POLICY.parse(as_yaml(after)) == after


def test_the_difference_names_what_changes_and_nothing_where_nothing_does(attempts: pl.DataFrame) -> None:
    before = present_policy(attempts)
    cap = "{name: a, family: output_cap, max_output_tokens: 300, where: {step: check}}"
    after, _ = applied(before, scenarios(cap), attempts)
    assert "+  max_output_tokens: 300" in difference(before, after)
    assert difference(before, before) == ""
