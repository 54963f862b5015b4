"""Baselines of calls with fingerprints and prompt blocks."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from tests.analytics.conftest import attempts_of, runs_of

from tokenpnl_analytics.pricing.prices import token_lines
from tokenpnl_analytics.pricing.ratecard import RateCard
from tokenpnl_analytics.unit_cost.units import cohort
from tokenpnl_analytics.whatif.baseline import Baseline, frozen
from tokenpnl_analytics.whatif.details import SPAN_COLUMNS, call_details

SINCE, UNTIL = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)


def baseline_of(
    card: RateCard, *rows: dict[str, Any], blocks: list[list[str]] | None = None, temperature: float = 0.0
) -> Baseline:
    """Return a baseline of calls a minute apart, 2048 tokens in and 100 out unless said otherwise."""
    usage = {"input_uncached_tokens": 2048, "output_text_tokens": 100}
    totals = {"input_total_tokens": 2048, "output_total_tokens": 100}
    asked = [
        usage | totals | {"started_at": SINCE + timedelta(minutes=place), "attempt_id": f"a{place}"} | row
        for place, row in enumerate(rows)
    ]
    attempts = attempts_of(*asked)
    lines = token_lines(attempts, card).with_columns(pl.lit(None, pl.String).alias("pool"))
    details = call_details(pl.DataFrame(schema=dict.fromkeys(SPAN_COLUMNS, pl.String)))
    made = frozen(attempts, lines, details, cohort(runs_of({}), as_of=UNTIL), card=card, window=(SINCE, UNTIL))
    told = made.attempts.with_columns(
        pl.Series("blocks", blocks or [None] * len(rows), pl.List(pl.String)),
        pl.lit(512.0).alias("block_tokens"),
        pl.lit(temperature).alias("temperature"),
    )
    return replace(made, attempts=told)
