"""Where a model ran, by what the emitter says without meaning to."""

from typing import Any

import pytest
from tests.ingest.raw_spans import row_of


def option(provider: str | None, host: str | None = None, resource: dict[str, Any] | None = None) -> str | None:
    said: dict[str, Any] = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
    said |= {"gen_ai.provider.name": provider} if provider else {}
    said |= {"server.address": host} if host else {}
    return row_of(said, resource=resource or {})["deployment"]


@pytest.mark.parametrize(
    ("provider", "host", "deployment"),
    [
        ("openai", None, "managed_api"),
        ("openai", "api.openai.com", "managed_api"),
        ("elevenlabs", "api.elevenlabs.io", "managed_api"),
        ("aws.bedrock", None, "cloud"),
        ("azure.ai.openai", None, "cloud"),
        ("openai", "mine.openai.azure.com", "cloud"),
        ("gcp.vertex_ai", None, "cloud"),
        ("gcp.gemini", "europe-west1-aiplatform.googleapis.com", "cloud"),
        ("gcp.gemini", None, "managed_api"),
        ("vllm", "10.0.0.5", "self_host"),
        ("tgi", None, "self_host"),
        ("ollama", "localhost", "self_host"),
        ("triton", None, "optimized"),
        ("tensorrt_llm", None, "optimized"),
        ("dynamo", None, "optimized"),
        ("coreml", None, "edge"),
        ("qualcomm_ai", None, "edge"),
    ],
)
def test_the_provider_and_the_host_tell(provider: str, host: str | None, deployment: str) -> None:
    assert option(provider, host) == deployment


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "127.0.0.1",
        "10.1.2.3",
        "172.20.0.1",
        "192.168.1.4",
        "169.254.1.1",
        "llm.svc.cluster.local",
        "gw:4000",
    ],
)
def test_a_private_host_may_be_a_gateway_so_nothing_is_claimed(host: str) -> None:
    assert option("openai", host) is None


def test_a_device_without_a_provider_is_the_edge() -> None:
    assert option(None, resource={"device.model.identifier": "iPhone17,1"}) == "edge"
    assert option("openai", resource={"device.model.identifier": "iPhone17,1"}) == "managed_api"


def test_what_the_emitter_states_stands() -> None:
    said = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "tokenpnl.deployment": "self_host"}
    assert row_of(said)["deployment"] == "self_host"


def test_spans_that_are_no_model_calls_have_no_deployment() -> None:
    assert row_of({"gen_ai.operation.name": "execute_tool", "gen_ai.provider.name": "openai"})["deployment"] is None
