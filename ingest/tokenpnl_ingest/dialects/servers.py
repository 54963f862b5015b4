"""Self-hosted inference servers (vLLM, SGLang, TGI, Triton): they repeat the client's usage and add queue times."""

from tokenpnl.model import Operation
from tokenpnl_ingest.dialects.convert import duration, seconds
from tokenpnl_ingest.dialects.reading import Dialect, Reading


def _amend(reading: Reading) -> None:
    row = reading.row
    row["deployment"] = row["deployment"] or "self_host"
    if row["queue_ms"] is None:
        row["queue_ms"] = _queued(reading)
    counted = row["input_tokens"] is not None or row["output_tokens"] is not None
    if reading.operation is Operation.INFERENCE and not counted:
        # Phases of a request (`prefill_forward`) and servers that count no tokens carry no bill.
        reading.operation = Operation.OTHER
    took_ms = seconds(reading.get("gen_ai.latency.time_in_model_inference")) or duration(reading.get("inference_time"))
    if took_ms is not None:
        reading.kept["tokenpnl.inference_ms"] = took_ms


def _queued(reading: Reading) -> float | None:
    times = {event.name: event.time_ns for event in reading.span.events}
    begun, computed = times.get("QUEUE_START"), times.get("COMPUTE_START")
    return (computed - begun) / 1e6 if begun and computed and computed >= begun else None


SERVER = Dialect("inference_server", amend=_amend, excludes_cache=False)
