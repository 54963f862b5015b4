"""Small baselines. gpt-4o costs $2.50 a million in and $10 out; its mini .15 and .60."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl
from tests.analytics.conftest import attempts_of, runs_of

from tokenpnl_analytics.pricing.prices import token_lines
from tokenpnl_analytics.pricing.ratecard import RateCard, default_rate_card
from tokenpnl_analytics.unit_cost.units import cohort
from tokenpnl_analytics.whatif.baseline import Baseline, frozen
from tokenpnl_analytics.whatif.details import SPAN_COLUMNS, call_details

SINCE, UNTIL = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 29, tzinfo=UTC)
NO_SPANS = pl.DataFrame(schema=dict.fromkeys(SPAN_COLUMNS, pl.String))
USAGE = {
    "input_uncached_tokens": 1_000_000,
    "input_total_tokens": 1_000_000,
    "output_text_tokens": 100_000,
    "output_total_tokens": 100_000,
}
"""$2.50 + $1.00 = $3.50 at gpt-4o."""


def traffic(*rows: dict[str, Any], runs: Sequence[dict[str, Any]] = ({},), card: RateCard | None = None) -> Baseline:
    """Return the baseline of attempts, each with a million tokens in and a tenth of it out, unless said otherwise."""
    prices = card or default_rate_card()
    attempts = attempts_of(*(USAGE | row for row in rows))
    lines = token_lines(attempts, prices).with_columns(pl.lit(None, pl.String).alias("pool"))
    settled = cohort(runs_of(*runs), as_of=UNTIL)
    return frozen(attempts, lines, call_details(NO_SPANS), settled, card=prices, window=(SINCE, UNTIL))


def many(n: int, **columns: Any) -> list[dict[str, Any]]:
    """Return n equal attempts of runs r1 to rn."""
    return [{"run_id": f"r{k}", "trace_id": f"t{k}"} | columns for k in range(1, n + 1)]
