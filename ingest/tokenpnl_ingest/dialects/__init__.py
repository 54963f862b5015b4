"""One reader per emitter family: raw spans and log records in, canonical columns out."""

from tokenpnl_ingest.dialects.logs import read_log
from tokenpnl_ingest.dialects.read import read_span

__all__ = ["read_log", "read_span"]
