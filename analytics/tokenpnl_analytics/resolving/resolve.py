"""Resolution: from spans to attempts, calls, fees and runs, with every token counted once.

Pure and re-computable: the same set of spans gives the same frames in whatever order, batches or repetitions they
came, as long as traces that share a link (`links.link_keys`) are resolved together.
"""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from tokenpnl.model import Flag, Operation
from tokenpnl.tables import ATTEMPTS, CALLS, DUPLICATES, FEES
from tokenpnl_analytics.flags import tidy, with_flags
from tokenpnl_analytics.frames import conform
from tokenpnl_analytics.resolving.aggregates import COUNTS, Gaps, gaps
from tokenpnl_analytics.resolving.attempts import ended, wire_attempts
from tokenpnl_analytics.resolving.bill import Bearers, bearers, billed_operation
from tokenpnl_analytics.resolving.callids import calls_apart
from tokenpnl_analytics.resolving.calls import calls_of, in_order, with_calls
from tokenpnl_analytics.resolving.context import OWNERS, Standing, places, standing
from tokenpnl_analytics.resolving.duplicates import members
from tokenpnl_analytics.resolving.forest import Forest, Rows, forest
from tokenpnl_analytics.resolving.loops import repeated
from tokenpnl_analytics.resolving.merge import merged
from tokenpnl_analytics.resolving.runs import RunBook, run_book, runs_table
from tokenpnl_analytics.resolving.servers import with_servers
from tokenpnl_analytics.resolving.usage import has_usage
from tokenpnl_analytics.resolving.verdicts import late_verdicts, with_verdicts

UNREAD = ("attributes_json", "events_json", "links_json", "received_at")
"""Columns of `spans` that resolution does not look at."""

HOMES = pl.Schema(dict.fromkeys(("tenant", "trace_id", "span_id", "run_id"), pl.String()))


@dataclass(frozen=True)
class Resolution:
    """What the spans say, each frame in the shape of its table; costs and outcomes are NULL.

    Args:
        attempts: one row per wire request, sorted by start and id.
        calls: one row per logical model operation, sorted by start and key.
        fees: one row per reported cost that is not priced by tokens, sorted by start.
        runs: one row per execution of a workflow, sorted by run id.
        duplicates: one row per record with usage that does not carry the bill, sorted by trace and span.
        homes: `HOMES`: the run of each span of the traces that hold several.
    """

    attempts: pl.DataFrame
    calls: pl.DataFrame
    fees: pl.DataFrame
    runs: pl.DataFrame
    duplicates: pl.DataFrame
    homes: pl.DataFrame = field(default_factory=HOMES.to_frame)


def resolve(spans: pl.DataFrame) -> Resolution:
    """Return the attempts, calls, fees, runs and duplicates that the spans tell of.

    Args:
        spans: rows of the table `spans`: all versions and repetitions of the spans of some traces.
    """
    trees = forest(spans.drop(*UNREAD, "batch_no", strict=False))
    stands, roles = standing(trees), bearers(trees)
    everyone = np.arange(trees.size)
    records = members(trees, roles, trees.inherited(everyone, "session_id")["session_id"])
    records = records.with_columns(placed=pl.Series(stands.run[records["row"].to_numpy()] != trees.size))
    units = with_servers(trees, records, merged(records))
    gap = gaps(trees, roles, records, units)
    units = _filled(trees, units, gap)
    late = calls_apart(trees, stands, units, late_verdicts(trees.spans))
    units = with_verdicts(calls_apart(trees, stands, units, units), late)
    hit = pl.col("cache_hit").fill_null(value=False)
    asked = with_calls(ended(_below(trees, roles, units.filter(~hit))))
    book = run_book(trees, stands, np.append(asked["home"].to_numpy(), units.filter(hit)["row"].to_numpy()))
    attempts = in_order(wire_attempts(_placed(trees, stands, book, asked), _requests(trees, roles, records)))
    hits = _placed(trees, stands, book, units.filter(hit).with_columns(home="row"))
    calls = calls_of(attempts, hits)
    calls = calls.with_columns(looped=repeated(calls, subject=["prompt_hash", "model"]))
    attempts = attempts.join(calls.select("tenant", "call_key", "looped"), on=["tenant", "call_key"], how="left")
    attempts = conform(tidy(attempts).sort("started_at", "tenant", "attempt_id"), ATTEMPTS)
    calls = conform(tidy(calls), CALLS)
    return Resolution(
        attempts=attempts,
        calls=calls,
        fees=_fees(trees, stands, book),
        runs=runs_table(trees, book, attempts, calls),
        duplicates=_duplicates(trees, roles, records, units, gap),
        homes=_homes(trees, book),
    )


def _homes(trees: Forest, book: RunBook) -> pl.DataFrame:
    place = ["tenant", "trace_id"]
    several = book.runs.group_by(place).len().filter(pl.col("len") > 1)
    if several.is_empty():
        return HOMES.to_frame()
    rows = np.flatnonzero(book.run[: trees.size] != trees.size)
    spans = trees.at(rows, *place, "span_id").with_columns(run=pl.Series(book.run[rows]))
    return (
        spans.join(several, on=place, how="semi")
        .join(book.runs.select("run", "run_id"), on="run")
        .select(HOMES.names())
        .unique()
        .sort(HOMES.names())
    )


def _filled(trees: Forest, units: pl.DataFrame, gap: Gaps) -> pl.DataFrame:
    """Give the calls what only a parent told, and make a call of a parent that is the only witness."""
    parents = gap.added["parent"].to_numpy()
    added = trees.at(parents, *trees.spans.columns).with_columns(
        gap.added.select(COUNTS),
        unit="row",
        n_members=pl.lit(1, pl.UInt32),
        operation=pl.lit(Operation.INFERENCE.value),
        inferred=pl.lit(value=True),
        **{name: pl.col(name.removeprefix("top_")) for name in units.columns if name.startswith("top_")},
    )
    taken = gap.filled.select("unit", *(pl.col(name).alias(f"{name}_given") for name in COUNTS), inferred=True)
    units = units.join(taken.unique("unit"), on="unit", how="left", maintain_order="left")
    given = {name: pl.when(pl.col("inferred").is_null()).then(name).otherwise(f"{name}_given") for name in COUNTS}
    units = units.with_columns(**given).drop(f"{name}_given" for name in COUNTS)
    both = pl.concat([units, added.select(units.columns)])
    both = both.with_columns(operation=billed_operation())
    return with_flags(both, {Flag.USAGE_INFERRED: pl.col("inferred")}).drop("inferred")


def _below(trees: Forest, roles: Bearers, units: pl.DataFrame) -> pl.DataFrame:
    """Add the name of the span above each record, whether that span failed, and the flag of partial usage."""
    above = trees.at(trees.parent[units["top_row"].to_numpy()], "name", "status_code")
    units = units.with_columns(parent_name=above["name"], parent_failed=above["status_code"] == "error")
    partial = pl.Series(roles.partial).gather(units["row"])
    return with_flags(units, {Flag.USAGE_PARTIAL: pl.lit(partial)})


def _placed(trees: Forest, stands: Standing, book: RunBook, units: pl.DataFrame) -> pl.DataFrame:
    """Add run, workflow, step, owners and evaluation."""
    own = units.select(pl.col(name).alias(f"{name}_own") for name in OWNERS)
    context = _context(trees, stands, book, units["home"].to_numpy())
    placed = pl.concat([units.drop(*OWNERS, "agent_name", "run_id"), own], how="horizontal").with_columns(
        context,
        model=pl.coalesce("response_model", "request_model"),
    )
    failing = [name for name in ("parent_failed", "run_failed") if name in placed.columns]
    placed = placed.with_columns(
        *(pl.coalesce(name, f"{name}_own") for name in OWNERS),
        parent_failed=pl.any_horizontal(pl.col(failing).fill_null(value=False)),
    )
    return with_flags(placed, {Flag.ORPHAN: pl.col("orphan")}).drop(f"{name}_own" for name in OWNERS)


def _context(trees: Forest, stands: Standing, book: RunBook, rows: Rows) -> pl.DataFrame:
    """Return run, workflow, step, owners and evaluation of the spans at the given rows, in their order."""
    where = places(trees, stands, rows).with_columns(
        run=pl.Series(book.run[rows]), _started=trees.at(rows, "started_at")["started_at"]
    )
    runs = book.runs.select(
        "run",
        "run_id",
        "workflow",
        *(pl.col(name).alias(f"{name}_run") for name in OWNERS),
        run_ended_at="ended_at",
        run_failed=pl.col("status_code") == "error",
    )
    where = where.join(runs, on="run", how="left", maintain_order="left")
    # A run that never ended has not ended yet.
    late = (pl.col("_started") > pl.col("run_ended_at")).fill_null(value=False) | pl.col("run_id").is_null()
    judged = pl.when(late).then(pl.lit("offline")).otherwise(pl.lit("inline"))
    return where.select(
        "run_id",
        "workflow",
        "run_failed",
        "step",
        "agent_name",
        "orphan",
        *(pl.coalesce(name, f"{name}_run") for name in OWNERS),
        evaluation=pl.when("judging").then(judged),
    )


def _followed(trees: Forest, roles: Bearers, rows: Rows) -> Rows:
    """Return the rows, superfluous wrappers replaced by the record below that stands for them."""
    while True:
        lower = roles.superfluous[rows]
        if (lower == trees.size).all():
            return rows
        rows = np.where(lower == trees.size, rows, lower)


def _unit_of(trees: Forest, records: pl.DataFrame) -> Rows:
    unit = np.full(trees.size + 1, trees.size)
    unit[records["row"].to_numpy()] = records["unit"].to_numpy()
    return unit


def _requests(trees: Forest, roles: Bearers, records: pl.DataFrame) -> pl.DataFrame:
    rows = np.flatnonzero(roles.http_owner != trees.size)
    owner = _followed(trees, roles, roles.http_owner[rows])
    facts = trees.at(rows, "row", "started_at", "ended_at", "http_status", "error_type", "status_code")
    return facts.with_columns(unit=pl.Series(_unit_of(trees, records)[owner])).filter(pl.col("unit") != trees.size)


def _fees(trees: Forest, stands: Standing, book: RunBook) -> pl.DataFrame:
    tool = trees.mask(pl.col("operation") == Operation.TOOL.value)
    fee = trees.mask(pl.col("fee_usd").is_not_null() & (pl.col("signal") == "span"))
    rows = np.flatnonzero(tool | fee)
    names = ("tenant", "trace_id", "span_id", "name", "tool_name", "started_at", "ended_at", "fee_usd", "flags")
    frame = trees.at(rows, *names, "arguments_hash", "output_hash", "status_code", "error_type").with_columns(
        _context(trees, stands, book, rows),
        failed=pl.any_horizontal(pl.col("status_code") == "error", pl.col("error_type").is_not_null()).fill_null(
            value=False
        ),
    )
    frame = frame.with_columns(pl.coalesce("tool_name", "name").alias("tool_name"))
    frame = frame.with_columns(looped=repeated(frame, subject=["tool_name", "arguments_hash"]))
    frame = frame.filter(pl.col("fee_usd").is_not_null()).sort("started_at", "tenant", "trace_id", "span_id")
    return conform(tidy(with_flags(frame, {Flag.ORPHAN: pl.col("orphan")})), FEES)


def _duplicates(trees: Forest, roles: Bearers, records: pl.DataFrame, units: pl.DataFrame, gap: Gaps) -> pl.DataFrame:
    unit_of = _unit_of(trees, records)
    wrappers = np.flatnonzero(roles.superfluous[: trees.size] != trees.size)
    silent = pl.Series(trees.mask(has_usage())).gather(wrappers)
    above = pl.DataFrame(
        {"row": wrappers, "unit": unit_of[_followed(trees, roles, wrappers)]},
        schema={"row": pl.Int64, "unit": pl.Int64},
    ).filter(silent)
    told = pl.concat(
        [
            records.filter(has_usage()).select("row", "unit", pl.col("rule").fill_null("leaf")),
            above.with_columns(rule=pl.lit("leaf")),
            gap.repeated.select(row="parent", unit="unit", rule=pl.lit("leaf")),
        ]
    )
    carriers = units.select("unit", carrier="row")
    repeats = told.join(carriers, on="unit").filter(pl.col("row") != pl.col("carrier")).sort("row")
    own = trees.at(repeats["row"].to_numpy(), "tenant", "trace_id", "span_id")
    carrier = trees.at(repeats["carrier"].to_numpy(), "trace_id", "span_id")
    return conform(
        own.with_columns(
            carried_by_trace_id=carrier["trace_id"], carried_by_span_id=carrier["span_id"], rule=repeats["rule"]
        ),
        DUPLICATES,
    )
