from datetime import UTC, datetime, timedelta, timezone

import pytest

from tokenpnl_ingest.control.tables import utc_text

ROME = timezone(timedelta(hours=2))


def test_a_time_has_one_spelling_in_utc() -> None:
    assert utc_text(datetime(2026, 10, 1, tzinfo=ROME)) == "2026-09-30T22:00:00.000000Z"
    assert utc_text(datetime(2026, 10, 1, 0, 0, 0, 7, tzinfo=UTC)) == "2026-10-01T00:00:00.000007Z"


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="a time needs its zone"):
        utc_text(datetime(2026, 10, 1))  # noqa: DTZ001 - that is the case
