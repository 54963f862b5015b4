"""Any emitter that writes the GenAI conventions, old or new, and nothing of its own."""

from tokenpnl_ingest.dialects.reading import Dialect

GENERIC = Dialect("generic")
