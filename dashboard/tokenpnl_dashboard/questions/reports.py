"""The reports of the command line: the same analytics as the pages, asked of a book."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import polars as pl

from tokenpnl.errors import ConfigurationError
from tokenpnl.tables import ATTEMPTS, CALLS, DUPLICATES, FEES, LINE_ITEMS, OUTCOMES, RUNS
from tokenpnl_analytics.books import Books
from tokenpnl_analytics.classify import causes, totals_in_both_orders
from tokenpnl_analytics.contracts.breaches import NOT_CHECKED
from tokenpnl_analytics.frames import TIME, conform, known_sum
from tokenpnl_analytics.periods import Period
from tokenpnl_analytics.rules.agents import AgentsFile
from tokenpnl_analytics.rules.labels import LabelsFile
from tokenpnl_analytics.rules.outcomes import OutcomesFile
from tokenpnl_analytics.sampling import estimated_totals
from tokenpnl_analytics.statement import GRAINS, in_periods, statement, with_app_cache, with_over_limit
from tokenpnl_analytics.summary import summary
from tokenpnl_analytics.summary import with_over_limit as summary_with_over_limit
from tokenpnl_analytics.unit_cost.comparisons import compared_cohorts
from tokenpnl_analytics.unit_cost.controls import controls
from tokenpnl_analytics.unit_cost.outcome_rules import definitions_in, windows_of
from tokenpnl_analytics.unit_cost.outcomes import known_at
from tokenpnl_analytics.unit_cost.units import PRODUCTION, RUN_DIMENSIONS, cohort, contributions, unit_costs
from tokenpnl_dashboard.book import Book
from tokenpnl_dashboard.questions.contracts import agents_frame, breaches_frame, checked, over_limit
from tokenpnl_dashboard.questions.disclosure import Disclosure, Known, Summed, disclosure_of
from tokenpnl_dashboard.questions.drill import OWNED_BY, lines_behind, without_owner
from tokenpnl_dashboard.questions.lines import run_capacity
from tokenpnl_dashboard.questions.verdict import labels_in
from tokenpnl_ingest.home import Home

_TOLD_APART = ("usage_kind", "cost_category", "served_reason")
_OF_A_SLICE = ("tenant", "run_id", "workflow", "cost_usd", "cost_category", "evaluation")
_UNIT_COLUMNS = (
    *("settled_usd", "at_least_usd", "low", "high", "method", "to_date_usd", "to_date_low_usd", "expected_usd"),
    *("direct_usd", "inline_evaluation_usd", "capacity_share_usd", "offline_evaluation_usd"),
    *("n_runs", "n_settled", "successes", "unresolved_share", "window_days"),
    *("fieller_low", "fieller_high", "clusters", "n_clusters", "design_effect", "tail_share", "winsorised_usd"),
    *("priced_share", "outcome_coverage", "estimated", "caveats"),
)
_CONTROL_COLUMNS = (
    *("program_share", "user_share", "reviewer_share", "rule_share", "import_share", "unnamed_share"),
    *("n_business_ids", "runs_per_business_id", "most_runs_of_a_business_id"),
)


@dataclass(frozen=True)
class Asked:
    """What a report is about: line items and runs that started in the period, read at `as_of`, by a column or grain.

    `rules` are the success definitions, `agents` the contracts of agents, `labels` what people said of steps; `where`
    narrows line items by accepted values of their columns.
    """

    period: Period
    as_of: datetime
    by: str | None
    zone: str
    rules: OutcomesFile = field(default_factory=OutcomesFile)
    agents: AgentsFile = field(default_factory=AgentsFile)
    labels: LabelsFile = field(default_factory=LabelsFile)
    where: Mapping[str, list[str | None]] = field(default_factory=dict)


def pnl(book: Book, asked: Asked) -> pl.DataFrame:
    """Return the statement, one row per value of the dimension.

    Value and successes stand beside it for dimensions of runs, unless it is narrowed to a part of their cost.
    """
    runs = _cohort(book, asked) if set(asked.where) <= {*RUN_DIMENSIONS} else None
    past = checked(book, asked.agents, asked.period)
    over = None if past is None else over_limit(past, asked.period, asked.where)
    if asked.by in GRAINS:
        lines = _sums(book, asked, ["hour"])
        lines = in_periods(lines, asked.by, asked.zone, at="hour")
        found = statement(lines, ["period"], runs=None if runs is None else in_periods(runs, asked.by, asked.zone))
        hits = _cache_hits(book, asked, ["started_at"])
        found = found if hits is None else with_app_cache(found, in_periods(hits, asked.by, asked.zone), ["period"])
        return found if over is None else with_over_limit(found, in_periods(over, asked.by, asked.zone), ["period"])
    by = [asked.by] if asked.by else []
    found, hits = statement(_sums(book, asked, by), by, runs=runs), _cache_hits(book, asked, by)
    found = found if hits is None else with_app_cache(found, hits, by)
    return found if over is None else with_over_limit(found, over, by)


def posted_pnl(lines: pl.DataFrame, asked: Asked) -> pl.DataFrame:
    """Return the statement as the ledger has it: closed months as closed, their corrections in the open month.

    Args:
        lines: result of `Closing.posted` for the period.
        asked: dimension or grain, and zone.
    """
    if asked.by in GRAINS:
        return statement(in_periods(lines, asked.by, asked.zone), ["period"])
    return statement(lines, [asked.by] if asked.by else [])


def with_restated(posted: pl.DataFrame, months: pl.DataFrame, asked: Asked) -> pl.DataFrame:
    """Return the posted statement with closed months as closed, restated and the difference side by side.

    Args:
        posted: result of `posted_pnl`.
        months: result of `restated_months`, by a dimension that of `restated_by`.
        asked: by month, or by value of a dimension, each stands at its own; without either the sum does; by another
            grain of time nothing is added, as months are closed whole.
    """
    columns = ("as_closed_usd", "restated_usd", "difference_usd")
    if asked.by is None:
        return (
            posted.with_columns(months.select(known_sum(pl.col(name)) for name in columns)) if months.height else posted
        )
    if asked.by not in GRAINS:
        return posted.join(months, on=asked.by, how="left", nulls_equal=True, maintain_order="left")
    if asked.by != "month":
        return posted
    begins = pl.col("period").dt.convert_time_zone("UTC").cast(TIME)
    joined = posted.with_columns(begins.alias("_begun")).join(
        months.rename({"period": "_begun"}), on="_begun", how="left", maintain_order="left"
    )
    return joined.drop("_begun")


def usage(book: Book, asked: Asked) -> pl.DataFrame:
    """Return tokens and cost by usage kind, and by the dimension: `quantity, cost_usd, n_lines, n_unpriced_lines`."""
    lines = _sums(book, asked, [asked.by] if asked.by and asked.by not in GRAINS else ["hour"] if asked.by else [])
    keys = ["usage_kind"]
    if asked.by in GRAINS:
        lines, keys = in_periods(lines, asked.by, asked.zone, at="hour"), ["period", *keys]
    elif asked.by:
        keys = [asked.by, *keys]
    known = pl.col("cost_usd").count() > 0
    return (
        lines.group_by(keys)
        .agg(
            pl.col("quantity").sum(),
            pl.when(known).then(pl.col("cost_usd").sum()).alias("cost_usd"),
            pl.col("n_lines").sum(),
            pl.col("n_unpriced_lines").sum(),
        )
        .sort(keys, nulls_last=True)
    )


def categories(book: Book, asked: Asked) -> pl.DataFrame:
    """Return cost by category as booked and under the reverse order of rules, with its share and its lines."""
    sums = _sums(book, asked, ["reversed_category"])
    n_lines = sums.group_by("cost_category").agg(pl.col("n_lines", "n_unpriced_lines").sum())
    whole = sums["cost_usd"].sum()
    return (
        totals_in_both_orders(sums)
        .join(n_lines, on="cost_category", how="left", maintain_order="left")
        .with_columns((pl.col("cost_usd").cast(pl.Float64) / (float(whole) or None)).alias("share"))
        .select("cost_category", "cost_usd", "share", "reversed_cost_usd", "n_lines", "n_unpriced_lines")
    )


def causes_of(book: Book, asked: Asked) -> pl.DataFrame:
    """Return cost without direct result by category and cause, and by the dimension: gross and addressable."""
    by = [asked.by] if asked.by and asked.by not in GRAINS else []
    return causes(_sums(book, asked, [*by, "cause"]), by)


def lines(book: Book, asked: Asked) -> pl.DataFrame:
    """Return the line items behind a figure, the dearest first; table `line_items`."""
    return lines_behind(book, asked.where, asked.period)


def disclosure(
    book: Book, asked: Asked, home: Home | None, what: str, *, lines: pl.DataFrame | None = None
) -> Disclosure:
    """Return what travels with a report.

    Args:
        book: the books.
        asked: what the report is about.
        home: where invoices and rate cards are known.
        what: the report, such as pnl.
        lines: the line items that it adds up where these are not those of the books: as posted.
    """
    of_runs = what in ("units", "estimate")
    runs = _cohort(book, asked) if set(asked.where) <= {*RUN_DIMENSIONS} else None
    unit = None if not of_runs else asked.by if asked.by in RUN_DIMENSIONS else "workflow"
    summed = Summed(asked.period, asked.where, lines=lines, runs=runs, unit=unit, counts_runs=of_runs)
    found = disclosure_of(Known.of(book, home), summed)
    return replace(found, not_checked=NOT_CHECKED) if what == "contracts" else found


def estimate(book: Book, asked: Asked) -> pl.DataFrame:
    """Return what all runs cost, those that sampling left out included: `estimate, low, high, n, method`.

    Raises:
        ConfigurationError: the dimension is none of runs; the unit of sampling is the trace.
    """
    if asked.by is not None and asked.by not in RUN_DIMENSIONS:
        raise ConfigurationError(f"runs are sampled whole: an estimate exists by {', '.join(RUN_DIMENSIONS)}")
    runs = conform(book.query("table", name=RUNS.name, **_window(asked)), RUNS)
    return estimated_totals(runs, [asked.by] if asked.by else [])


def contracts(book: Book, asked: Asked) -> pl.DataFrame:
    """Return the breaches of agents' contracts, the dearest first; by agent how each keeps its own."""
    found = checked(book, asked.agents, asked.period)
    return agents_frame(found) if asked.by == "agent" else breaches_frame(found)


def unattributed(book: Book, asked: Asked) -> pl.DataFrame:
    """Return cost that names no workflow or no customer, the largest source first."""
    return without_owner(_sums(book, asked, [*OWNED_BY, "provider", "model", "step"]))


def units(book: Book, asked: Asked) -> pl.DataFrame:
    """Return cost per successful outcome of production runs by a run-level dimension, by default the workflow.

    A model, step, provider or hour has no cost per success; for them it is what each slice contributes to its
    workflow's. The controls against gaming stand beside each figure.

    Raises:
        ConfigurationError: a day, week or month has neither.
    """
    by = asked.by or "workflow"
    if by in RUN_DIMENSIONS:
        runs = _cohort(book, asked)
        beside = controls(runs, [by]).select(by, *_CONTROL_COLUMNS)
        found = unit_costs(runs, [by]).select(by, *_UNIT_COLUMNS)
        found = found.join(beside, on=by, how="left", nulls_equal=True, maintain_order="left")
        return pl.concat([found, _definitions(found[by], asked)], how="horizontal") if by == "workflow" else found
    if by in GRAINS and by != "hour":
        raise ConfigurationError(f"a cost per success exists by {', '.join(RUN_DIMENSIONS)}, not by {by}; use --period")
    # The cohort is of runs that started in the period; their cost counts whenever it was incurred.
    column = "started_at" if by == "hour" else by
    lines = book.query("table", name=LINE_ITEMS.name, columns=[*_OF_A_SLICE, column], since=asked.period.since)
    return contributions(lines, _cohort(book, asked), by).rename({"hour": "period"}, strict=False)


def units_against(book: Book, asked: Asked, earlier: Period | str) -> pl.DataFrame:
    """Return each settled unit cost against that of an earlier period, or of one release; result of `compared`.

    Args:
        book: the books.
        asked: the period and a dimension of runs, by default the workflow.
        earlier: the other period, or the release that every release of the period is set against.

    Raises:
        ConfigurationError: the dimension is none of runs, or no run of the period is of that release.
    """
    by = asked.by or "workflow"
    if by not in RUN_DIMENSIONS:
        raise ConfigurationError(f"a cost per success is compared by {', '.join(RUN_DIMENSIONS)}, not by {by}")
    runs = _cohort(book, asked)
    if isinstance(earlier, str):
        before = runs.filter(release=earlier)
        if before.is_empty():
            raise ConfigurationError(f"--against {earlier}: neither a period nor a release of these runs")
        # Releases of other services are no alternative to it.
        same = pl.col("workflow").is_in(before["workflow"].unique().to_list(), nulls_equal=True)
        rest = runs.filter(pl.col("release").ne_missing(earlier) & same)
        names = rest.select("release").unique()
        before = before.drop("release").join(names, how="cross").select(runs.columns)
        within = asked.period.since, asked.as_of
        return compared_cohorts(rest, before, by, rules=asked.rules, within=within)
    before = _cohort(book, replace(asked, period=earlier))
    within = spanned(asked.period, earlier, asked.as_of)
    return compared_cohorts(runs, before, by, rules=asked.rules, within=within)


def spanned(one: Period, other: Period, as_of: datetime) -> tuple[datetime | None, datetime]:
    """Return the begin of the earlier and the end of the later of two periods; an open one ends at `as_of`."""
    begins = [period.since for period in (one, other)]
    since = None if None in begins else min(begin for begin in begins if begin is not None)
    return since, max(period.until or as_of for period in (one, other))


def _definitions(workflows: pl.Series, asked: Asked) -> pl.DataFrame:
    told = definitions_in(workflows.to_list(), asked.rules, asked.as_of, **_window(asked))
    return told.select("definition", "owner", "version", "changed_on")


def summary_of(book: Book, asked: Asked, *, runs: bool = False) -> dict[str, Any]:
    """Return the summary that every surface agrees on, of everything that started in the period."""
    tables = {
        table.name: conform(book.query("table", name=table.name, **_window(asked)), table)
        for table in (ATTEMPTS, CALLS, FEES, LINE_ITEMS)
    }
    tables[RUNS.name] = _runs(book, asked)
    duplicates = conform(book.query("table", name=DUPLICATES.name), DUPLICATES)
    replayed = book.query("table", name="batches", columns=["replayed"])["replayed"].sum()
    books = Books(**tables, duplicates=duplicates)
    answer = summary(
        books, as_of=asked.as_of, runs=runs, replayed_span_records=int(replayed), windows=windows_of(asked.rules)
    )
    answer |= {"labels": labels_in(book, asked.period, asked.as_of, asked.rules, asked.labels)}
    past = checked(book, asked.agents, asked.period)
    return answer if past is None else summary_with_over_limit(answer, over_limit(past, asked.period, {}))


def _cache_hits(book: Book, asked: Asked, columns: Sequence[str]) -> pl.DataFrame | None:
    """Return the calls that the application's cache answered; None where calls do not know what is asked by."""
    if not {*columns, *asked.where} <= set(CALLS.names):
        return None
    where = {**asked.where, "cached": [True]}
    return book.query("table", name=CALLS.name, columns=[*columns, "cache_avoided_usd"], where=where, **_window(asked))


def _sums(book: Book, asked: Asked, by: Sequence[str]) -> pl.DataFrame:
    dimensions = [*by, *(name for name in _TOLD_APART if name not in by)]
    sums = book.query("line_item_sums", by=dimensions, where=dict(asked.where), **_window(asked))
    if "hour" in by:
        return sums.with_columns(pl.col("hour").cast(pl.Datetime("ns", "UTC")))
    return sums


def _cohort(book: Book, asked: Asked) -> pl.DataFrame:
    runs = _runs(book, asked)
    windows, capacity = windows_of(asked.rules), run_capacity(book, **_window(asked))
    environments = None if "environment" in asked.where else PRODUCTION
    return cohort(runs, as_of=asked.as_of, windows=windows, environments=environments, capacity=capacity)


def _runs(book: Book, asked: Asked) -> pl.DataFrame:
    """Return the runs with the outcomes of the moment that was asked for."""
    runs = conform(book.query("table", name=RUNS.name, where=dict(asked.where), **_window(asked)), RUNS)
    if runs.filter(pl.col("outcome_at") > asked.as_of).is_empty():
        return runs
    stated = conform(book.query("table", name=OUTCOMES.name), OUTCOMES)
    return known_at(runs, stated, asked.as_of, rules=asked.rules)


def _window(asked: Asked) -> dict[str, datetime | None]:
    return {"since": asked.period.since, "until": asked.period.until}
