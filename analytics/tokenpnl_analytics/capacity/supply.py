"""What capacity costs, hour by hour in UTC: exact for every split of the time.

What was paid until a moment is rounded, never what was paid between two: the parts of any division of an hour, a month
or a term sum to the whole to the last picodollar.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

import polars as pl

from tokenpnl_analytics.shares import PICODOLLARS

HOUR_NS = 3_600 * 10**9
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BUCKETS = pl.Schema(
    {
        "pool": pl.String(),
        "hour_ns": pl.Int64(),
        "from_ns": pl.Int64(),
        "until_ns": pl.Int64(),
        "units": pl.Int64(),
        "unit_size": pl.Int64(),
        "paid": pl.Int64(),
    }
)


@dataclass(frozen=True)
class Tariff:
    """A price that holds for a stretch of time.

    Attributes:
        pool: what is paid for.
        from_ns: start, UTC nanoseconds; None: always was.
        until_ns: end, not included; None: still holds.
        units: how many are paid, used or not.
        usd_per_hour: of one unit.
        unit_size: accelerators in a unit.
        upfront_usd: paid once for `term_ns`, spread evenly over it.
        term_ns: start and end of the term of the upfront payment.
    """

    pool: str
    from_ns: int | None
    until_ns: int | None
    units: int
    usd_per_hour: Decimal
    unit_size: int = 1
    upfront_usd: Decimal = Decimal(0)
    term_ns: tuple[int, int] | None = None


def nanoseconds(when: datetime) -> int:
    """Return an aware time as UTC nanoseconds."""
    return (when - _EPOCH) // timedelta(microseconds=1) * 1_000


def buckets(tariffs: Iterable[Tariff], *, since_ns: int, until_ns: int) -> pl.DataFrame:
    """Return one row per tariff and UTC hour between the two moments: `BUCKETS`, sorted; `paid` in picodollars.

    `from_ns` and `until_ns` are the part of the hour for which the tariff holds inside the period.
    """
    rows = [
        (tariff.pool, hour, begin, end, tariff.units, tariff.unit_size, _paid(tariff, hour, begin, end))
        for tariff in tariffs
        for hour, begin, end in _hours(tariff, since_ns, until_ns)
    ]
    return pl.DataFrame(rows, schema=BUCKETS, orient="row").sort("pool", "from_ns")


def picodollars(usd: Decimal) -> int:
    """Return an amount in picodollars, half-even."""
    return int((usd * PICODOLLARS).to_integral_value(ROUND_HALF_EVEN))


def _hours(tariff: Tariff, since_ns: int, until_ns: int) -> Iterator[tuple[int, int, int]]:
    begin = since_ns if tariff.from_ns is None else max(since_ns, tariff.from_ns)
    end = until_ns if tariff.until_ns is None else min(until_ns, tariff.until_ns)
    while begin < end:
        hour = begin // HOUR_NS * HOUR_NS
        stop = min(end, hour + HOUR_NS)
        yield hour, begin, stop
        begin = stop


def _paid(tariff: Tariff, hour: int, begin: int, end: int) -> int:
    hourly = picodollars(tariff.usd_per_hour * tariff.units)
    paid = _until(hourly, end - hour, HOUR_NS) - _until(hourly, begin - hour, HOUR_NS)
    if tariff.term_ns is None:
        return paid
    first, last = tariff.term_ns
    upfront = picodollars(tariff.upfront_usd)
    return paid + _until(upfront, end - first, last - first) - _until(upfront, begin - first, last - first)


def _until(whole: int, elapsed_ns: int, length_ns: int) -> int:
    """Return the part of `whole` that is due after `elapsed_ns`, half-even."""
    part, rest = divmod(whole * elapsed_ns, length_ns)
    return part + (2 * rest > length_ns or (2 * rest == length_ns and part % 2 == 1))
