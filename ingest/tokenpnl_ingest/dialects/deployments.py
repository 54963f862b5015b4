"""Where a model ran, when its emitter does not say: a vendor's own API, a cloud, or a user's device."""

from functools import lru_cache
from typing import Any, Final

from tokenpnl_ingest.dialects.providers import provider_of_host
from tokenpnl_ingest.dialects.servers import EDGE, OPTIMIZED, SELF_HOST

MANAGED_API, CLOUD = "managed_api", "cloud"
# Names of providers that sell models from somebody else's cloud.
_CLOUDS: Final = frozenset({"aws", "azure", "databricks", "ovhcloud"})
_VERTEX: Final = ("vertex", "aiplatform")
OPTIMIZED_SERVERS: Final = frozenset(
    {"triton", "tensorrt_llm", "tensorrt-llm", "trtllm", "dynamo", "nim", "nvidia_nim"}
)
SELF_HOST_SERVERS: Final = frozenset(
    {"vllm", "sglang", "tgi", "tei", "huggingface_tgi", "text-generation-inference", "ollama", "llama.cpp", "llama_cpp"}
    | {"llamacpp", "lm_studio", "lmstudio", "localai", "mlx", "ray_serve", "lmdeploy"}
)
EDGE_RUNTIMES: Final = frozenset(
    {"edge", "coreml", "core_ml", "core-ml", "apple", "apple_foundation_models", "apple.coreml", "qualcomm"}
    | {"qualcomm_ai", "qualcomm-ai", "qualcomm.ai", "qnn", "executorch", "mediapipe", "litert", "mlc", "windows_ml"}
)
_DEVICE_KEYS: Final = ("device.id", "device.model.identifier", "device.model.name")
_PRIVATE_ENDS: Final = (".local", ".internal", ".svc", ".lan", ".cluster.local")


def deployment_of(
    provider: str | None, named: tuple[str, ...], host: str | None, resource: dict[str, Any]
) -> str | None:
    """Return the deployment option, None when nothing tells.

    Args:
        provider: who serves, as the books name it.
        named: providers as the emitter spelled them.
        host: address that was called; a private one may be a gateway in front of anything.
        resource: attributes of the emitter's resource.
    """
    found = _of_names(provider, named, host)
    if found is None and provider is None and host is None:
        return EDGE if any(key in resource for key in _DEVICE_KEYS) else None
    return found


@lru_cache(maxsize=10_000)
def _of_names(provider: str | None, named: tuple[str, ...], host: str | None) -> str | None:
    words = {word.strip().lower() for word in named} | ({provider} if provider else set())
    of_names = ((EDGE, EDGE_RUNTIMES), (OPTIMIZED, OPTIMIZED_SERVERS), (SELF_HOST, SELF_HOST_SERVERS), (CLOUD, _CLOUDS))
    for option, names in of_names:
        if words & names:
            return option
    if any(part in text for part in _VERTEX for text in (*words, (host or "").lower())):
        return CLOUD
    if provider is None:
        return None
    return MANAGED_API if provider_of_host(host) or not _private(host) else None


def _private(host: str | None) -> bool:
    """Return whether an address is one of somebody's own network."""
    if not host:
        return False
    name = host.lower().strip("[]").partition(":")[0] if host.count(":") < 2 else host.lower()
    if "." not in name or name.endswith(_PRIVATE_ENDS):
        return True
    first, second = (*name.split("."), "")[:2]
    in_172 = first == "172" and second.isdigit() and 16 <= int(second) <= 31
    return first in ("10", "127") or in_172 or (first == "192" and second == "168") or (first, second) == ("169", "254")
