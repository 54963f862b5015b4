"""The verdict of a window of a book: what is asked of the book, and what analytics makes of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias, cast

import polars as pl

from tokenpnl.tables import ATTEMPTS, LINE_ITEMS, SPANS
from tokenpnl_analytics.periods import Period
from tokenpnl_analytics.pricing.ratecard import RateCard
from tokenpnl_analytics.rules.labels import LabelsFile
from tokenpnl_analytics.rules.outcomes import OutcomesFile
from tokenpnl_analytics.verdict.cures import cures
from tokenpnl_analytics.verdict.report import LABEL_COLUMNS, Report, Traffic, labelled, reported
from tokenpnl_analytics.whatif.baseline import frozen
from tokenpnl_analytics.whatif.details import SPAN_COLUMNS, call_details
from tokenpnl_dashboard.book import Book
from tokenpnl_dashboard.questions.cohorts import cohort_of, rows_of

Where = Mapping[str, list[str | None]]
Window: TypeAlias = tuple[datetime, datetime]


def verdict_of(
    book: Book,
    period: Period,
    as_of: datetime,
    definitions: OutcomesFile,
    labels: LabelsFile,
    where: Where | None = None,
) -> Report:
    """Return the verdict on the runs that started in the period.

    Args:
        book: asked for runs, attempts, line items and what the spans say of prompts, outputs and routes.
        period: when runs started; what they cost counts whenever it was incurred.
        as_of: outcomes that became true later are not known.
        definitions: success definitions; give the outcome windows.
        labels: what people said of steps.
        where: accepted values by column of `runs`; production only unless `environment` is among them.
    """
    return reported(_traffic(book, period, as_of, definitions, dict(where or {})), labels)


def labels_in(
    book: Book, period: Period, as_of: datetime, definitions: OutcomesFile, labels: LabelsFile
) -> dict[str, str]:
    """Return `workflow/step` -> glue or reasoning, as `verdict_of` says it, from no more columns than that needs."""
    return labelled(_traffic(book, period, as_of, definitions, {}, only=LABEL_COLUMNS), labels)


def cures_of(report: Report, card: RateCard) -> pl.DataFrame:
    """Return what the cures of the verdict's causes would have saved; result of `cures`.

    Args:
        report: a verdict.
        card: the prices in force.
    """
    traffic = report.traffic
    settled = traffic.runs.filter("settled")
    attempts, lines = (
        frame.join(settled, on=["tenant", "run_id"], how="semi") for frame in (traffic.attempts, traffic.lines)
    )
    window = attempts["started_at"].min(), attempts["started_at"].max()
    baseline = frozen(attempts, lines, traffic.details, settled, card=card, window=cast("Window", window))
    return cures(baseline, report.causes, report.cause_of, report.compared)


def _traffic(
    book: Book,
    period: Period,
    as_of: datetime,
    definitions: OutcomesFile,
    where: Where,
    only: Mapping[str, Sequence[str]] | None = None,
) -> Traffic:
    ours = cohort_of(book, definitions, (period.since, period.until), where, as_of=as_of)
    later = (period.since, None)
    spans = rows_of(book, SPANS, SPAN_COLUMNS, later, {"operation": ["inference"]})
    attempts, lines = (
        rows_of(book, table, (only or {}).get(table.name, table.names), later, where)
        for table in (ATTEMPTS, LINE_ITEMS)
    )
    return Traffic(attempts, call_details(spans), lines, ours)
