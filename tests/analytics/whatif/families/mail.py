"""The sample workflow with a randomised router as a frozen baseline, made once for the tests of the folder."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from tokenpnl_analytics.books import keep_books
from tokenpnl_analytics.pricing.ratecard import default_rate_card
from tokenpnl_analytics.resolving.capture import capture_of
from tokenpnl_analytics.unit_cost.units import cohort
from tokenpnl_analytics.whatif.baseline import Baseline, frozen
from tokenpnl_analytics.whatif.details import call_details
from tokenpnl_ingest.files import requests_in

SAMPLE = Path(__file__).parents[4] / "sample_traces" / "mail_triage.otlp.jsonl.gz"
WINDOW = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC)


@cache
def mail() -> Baseline:
    """Return the baseline: 941 runs, four fifths at deepseek-v4-flash, one fifth at deepseek-v4-pro, by a draw."""
    capture, card = capture_of(requests_in(SAMPLE)), default_rate_card()
    books = keep_books(capture.spans, capture.outcomes, card)
    details = call_details(capture.spans)
    runs = cohort(books.runs, as_of=datetime(2026, 12, 1, tzinfo=UTC), environments=None)
    return frozen(books.attempts, books.line_items, details, runs, card=card, window=WINDOW)
