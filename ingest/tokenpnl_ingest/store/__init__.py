"""The store: DuckDB as an index over the journal. No other folder executes SQL."""

from tokenpnl_ingest.store.store import Loaded, Store

__all__ = ["Loaded", "Store"]
