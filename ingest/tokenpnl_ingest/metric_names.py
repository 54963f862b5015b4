"""Which metrics the books read, and what each measures; every other metric is only counted.

Names are compared without the prefix's colon, the suffix of counters and case, because exporters rewrite all three.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class Measure(StrEnum):
    """What a metric tells of a replica or an accelerator."""

    GPU_USE = "gpu_use"  # share of time at work, 0 to 1
    CACHE_USE = "cache_use"  # share of the KV cache in use, 0 to 1
    RUNNING = "running"  # requests at work
    WAITING = "waiting"  # requests in the queue
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    REQUESTS = "requests"
    WORK_SECONDS = "work_seconds"  # inference time of requests


@dataclass(frozen=True, slots=True)
class Known:
    """A metric that the books read: what it measures, and the factor to the measure's unit."""

    measure: Measure
    factor: float = 1.0


_PERCENT = 0.01
_MICROSECONDS = 1e-6
_KNOWN = {
    "vllm_num_requests_running": Known(Measure.RUNNING),
    "vllm_num_requests_waiting": Known(Measure.WAITING),
    "vllm_kv_cache_usage_perc": Known(Measure.CACHE_USE),
    "vllm_gpu_cache_usage_perc": Known(Measure.CACHE_USE),
    "vllm_prompt_tokens": Known(Measure.INPUT_TOKENS),
    "vllm_generation_tokens": Known(Measure.OUTPUT_TOKENS),
    "vllm_request_success": Known(Measure.REQUESTS),
    "vllm_request_inference_time_seconds": Known(Measure.WORK_SECONDS),
    "sglang_num_running_reqs": Known(Measure.RUNNING),
    "sglang_num_queue_reqs": Known(Measure.WAITING),
    "sglang_token_usage": Known(Measure.CACHE_USE),
    "sglang_prompt_tokens": Known(Measure.INPUT_TOKENS),
    "sglang_generation_tokens": Known(Measure.OUTPUT_TOKENS),
    "sglang_num_requests": Known(Measure.REQUESTS),
    "tgi_batch_current_size": Known(Measure.RUNNING),
    "tgi_queue_size": Known(Measure.WAITING),
    "tgi_request_input_length": Known(Measure.INPUT_TOKENS),
    "tgi_request_generated_tokens": Known(Measure.OUTPUT_TOKENS),
    "tgi_request_count": Known(Measure.REQUESTS),
    "tgi_request_inference_duration": Known(Measure.WORK_SECONDS),
    "te_queue_size": Known(Measure.WAITING),
    "te_request_count": Known(Measure.REQUESTS),
    "te_request_inference_duration": Known(Measure.WORK_SECONDS),
    "nv_gpu_utilization": Known(Measure.GPU_USE),
    "nv_inference_request_success": Known(Measure.REQUESTS),
    "nv_inference_pending_request_count": Known(Measure.WAITING),
    "nv_inference_compute_infer_duration_us": Known(Measure.WORK_SECONDS, _MICROSECONDS),
    "trtllm_num_requests_running": Known(Measure.RUNNING),
    "trtllm_num_requests_waiting": Known(Measure.WAITING),
    "trtllm_kv_cache_utilization": Known(Measure.CACHE_USE),
    "trtllm_prompt_tokens": Known(Measure.INPUT_TOKENS),
    "trtllm_generation_tokens": Known(Measure.OUTPUT_TOKENS),
    "trtllm_request_success": Known(Measure.REQUESTS),
    "dynamo_frontend_inflight_requests": Known(Measure.RUNNING),
    "dynamo_frontend_queued_requests": Known(Measure.WAITING),
    "dynamo_frontend_requests": Known(Measure.REQUESTS),
    "dynamo_frontend_input_sequence_tokens": Known(Measure.INPUT_TOKENS),
    "dynamo_frontend_output_tokens": Known(Measure.OUTPUT_TOKENS),
    # Its help text says 0.0 to 1.0, whatever the name says.
    "dynamo_component_gpu_cache_usage_percent": Known(Measure.CACHE_USE),
    "dynamo_component_kvstats_gpu_cache_usage_percent": Known(Measure.CACHE_USE),
    "dcgm_fi_dev_gpu_util": Known(Measure.GPU_USE, _PERCENT),
    "dcgm_fi_prof_gr_engine_active": Known(Measure.GPU_USE),
    "dcgm_fi_prof_sm_active": Known(Measure.GPU_USE),
    "hw.gpu.utilization": Known(Measure.GPU_USE),
    "nvidia_smi_utilization_gpu_ratio": Known(Measure.GPU_USE),
    "utilization.gpu": Known(Measure.GPU_USE, _PERCENT),
}


@lru_cache(maxsize=20_000)
def known(name: str) -> Known | None:
    """Return what a metric measures, None for one that the books do not read."""
    spelled = name.lower().replace(":", "_")
    return _KNOWN.get(spelled) or _KNOWN.get(spelled.removesuffix("_total"))
