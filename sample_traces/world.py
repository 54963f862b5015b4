"""The synthetic business in which the sample runs happen: its calendar, customers, releases and bad weeks.

Everything here is made up and drawn from one seed; nothing describes a real company. Times are UTC nanoseconds.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

SEED: Final = 20261120
FIRST_DAY: Final = date(2026, 9, 22)
DAYS: Final = 60
SECOND: Final = 1_000_000_000
HOUR: Final = 3600 * SECOND
DAY: Final = 24 * HOUR


def midnight(day: date) -> int:
    """Return the nanoseconds at which a day begins in UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * SECOND


# Nothing is known after this moment: outcomes that would become known later are missing, as they are on any real day.
KNOWN_UNTIL: Final = midnight(FIRST_DAY + timedelta(days=DAYS))


@dataclass(frozen=True)
class Span:
    """A stretch of days in which something was different, [first, until)."""

    first: date
    until: date

    def __contains__(self, at_ns: int) -> bool:
        """Tell whether the moment falls into the stretch."""
        return midnight(self.first) <= at_ns < midnight(self.until)


# The provider of the support draft is overloaded on working days of this week.
INCIDENT: Final = Span(date(2026, 10, 19), date(2026, 10, 24))


@dataclass(frozen=True)
class Workload:
    """When and for whom a workflow runs, and in which releases.

    Args:
        name: the workflow.
        service: the service's name.
        per_day: runs on each weekday, Monday first.
        per_hour: weight of each hour of a day, midnight first.
        customers: customer id to its share of the runs.
        features: feature to its share of the runs.
        releases: first day and version, oldest first.
        in_production: share of runs in production; the rest is staging.
        month_end_factor: how much busier the last three days of a month are.
        first_day: since when it runs; all run until the last day.
    """

    name: str
    service: str
    per_day: Sequence[float]
    per_hour: Sequence[float]
    customers: Mapping[str, float]
    features: Mapping[str, float]
    releases: Sequence[tuple[date, str]]
    in_production: float = 0.94
    month_end_factor: float = 1.0
    first_day: date = FIRST_DAY

    def release_at(self, at_ns: int) -> str:
        """Return the version that is live at this moment."""
        return [version for first, version in self.releases if midnight(first) <= at_ns][-1]


@dataclass(frozen=True)
class Job:
    """One piece of work that arrives."""

    number: int
    at_ns: int
    customer: str
    feature: str
    release: str
    environment: str

    @property
    def in_production(self) -> bool:
        """Whether a real customer waits for it."""
        return self.environment == "production"


def customers(names: str, trades: str) -> dict[str, float]:
    """Return made-up customers, one per name and trade, with shares that fall as they do in any customer list."""
    pairs = [f"{name}-{trade}" for trade in trades.split() for name in names.split()]
    return {customer: 1 / rank**0.85 for rank, customer in enumerate(pairs, start=1)}


def pick(rng: random.Random, weights: Mapping[str, float]) -> str:
    """Return one of the names, by weight."""
    return rng.choices(list(weights), list(weights.values()))[0]


def _runs_on(day: date, workload: Workload, rng: random.Random) -> int:
    busy = workload.month_end_factor if (day + timedelta(days=3)).day <= 3 else 1.0
    expected = workload.per_day[day.weekday()] * busy
    return max(0, round(rng.gauss(expected, expected**0.5)))


def arrivals(workload: Workload, rng: random.Random) -> Iterator[Job]:
    """Yield the workload's jobs in order of time."""
    number = 0
    for offset in range((workload.first_day - FIRST_DAY).days, DAYS):
        day = FIRST_DAY + timedelta(days=offset)
        hours = rng.choices(range(24), workload.per_hour, k=_runs_on(day, workload, rng))
        # Microseconds, as clocks have them; the last quarter of an hour stays free so that runs end on their day.
        moments = sorted(midnight(day) + hour * HOUR + rng.randrange(2_700_000_000) * 1000 for hour in hours)
        for at_ns in moments:
            number += 1
            yield Job(
                number=number,
                at_ns=at_ns,
                customer=pick(rng, workload.customers),
                feature=pick(rng, workload.features),
                release=workload.release_at(at_ns),
                environment="production" if rng.random() < workload.in_production else "staging",
            )


_OFFICE = [0.2, 0.1, 0.1, 0.1, 0.2, 0.5, 1, 3, 7, 10, 10, 9, 7, 9, 10, 10, 9, 7, 4, 3, 2, 1.5, 1, 0.5]
_NIGHT_BATCH = [1, 4, 14, 12, 6, 2, 1, 2, 3, 4, 4, 3, 2, 3, 4, 4, 3, 2, 1, 0.5, 0.5, 0.5, 0.5, 0.5]

SUPPORT: Final = Workload(
    name="support_reply",
    service="synthetic-support-desk",
    per_day=(29, 27, 25, 25, 24, 11, 9),
    per_hour=_OFFICE,
    customers=customers(
        "halyard meridian juniper kestrel ostrava pelican quill rowan sable tern umber vesper", "travel shoes home"
    ),
    features={"email": 0.48, "chat": 0.37, "returns": 0.15},
    releases=(
        (FIRST_DAY, "2.3.1"),
        (date(2026, 10, 5), "2.3.2"),
        (date(2026, 10, 28), "2.4.0"),
        (date(2026, 11, 9), "2.4.1"),
    ),
)

CONTRACTS: Final = Workload(
    name="contract_review",
    service="synthetic-legal-review",
    per_day=(7, 7, 7, 6, 6, 0.4, 0.2),
    per_hour=[0 if hour < 7 or hour > 19 else weight for hour, weight in enumerate(_OFFICE)],
    customers=customers("brandt calder dunmore ellery farrow gilpin hallam ivers", "estates energy labs transport"),
    features={"nda": 0.46, "lease": 0.24, "msa": 0.30},
    releases=(
        (FIRST_DAY, "0.9.1"),
        (date(2026, 10, 13), "0.9.2"),
        (date(2026, 11, 2), "0.9.3"),
        (date(2026, 11, 12), "0.9.4"),
    ),
    in_production=0.92,
)

INVOICES: Final = Workload(
    name="invoice_extraction",
    service="synthetic-invoice-reader",
    per_day=(17, 17, 16, 16, 17, 5, 3),
    per_hour=_NIGHT_BATCH,
    customers=customers("arbor bexley corvid delft evergreen fenwick gable harrow", "logistics clinics press tools"),
    features={"ap_inbox": 0.71, "expense_app": 0.29},
    releases=((FIRST_DAY, "1.7.2"), (date(2026, 10, 12), "1.8.0"), (date(2026, 11, 16), "1.8.1")),
    month_end_factor=1.6,
)

# Sellers upload their sheets before opening and after lunch; at night and at weekends nearly nobody does.
_UPLOADS = [0, 0, 0, 0, 0, 0, 0, 0.5, 2, 16, 5, 1.5, 1, 1.5, 10, 4, 1.5, 1, 0.5, 0, 0, 0, 0, 0]

CATALOGUE: Final = Workload(
    name="catalogue_tagging",
    service="synthetic-catalogue-tagger",
    per_day=(46, 46, 44, 44, 42, 4, 3),
    per_hour=_UPLOADS,
    customers=customers("larkspur morrow nettle orchard pinewood quarry", "garden lighting kitchen"),
    features={"new_products": 0.7, "retag": 0.3},
    releases=((date(2026, 11, 10), "0.1.0"),),
    in_production=0.95,
    first_day=date(2026, 11, 10),
)

MAIL: Final = Workload(
    name="mail_triage",
    service="synthetic-mail-desk",
    per_day=(60, 58, 56, 54, 52, 24, 20),
    per_hour=_OFFICE,
    customers=customers("aldous bramley copper dorset elgin fallow", "insurance utilities rail"),
    features={"claims": 0.55, "service": 0.45},
    releases=((date(2026, 11, 1), "3.0.0"),),
    first_day=date(2026, 11, 1),
)
