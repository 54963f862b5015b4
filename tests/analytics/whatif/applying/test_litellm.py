"""A policy as a LiteLLM router."""

import yaml

from tokenpnl_analytics.rules.policy import POLICY
from tokenpnl_analytics.whatif.applying.litellm import litellm_config

TEXT = """
steps:
- workflow: refund_agent
  step: classify
  serve: {model: gpt-5-mini, provider: openai}
  fallbacks: [{model: gpt-5, provider: openai}]
  max_attempts: 2
  timeout_ms: 20000
"""


def test_each_step_is_a_model_name_with_its_fallback() -> None:
    text, left = litellm_config(POLICY.parse(TEXT).steps, notes=("made by a test",))
    assert text.startswith("# made by a test\n")
    assert yaml.safe_load(text) == {
        "model_list": [
            {
                "model_name": "refund_agent/classify",
                "litellm_params": {"model": "openai/gpt-5-mini", "timeout": 20.0},
            },
            {
                "model_name": "refund_agent/classify-fallback",
                "litellm_params": {"model": "openai/gpt-5", "timeout": 20.0},
            },
        ],
        "router_settings": {
            "num_retries": 1,
            "fallbacks": [{"refund_agent/classify": ["refund_agent/classify-fallback"]}],
        },
    }
    assert left == ()


def test_what_the_router_cannot_do_is_said() -> None:
    more = "  max_input_tokens: 8000\n  shorten: chunk\n  service_tier: batch\n  self_hosted_on: 1 x l4\n"
    text, left = litellm_config(POLICY.parse(TEXT + more).steps)
    assert yaml.safe_load(text)["model_list"][0]["litellm_params"]["model"] == "hosted_vllm/gpt-5-mini"
    assert [sentence.split(": ")[1].split(" ")[0] for sentence in left] == ["LiteLLM", "batch", "put"]


def test_a_response_cache_holds_for_the_whole_router_and_says_so() -> None:
    text, left = litellm_config(POLICY.parse(TEXT + "  response_cache: {ttl_s: 600}\n").steps)
    assert yaml.safe_load(text)["litellm_settings"]["cache_params"]["ttl"] == 600
    assert "every model of the router" in left[0]
