"""Data points of metrics to rows: which replica and model they speak of."""

from typing import Any

from tokenpnl_ingest.dialects.convert import text
from tokenpnl_ingest.dialects.read import as_json, hash_of
from tokenpnl_ingest.dialects.reading import plain
from tokenpnl_ingest.raw import RawPoint

_REPLICA_KEYS = ("pod", "exported_pod", "exported_instance", "instance", "worker_id", "Hostname", "hostname")
_RESOURCE_KEYS = ("service.instance.id", "k8s.pod.name", "host.name")
_MODEL_KEYS = ("model_name", "model", "gen_ai.request.model", "exported_model")


def read_point(point: RawPoint) -> dict[str, Any]:
    """Return the row of `metrics` of a data point, without `resource_hash` and `batch_no`."""
    attributes = plain(point.attributes)
    stated = [point.resource.get("tokenpnl.gpu.replica"), *(attributes.get(key) for key in _REPLICA_KEYS)]
    told = [*stated, *(point.resource.get(key) for key in _RESOURCE_KEYS)]
    row = {
        "tenant": "default",
        "name": point.name,
        "measured_at": point.time_ns,
        "started_at": point.start_ns or None,
        "value": point.value,
        "count": point.count,
        "unit": point.unit or None,
        "temporality": point.temporality,
        "gpu_replica": next((name for name in map(text, told) if name), None),
        "model": next((name for name in (text(attributes.get(key)) for key in _MODEL_KEYS) if name), None),
        "attributes_json": as_json(dict(sorted(attributes.items()))),
    }
    return {**row, "content_hash": hash_of(row)}
