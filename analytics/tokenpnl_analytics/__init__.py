"""The analytics: spans to attempts, line items and the P&L, as pure Polars functions."""
