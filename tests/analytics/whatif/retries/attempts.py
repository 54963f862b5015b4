"""Attempts of calls, written as one word each, for the tests of the folder."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
_TOLD = {
    "ok": ("ok", None, None),
    "429": ("error", 429, None),
    "500": ("error", 503, None),
    "timeout": ("timeout", None, None),
    "cancelled": ("cancelled", None, None),
    "invalid": ("ok", None, False),
    "odd": ("error", None, None),
}


def attempts(*calls: str, latency_ms: float = 100.0) -> pl.DataFrame:
    """Return the attempts of calls, each a text such as `429 ok`; the last one that is not ok gave up."""
    rows = []
    for place, call in enumerate(calls):
        words = call.split()
        for number, word in enumerate(words, start=1):
            status, http_status, valid = _TOLD[word]
            last = number == len(words)
            begun = START + timedelta(seconds=10 * place + number)
            rows.append({
                "call_key": f"c{place:03}", "attempt_id": f"c{place:03}:{number}", "run_id": f"r{place:03}",
                "started_at": begun, "ended_at": begun + timedelta(milliseconds=latency_ms),
                "status": status, "http_status": http_status, "output_valid": valid,
                "superseded": not last, "gave_up": last and word != "ok", "rejected": False,
                "cost_usd": Decimal("0.010000000000"), "latency_ms": latency_ms,
                "provider": "p", "model": "m", "attempt_reason": "first" if number == 1 else "retry",
            })  # fmt: skip
    types = {"http_status": pl.Int64, "output_valid": pl.Boolean, "cost_usd": pl.Decimal(38, 12)}
    return pl.DataFrame(rows, schema_overrides=types)
