"""The collector: OTLP in, journal, ack, DuckDB."""
