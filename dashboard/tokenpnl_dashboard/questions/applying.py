"""What a person applies of a scenario file: a LiteLLM router, a neutral policy, the difference from today."""

from collections.abc import Sequence
from dataclasses import dataclass

from tokenpnl_analytics.rules.policy import StepPolicy
from tokenpnl_analytics.rules.scenarios import ScenarioFile, in_order
from tokenpnl_analytics.whatif.applying.litellm import litellm_config
from tokenpnl_analytics.whatif.applying.policies import applied, as_yaml, difference, present_policy
from tokenpnl_analytics.whatif.baseline import Baseline

TARGETS = ("policy", "litellm")


@dataclass(frozen=True)
class Applied:
    """Texts to apply, and what none of them says.

    Attributes:
        policy: `policy.yaml`, every step.
        litellm: configuration of a LiteLLM router for the steps that change.
        difference: of the policy from what traffic shows today; empty: nothing changes.
        left: a sentence for each thing that the policy cannot say.
        left_by_litellm: a sentence for each thing that the router cannot do.
    """

    policy: str
    litellm: str
    difference: str
    left: tuple[str, ...]
    left_by_litellm: tuple[str, ...]


def applied_of(file: ScenarioFile, baseline: Baseline, *, expected: Sequence[str] = ()) -> Applied:
    """Return what a person applies of all scenarios of a file, in the order of composition.

    Args:
        file: the scenarios.
        baseline: the traffic that shows what steps do today.
        expected: sentences for the head of the texts: what the change is said to do.
    """
    before = present_policy(baseline.attempts)
    after, left = applied(before, in_order(file.scenarios), baseline.attempts)
    notes = (f"{file.name}: written by `tokenpnl whatif apply`; nothing here was applied by tokenpnl.", *expected)
    head = "".join(f"# {line}\n" for line in notes)
    known = set(map(StepPolicy.model_dump_json, before.steps))
    changed = [step for step in after.steps if step.model_dump_json() not in known]
    router, left_by_router = litellm_config(changed, notes=notes)
    policy = head + as_yaml(after.model_copy(update={"name": file.name}))
    return Applied(policy, router, difference(before, after), left, left_by_router)
