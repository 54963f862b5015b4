"""Who served, by name, host and model."""

import pytest

from tokenpnl_ingest.dialects.providers import provider_of, provider_of_host, provider_of_model, serving_provider


@pytest.mark.parametrize(
    ("named", "provider"),
    [
        ("AWS", "aws"),
        ("aws.bedrock", "aws"),
        ("gcp.vertex_ai", "google"),
        ("gemini", "google"),
        ("openai.responses", "openai"),
        ("anthropic.messages", "anthropic"),
        ("google.generative-ai", "google"),
        ("az.ai.openai", "azure"),
        ("xai", "x-ai"),
        ("langchain", None),
        ("strands-agents", None),
        ("acme-llm", "acme-llm"),
        ("", None),
    ],
)
def test_provider_names_fold_to_one_id_and_frameworks_to_none(named: str, provider: str | None) -> None:
    assert provider_of(named) == provider


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("anthropic.claude-sonnet-5-v1:0", "aws"),
        ("us.anthropic.claude-sonnet-5-v1:0", "aws"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/x", "aws"),
        ("claude-sonnet-5", "anthropic"),
        ("openrouter/anthropic/claude-sonnet-5", "openrouter"),
        ("gpt-5-mini-2026-09-01", "openai"),
        ("gemini-3-flash", "google"),
        ("my-own", None),
    ],
)
def test_a_model_name_points_to_its_provider(model: str, provider: str | None) -> None:
    assert provider_of_model(model) == provider


def test_a_public_host_is_certain_and_a_local_one_says_nothing() -> None:
    assert provider_of_host("bedrock-runtime.eu-west-1.amazonaws.com") == "aws"
    assert provider_of_host("127.0.0.1") is None
    assert serving_provider(("langchain", "openai"), "x.openai.azure.com", "gpt-5") == "azure"
    assert serving_provider(("langchain",), None, "gpt-5") == "openai"
