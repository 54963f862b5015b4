"""The named questions that the store answers. Names of tables and columns come from the contract, values are bound."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from tokenpnl.errors import RefusedInputError
from tokenpnl.model import CostSource
from tokenpnl_ingest.store.schema import SQL_TABLES

When = str | int | datetime | None
Where = Mapping[str, Sequence[Any]] | None

LINES = "line_items"
TIME_OF = {
    "spans": "started_at",
    "outcomes": "effective_at",
    "evaluations": "evaluated_at",
    "metrics": "measured_at",
    "quarantine": "received_at",
    "batches": "received_at",
    "attempts": "started_at",
    "calls": "started_at",
    "fees": "started_at",
    "runs": "started_at",
    "booked": "booked_at",
    "capacity_booked": "until",
    "line_items": "started_at",
}
_GRAINS = ("hour", "day", "week", "month", "quarter", "year")
_SUMMED = (
    "list_cost_usd",
    "contracted_cost_usd",
    "cost_usd",
    "uncached_cost_usd",
    "primary_cost_usd",
    "standard_cost_usd",
)


def table(  # noqa: PLR0913 - each one narrows the question
    name: str,
    *,
    since: When = None,
    until: When = None,
    where: Where = None,
    columns: Sequence[str] | None = None,
    order_by: str | None = None,
    descending: bool = False,
    limit: int | None = None,
    offset: int = 0,
) -> sa.Select[Any]:
    """Select rows of one table.

    Args:
        name: the table.
        since: with `until`, the time [since, until) of the rows: ISO 8601 with a zone, UTC nanoseconds, or datetime.
        until: see `since`.
        where: column -> accepted values; None among them accepts NULL.
        columns: which ones, in this order; default all.
        order_by: a column; NULLs come last.
        descending: largest first.
        limit: how many rows at most.
        offset: how many rows to pass over.
    """
    source = _source(name)
    chosen = [_column(source, column) for column in columns] if columns else list(source.c)
    query = sa.select(*chosen).where(*_conditions(source, since, until, where))
    if order_by is not None:
        key = _column(source, order_by)
        query = query.order_by((key.desc() if descending else key.asc()).nulls_last())
    if limit is not None:
        query = query.limit(limit)
    return query.offset(offset) if offset else query


def count(name: str, *, since: When = None, until: When = None, where: Where = None) -> sa.Select[Any]:
    """Count the rows that `table` would return without a limit: one row, `rows`."""
    source = _source(name)
    counted = sa.select(sa.func.count().label("rows")).select_from(source)
    return counted.where(*_conditions(source, since, until, where))


def line_item_sums(
    by: Sequence[str] = (), *, since: When = None, until: When = None, where: Where = None
) -> sa.Select[Any]:
    """Sum line items by columns or grains (hour, day, week, month, quarter, year, in UTC), sorted by them.

    Gives the dimensions, `quantity`, `list_cost_usd`, `contracted_cost_usd`, `cost_usd`, `uncached_cost_usd`,
    `primary_cost_usd`, `standard_cost_usd` (each the sum of the known ones, NULL when none is known),
    `fallback_cost_usd` and `tiered_cost_usd` (contracted cost of the lines that know a primary's, a standard tier's
    price), `n_lines`, `n_unpriced_lines`, `unpriced_quantity`.
    """
    source = _source(LINES)
    dimensions = [_dimension(source, name) for name in by]
    unpriced = source.c.cost_source == CostSource.UNPRICED.value
    unpriced_quantity = sa.func.sum(source.c.quantity).filter(unpriced)
    fallback_cost = sa.func.sum(source.c.cost_usd).filter(source.c.primary_cost_usd.is_not(None))
    tiered_cost = sa.func.sum(source.c.contracted_cost_usd).filter(source.c.standard_cost_usd.is_not(None))
    sums = [
        sa.cast(sa.func.sum(source.c.quantity), sa.BigInteger).label("quantity"),
        *(sa.func.sum(source.c[name]).label(name) for name in _SUMMED),
        fallback_cost.label("fallback_cost_usd"),
        tiered_cost.label("tiered_cost_usd"),
        sa.func.count().label("n_lines"),
        sa.func.count().filter(unpriced).label("n_unpriced_lines"),
        sa.cast(sa.func.coalesce(unpriced_quantity, 0), sa.BigInteger).label("unpriced_quantity"),
    ]
    query = sa.select(*dimensions, *sums).where(*_conditions(source, since, until, where))
    if not by:
        return query
    labels: list[sa.ColumnClause[Any]] = [sa.literal_column(f'"{name}"') for name in by]
    return query.group_by(*labels).order_by(*(label.nulls_last() for label in labels))


def call_sums(by: Sequence[str] = (), *, since: When = None, until: When = None, where: Where = None) -> sa.Select[Any]:
    """Count attempts and calls by columns of attempts or grains as in `line_item_sums`, sorted by them.

    Gives the dimensions, `n_attempts`, and `n_calls`: the attempts that no later attempt of their call superseded, so
    that each call counts once, at the hour and model that ended it.
    """
    source = _table("attempts")
    dimensions = [_dimension(source, name) for name in by]
    ended = sa.func.count().filter(sa.not_(source.c.superseded))
    query = sa.select(*dimensions, sa.func.count().label("n_attempts"), ended.label("n_calls"))
    query = query.where(*_conditions(source, since, until, where))
    if not by:
        return query
    labels: list[sa.ColumnClause[Any]] = [sa.literal_column(f'"{name}"') for name in by]
    return query.group_by(*labels).order_by(*(label.nulls_last() for label in labels))


def distinct(name: str, column: str, *, since: When = None, until: When = None, where: Where = None) -> sa.Select[Any]:
    """Select the distinct known values of a column, sorted."""
    source = _source(name)
    value = _column(source, column)
    return (
        sa.select(value).distinct().where(value.is_not(None), *_conditions(source, since, until, where)).order_by(value)
    )


def spans_of_traces(trace_ids: Sequence[str], *, columns: Sequence[str] | None = None) -> sa.Select[Any]:
    """Select every stored version of the spans of these traces, by trace, start and span id."""
    spans = _table("spans")
    chosen = [_column(spans, column) for column in columns] if columns else list(spans.c)
    keys = ("trace_id", "started_at", "span_id", "content_hash")
    return sa.select(*chosen).where(_one_of(spans.c.trace_id, trace_ids)).order_by(*(spans.c[key] for key in keys))


def spans_of_run(run_id: str) -> sa.Select[Any]:
    """Select the spans of the traces in which the run has spans, calls or its run span."""
    spans, runs, attempts = _table("spans"), _table("runs"), _table("attempts")
    trace_ids = sa.union(
        sa.select(spans.c.trace_id).where(spans.c.run_id == run_id),
        sa.select(runs.c.trace_id).where(runs.c.run_id == run_id),
        sa.select(attempts.c.trace_id).where(attempts.c.run_id == run_id),
    )
    return sa.select(spans).where(spans.c.trace_id.in_(trace_ids)).order_by("started_at", "span_id", "content_hash")


def touched_traces(after: int) -> sa.Select[Any]:
    """Select the traces whose books batches above `after` put out of date, as `trace_id`, sorted.

    These are the traces of new spans, and those of the runs that new outcomes and evaluations speak of.
    """
    spans, outcomes, evaluations = _table("spans"), _table("outcomes"), _table("evaluations")
    # A run without an id of its own is named by its trace, or trace/span.
    named = sa.func.split_part(outcomes.c.run_id, "/", 1).label("trace_id")
    of_run = sa.select(spans.c.trace_id).join(outcomes, outcomes.c.run_id == spans.c.run_id)
    of_case = sa.select(spans.c.trace_id).join(outcomes, outcomes.c.business_id == spans.c.business_id)
    of_answer = sa.select(spans.c.trace_id).join(evaluations, evaluations.c.response_id == spans.c.response_id)
    touched = sa.union(
        sa.select(spans.c.trace_id).where(spans.c.batch_no > after),
        sa.select(outcomes.c.trace_id).where(outcomes.c.batch_no > after),
        sa.select(named).where(outcomes.c.batch_no > after),
        of_run.where(outcomes.c.batch_no > after),
        of_case.where(outcomes.c.batch_no > after),
        sa.select(evaluations.c.trace_id).where(evaluations.c.batch_no > after),
        of_answer.where(evaluations.c.batch_no > after),
    ).subquery()
    return sa.select(touched.c.trace_id).where(touched.c.trace_id.is_not(None)).order_by(touched.c.trace_id)


def traces_between(since: When = None, until: When = None) -> sa.Select[Any]:
    """Select the traces with an attempt, a fee or a run that started in [since, until), as `trace_id`, sorted."""
    sources = (_table("attempts"), _table("fees"), _table("runs"))
    parts = [sa.select(source.c.trace_id).where(*_conditions(source, since, until, None)) for source in sources]
    found = sa.union(*parts).subquery()
    return sa.select(found.c.trace_id).order_by(found.c.trace_id)


def links_of_keys(keys: Sequence[str]) -> sa.Select[Any]:
    """Select the links that carry one of the keys, sorted."""
    links = _table("links")
    return sa.select(links).where(_one_of(links.c.key, keys)).order_by("key", "trace_id", "scope_name")


def outcomes_of(run_ids: Sequence[str], trace_ids: Sequence[str], business_ids: Sequence[str] = ()) -> sa.Select[Any]:
    """Select what was stated about these runs, traces and business ids, sorted.

    A run named trace/span belongs to its trace.
    """
    outcomes = _table("outcomes")
    named = sa.func.split_part(outcomes.c.run_id, "/", 1)
    spoken_of = sa.or_(
        _one_of(outcomes.c.run_id, run_ids),
        _one_of(outcomes.c.trace_id, trace_ids),
        _one_of(named, trace_ids),
        _one_of(outcomes.c.business_id, business_ids),
    )
    return sa.select(outcomes).where(spoken_of).order_by("effective_at", "outcome_id", "content_hash")


def evaluations_of(trace_ids: Sequence[str]) -> sa.Select[Any]:
    """Select the evaluation scores of these traces and of the answers given in them, sorted by time and hash."""
    spans, evaluations = _table("spans"), _table("evaluations")
    answers = sa.select(spans.c.response_id).where(
        _one_of(spans.c.trace_id, trace_ids), spans.c.response_id.is_not(None)
    )
    spoken_of = sa.or_(_one_of(evaluations.c.trace_id, trace_ids), evaluations.c.response_id.in_(answers))
    return sa.select(evaluations).where(spoken_of).order_by("evaluated_at", "content_hash")


def traces_beside(trace_ids: Sequence[str]) -> sa.Select[Any]:
    """Select the traces that a key links with one of these, see `links`; these among them, as `trace_id`, sorted."""
    links = _table("links")
    key, scope = (links.c.tenant, links.c.key), links.c.scope_name
    of_these = sa.select(*key).where(_one_of(links.c.trace_id, trace_ids))
    joins = sa.or_(sa.func.count() > sa.func.count(scope), sa.func.count(scope.distinct()) > 1)
    joining = sa.select(*key).where(sa.tuple_(*key).in_(of_these)).group_by(*key).having(joins)
    beside = sa.select(links.c.trace_id).where(sa.tuple_(*key).in_(joining)).distinct().subquery()
    return sa.select(beside.c.trace_id).order_by(beside.c.trace_id)


def capacity_spans(trace_ids: Sequence[str]) -> sa.Select[Any]:
    """Select the spans of UTC hours that these traces have to do with: `first`, `last`, sorted.

    These are the hours of their attempts, from the first to the last that each was in, and the hours that have
    capacity items of theirs.
    """
    attempts, items = _table("attempts"), _table("capacity_items")
    begun, ended, booked = _hour(attempts.c.started_at), _hour(_ended(attempts)), _hour(items.c.started_at)
    found = sa.union(
        sa.select(begun.label("first"), ended.label("last")).where(_one_of(attempts.c.trace_id, trace_ids)),
        sa.select(booked.label("first"), booked.label("last")).where(_one_of(items.c.trace_id, trace_ids)),
    ).subquery()
    return sa.select(found.c.first, found.c.last).order_by(found.c.first, found.c.last)


def attempts_at_work(since: When, until: When) -> sa.Select[Any]:
    """Select the attempts that began before `until` and had not ended before `since`, however long they took."""
    attempts = _table("attempts")
    began = _conditions(attempts, None, until, None)
    return sa.select(attempts).where(*began, *([] if since is None else [_ended(attempts) >= _moment(since)]))


QUESTIONS: dict[str, Callable[..., sa.Select[Any]]] = {
    "table": table,
    "count": count,
    "line_item_sums": line_item_sums,
    "call_sums": call_sums,
    "distinct": distinct,
    "spans_of_traces": spans_of_traces,
    "spans_of_run": spans_of_run,
    "touched_traces": touched_traces,
    "traces_between": traces_between,
    "links_of_keys": links_of_keys,
    "outcomes_of": outcomes_of,
    "evaluations_of": evaluations_of,
    "traces_beside": traces_beside,
    "capacity_spans": capacity_spans,
    "attempts_at_work": attempts_at_work,
}


def _ended(attempts: sa.Table) -> sa.ColumnElement[Any]:
    """Return when an attempt ended, as far as its end or its time at work is known, else its start."""
    worked_ns = sa.cast(attempts.c.inference_ms * 1_000_000, sa.BigInteger)
    worked_until = sa.func.make_timestamp_ns(sa.func.epoch_ns(attempts.c.started_at) + worked_ns)
    return sa.func.coalesce(attempts.c.ended_at, worked_until, attempts.c.started_at)


def _hour(moment: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.func.date_trunc(sa.literal("hour", literal_execute=True), moment)


def _source(name: str) -> sa.FromClause:
    """Return the table, for line items with those of capacity: every question covers both."""
    if name != LINES:
        return _table(name)
    lines = sa.union_all(sa.select(_table(LINES)), sa.select(_table("capacity_items")))
    return lines.subquery(LINES)


def _table(name: str) -> sa.Table:
    if name not in SQL_TABLES:
        raise RefusedInputError(f"no table {name!r}; there are {', '.join(SQL_TABLES)}")
    return SQL_TABLES[name]


def _column(source: sa.FromClause, name: str) -> sa.ColumnElement[Any]:
    if name not in source.c:
        raise RefusedInputError(f"{_name(source)} has no column {name!r}; it has {', '.join(source.c.keys())}")
    return source.c[name]


def _name(source: sa.FromClause) -> str:
    return str(getattr(source, "name"))  # noqa: B009 - tables and subqueries have one, their base does not say so


def _dimension(source: sa.FromClause, name: str) -> sa.Label[Any]:
    if name in _GRAINS:
        return sa.func.date_trunc(sa.literal(name, literal_execute=True), source.c.started_at).label(name)
    return _column(source, name).label(name)


def _conditions(source: sa.FromClause, since: When, until: When, where: Where) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    for column, values in (where or {}).items():
        conditions.append(_among(_column(source, column), values))
    if since is not None:
        conditions.append(_time(source) >= _moment(since))
    if until is not None:
        conditions.append(_time(source) < _moment(until))
    return conditions


def _among(column: sa.ColumnElement[Any], values: Sequence[Any]) -> sa.ColumnElement[bool]:
    if isinstance(values, str):
        raise RefusedInputError(f"where[{str(column)!r}] takes a list of values, got one text")
    known = column.in_([value for value in values if value is not None])
    return sa.or_(known, column.is_(None)) if None in values else known


def _one_of(column: sa.ColumnElement[Any], values: Sequence[str]) -> sa.ColumnElement[bool]:
    # One list parameter: thousands of single ones would take longer to write than the question to answer.
    return column.in_(sa.select(sa.func.unnest(sa.bindparam(None, list(values), type_=sa.types.NullType()))))


def _time(source: sa.FromClause) -> sa.ColumnElement[Any]:
    name = _name(source)
    if name not in TIME_OF:
        raise RefusedInputError(f"{name} has no time; leave out since and until")
    return source.c[TIME_OF[name]]


def _moment(when: str | int | datetime) -> sa.ColumnElement[Any]:
    if isinstance(when, str):
        try:
            when = datetime.fromisoformat(when)
        except ValueError:
            raise RefusedInputError(f"expected an ISO 8601 time such as 2026-11-24T00:00:00Z, got {when!r}") from None
    if isinstance(when, datetime):
        if when.tzinfo is None:
            raise RefusedInputError(f"the time {when} has no zone; add Z for UTC")
        when = _nanoseconds(when)
    return sa.func.make_timestamp_ns(sa.cast(when, sa.BigInteger))


def _nanoseconds(when: datetime) -> int:
    since_epoch = when - datetime(1970, 1, 1, tzinfo=UTC)
    return ((since_epoch.days * 86400 + since_epoch.seconds) * 1_000_000 + since_epoch.microseconds) * 1000
