"""What-if: the frozen baseline of a book, and a scenario file replayed on it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from tokenpnl.errors import ConfigurationError, RefusedInputError
from tokenpnl.tables import ATTEMPTS, LINE_ITEMS, SPANS
from tokenpnl_analytics.frames import conform
from tokenpnl_analytics.periods import reading_moment
from tokenpnl_analytics.rules.outcomes import OUTCOMES as DEFINITIONS
from tokenpnl_analytics.rules.scenarios import ORDER, SCENARIOS, CallMatch, ScenarioFile
from tokenpnl_analytics.rules.scenarios import Window as ScenarioWindow
from tokenpnl_analytics.whatif.baseline import Baseline, frozen
from tokenpnl_analytics.whatif.compose import Comparison, compared_scenarios, weekly
from tokenpnl_analytics.whatif.costs import cost_usd
from tokenpnl_analytics.whatif.details import SPAN_COLUMNS, call_details
from tokenpnl_dashboard.book import Book
from tokenpnl_dashboard.questions.cohorts import cohort_of, rows_of
from tokenpnl_dashboard.rules.configuration import Configuration
from tokenpnl_dashboard.rules.pricing import card_of_home
from tokenpnl_ingest.control import ControlStore
from tokenpnl_ingest.home import Home

Window = tuple[datetime, datetime]
Where = Mapping[str, list[str | None]]
_COST = ("tenant", "attempt_id", "usage_kind", "pool", "cost_source", "cost_usd")
_MODEL_CALLS = ("inference", "embedding", "rerank")


def baseline_of(book: Book, home: Home, window: Window, where: Where | None = None) -> Baseline:
    """Return the frozen baseline of a window: attempts with their cost, what spans say of them, runs, prices in force.

    Args:
        book: asked for attempts, line items (capacity among them), spans and runs that started in the window.
        home: its prices and success definitions.
        window: since and until, aware; outcomes are read as known at `until` or later, the newest there are.
        where: accepted values by column of `runs`; production runs only unless `environment` is among them.
    """
    where = dict(where or {})
    definitions = Configuration.of(home).read(DEFINITIONS)
    as_of = book.version().newest_at or window[1]
    settled = cohort_of(book, definitions, window, where, as_of=as_of)
    spans = rows_of(book, SPANS, SPAN_COLUMNS, window, {"operation": list(_MODEL_CALLS)})
    return frozen(
        conform(rows_of(book, ATTEMPTS, ATTEMPTS.names, window, where), ATTEMPTS),
        rows_of(book, LINE_ITEMS, _COST, window, where),
        call_details(spans),
        settled,
        card=card_of_home(home)[0],
        window=window,
    )


@dataclass(frozen=True)
class Report:
    """A scenario file replayed.

    Attributes:
        file: what was asked.
        baseline: what it was replayed on.
        compared: results alone and together, waterfall, tornado, frontier.
        weeks: by scenario: what it would have saved in each of the last weeks.
    """

    file: ScenarioFile
    baseline: Baseline = field(repr=False)
    compared: Comparison
    weeks: dict[str, pl.DataFrame] = field(repr=False)


def run_file(book: Book, home: Home, scenarios: ScenarioFile) -> Report:
    """Return a scenario file replayed on the traffic of a book.

    Raises:
        RefusedInputError: no call of the window matches the file.
    """
    window = window_of(book, scenarios.window)
    whole = baseline_of(book, home, window)
    meant = scenarios.where.expr()
    baseline = whole
    if scenarios.where != CallMatch():
        runs = whole.attempts.filter(meant).select("tenant", "run_id").unique()
        of_runs = pl.struct("tenant", "run_id").is_in(runs.select(pl.struct("tenant", "run_id")).to_series().implode())
        baseline = whole.restricted(meant, of_runs)
    if baseline.attempts.is_empty():
        raise RefusedInputError(
            f"no model call from {window[0]:%Y-%m-%d} to {window[1]:%Y-%m-%d} matches {scenarios.name!r}; "
            "widen `window` or `where`"
        )
    compared = compared_scenarios(baseline, scenarios.scenarios, combine=scenarios.combine, margin=scenarios.margin)
    weeks = {one.name: weekly(baseline, one) for one in scenarios.scenarios}
    return Report(scenarios, baseline, compared, weeks)


def window_of(book: Book, window: ScenarioWindow) -> Window:
    """Return the window of a scenario file in time; last days count back from the newest fact where data are old."""
    newest = book.version().newest_at
    now = reading_moment(newest, now=datetime.now(UTC))
    tomorrow = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    if window.last_days is not None:
        return tomorrow - timedelta(days=window.last_days), tomorrow
    oldest = book.query("table", name=ATTEMPTS.name, columns=["started_at"], order_by="started_at", limit=1)
    first = oldest["started_at"][0] if oldest.height else tomorrow - timedelta(days=30)
    since = first if window.from_ is None else datetime.combine(window.from_, time(), UTC)
    until = tomorrow if window.until is None else datetime.combine(window.until, time(), UTC)
    return since, until


def scenarios_named(home: Home, told: str) -> ScenarioFile:
    """Return a scenario file: of that path, of the folder `scenarios` of the configuration, or a saved one's name.

    Raises:
        ConfigurationError: there is none, or it breaks its model.
    """
    for path in (Path(told), home.config / "scenarios" / told, home.config / "scenarios" / f"{told}.yaml"):
        if path.is_file():
            return SCENARIOS.parse(path.read_text(encoding="utf-8"), name=str(path))
    with ControlStore.of(home) as control:
        saved = {one.name: one.content for one in control.scenarios()}
    if told in saved:
        return SCENARIOS.parse(saved[told], name=f"the saved scenario {told!r}")
    folder = home.config / "scenarios"
    files = sorted(path.stem for path in folder.glob("*.yaml")) if folder.is_dir() else []
    known = ", ".join([*files, *saved]) or "none yet"
    raise ConfigurationError(f"there is no scenario file {told!r}; known here: {known}. Give a path, or save one")


def as_document(report: Report) -> dict[str, Any]:
    """Return a report as one JSON document; frames become lists of rows, rate cards their version."""
    baseline, compared = report.baseline, report.compared
    return {
        "name": report.file.name,
        "description": report.file.description,
        "baseline": {
            "since": baseline.since,
            "until": baseline.until,
            "n_attempts": baseline.attempts.height,
            "n_runs": baseline.runs.height,
            "cost_usd": cost_usd(baseline.attempts),
            "priced_share": baseline.priced_share,
            "clusters": baseline.cluster_level,
            "n_clusters": baseline.attempts["cluster"].n_unique(),
            "price_version": baseline.card.version,
        },
        "order": [step for step, _ in ORDER],
        "results": [asdict(result) for result in compared.results],
        "combined": None if compared.combined is None else asdict(compared.combined),
        "simultaneous": [asdict(estimate) for estimate in compared.simultaneous],
        "winner": None if compared.winner is None else {"scenario": compared.winner[0], **asdict(compared.winner[1])},
        "waterfall": compared.waterfall.to_dicts(),
        "tornado": compared.tornado.to_dicts(),
        "frontier": compared.frontier.to_dicts(),
        "weeks": {name: frame.to_dicts() for name, frame in report.weeks.items()},
        "measured": {
            name: {what: frame.to_dicts() for what, frame in frames.items()}
            for name, frames in compared.measured.items()
        },
    }
