"""What `tokenpnl doctor` looks at: the environment, the store and the data, each as a finding with what to do."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from tokenpnl.errors import ConfigurationError, StoreError
from tokenpnl.instrumentors import candidates, native_clients
from tokenpnl.model import CostCategory
from tokenpnl.tables import BATCHES, UNBOOKED
from tokenpnl_analytics.rules.registry import RULE_FILES
from tokenpnl_analytics.unit_cost.units import PRICED_SHARE_FLOOR
from tokenpnl_dashboard import words
from tokenpnl_dashboard.book import Book
from tokenpnl_dashboard.processes.serve import taken
from tokenpnl_dashboard.rules.configuration import Configuration
from tokenpnl_ingest.control import ControlStore
from tokenpnl_ingest.home import Home, running_collector
from tokenpnl_ingest.serve import CollectorPorts

GOOD, NOTE, BROKEN, UNTRUSTED = "ok", "note", "broken", "untrusted"
_MISSING_FLOOR = 0.02
_COVERAGE_FLOOR = 0.9
_MOST_NAMED = 5
_BOOKED_WITHIN = timedelta(minutes=1)


@dataclass(frozen=True)
class Finding:
    """One check: `status` is ok, note (worth knowing), broken (does not work) or untrusted (numbers mislead)."""

    check: str
    status: str
    found: str
    do: str = ""


def environment_findings(home: Home) -> Iterator[Finding]:
    """Yield what is so about this machine and process environment."""
    yield Finding("python", GOOD, f"{sys.version.split()[0]}")
    running = running_collector(home)
    if running is not None:
        yield Finding("collector", GOOD, f"pid {running.pid} serves {home.path} at {running.http} and {running.grpc}")
    else:
        busy = [str(port) for port in (CollectorPorts().grpc, CollectorPorts().http) if taken(port)]
        status = NOTE if busy else GOOD
        found = f"nobody serves {home.path}" + (
            f"; ports {', '.join(busy)} are taken by something else" if busy else ""
        )
        do = "tokenpnl serve --grpc-port 0 --http-port 0" if busy else "tokenpnl serve"
        yield Finding("collector", status, found, do)
    yield from _otel_findings()
    yield from _instrumentation_findings()


def _otel_findings() -> Iterator[Finding]:
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        yield Finding("sdk", BROKEN, "OTEL_SDK_DISABLED is true: nothing is recorded", "unset OTEL_SDK_DISABLED")
    sampler = os.environ.get("OTEL_TRACES_SAMPLER", "")
    if sampler and "always_on" not in sampler:
        found = f"OTEL_TRACES_SAMPLER={sampler}: runs that are not sampled have no cost"
        yield Finding("sampling", UNTRUSTED, found, "export OTEL_TRACES_SAMPLER=parentbased_always_on")
    endpoint = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    yield Finding("endpoint", GOOD, endpoint or "the default, this machine's loopback")


def _instrumentation_findings() -> Iterator[Finding]:
    native = native_clients()
    for client, entries in sorted(candidates().items()):
        if client in native:
            yield Finding(f"client {client}", GOOD, "writes its own spans")
            continue
        names = [entry.dist.name for entry in entries if entry.dist is not None]
        over = f"; passed over: {', '.join(names[1:])}" if names[1:] else ""
        yield Finding(f"client {client}", GOOD, f"{names[0] if names else 'unknown'} is switched on by init(){over}")
    for client in sorted(set(native) - set(candidates())):
        yield Finding(f"client {client}", GOOD, "writes its own spans")


def data_findings(book: Book, now: datetime | None = None) -> Iterator[Finding]:
    """Yield whether the numbers of the store can be trusted, and what would make them better.

    Args:
        book: the store.
        now: aware, default the clock's; what arrived more than a minute ago should be in the books.
    """
    spans = _count(book, "spans")
    if spans == 0:
        yield Finding(
            "data", NOTE, "no spans yet", "tokenpnl demo, or export OTEL_EXPORTER_OTLP_ENDPOINT to this collector"
        )
        return
    newest = words.moment(book.version().newest_at)
    yield Finding("data", GOOD, f"{spans:,} spans, {_count(book, 'runs'):,} runs, newest {newest}")
    yield from _lag_findings(book, now or datetime.now(UTC))
    yield from _price_findings(book)
    yield from _usage_findings(book)
    yield from _outcome_findings(book)
    yield from _quarantine_findings(book)
    yield from _unbooked_findings(book)


def control_findings(home: Home) -> Iterator[Finding]:
    """Yield that the control store cannot be opened, if so: without it nothing is booked and nothing is closed."""
    try:
        with ControlStore.of(home):
            pass
    except (ConfigurationError, StoreError) as error:
        yield Finding("control store", BROKEN, str(error), "start it; what arrives meanwhile is kept and booked then")


def rule_findings(home: Home) -> Iterator[Finding]:
    """Yield what is so about the rule files: a broken one leaves the last good rules in force."""
    found = Configuration.of(home)
    present = [file for file in RULE_FILES if found.text(file.name) is not None]
    for file in present:
        try:
            found.read(file)
        except ConfigurationError as error:
            yield Finding(file.name, BROKEN, str(error), "correct the line; until then the last good rules hold")
    if present:
        names = _named([file.name for file in present])
        yield Finding("rule files", GOOD, f"{len(present)} in {found.folder}: {names}")


def _lag_findings(book: Book, now: datetime) -> Iterator[Finding]:
    behind = book.version().batches_behind
    if not behind:
        return
    booked = int(book.query("version")["booked_batch_no"][0])
    first = book.query("table", name=BATCHES.name, where={"batch_no": [booked + 1]}, columns=["received_at"])
    arrived = first["received_at"].to_list()
    if arrived and now - arrived[0] > _BOOKED_WITHIN:
        found = f"{words.unfinished(behind)}; what is missing arrived since {words.moment(arrived[0])}"
        yield Finding("books", UNTRUSTED, found, "the log of the collector says why")
    else:
        yield Finding("books", NOTE, words.unfinished(behind), "ask again in a moment")


def _unbooked_findings(book: Book) -> Iterator[Finding]:
    left_out = book.query("table", name=UNBOOKED.name, order_by="noted_at", descending=True)
    if left_out.height:
        traces = left_out["trace_id"].unique(maintain_order=True).to_list()
        found = f"{len(traces):,} traces could not be booked: {_named(traces)}; last reason: {left_out['reason'][0]}"
        yield Finding("unbooked", UNTRUSTED, found, "their spans are kept; report the reason")


def _count(book: Book, table: str, **where: Any) -> int:
    return int(book.query("count", name=table, where=where)["rows"][0])


def _named(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _price_findings(book: Book) -> Iterator[Finding]:
    sums = book.query("line_item_sums", by=["provider", "model"])
    lines, unpriced = int(sums["n_lines"].sum()), sums.filter(pl.col("n_unpriced_lines") > 0)
    share = 1 - int(unpriced["n_unpriced_lines"].sum()) / lines if lines else 1.0
    names = [f"{row['provider'] or '?'}/{row['model'] or '?'}" for row in unpriced.to_dicts()]
    found = f"{share:.1%} of {lines:,} usage lines" + (f"; without a price: {_named(names)}" if names else "")
    status = GOOD if share >= PRICED_SHARE_FLOOR else UNTRUSTED
    yield Finding("priced share", status, found, "check the model names; costs shown are a floor" if names else "")


def _usage_findings(book: Book) -> Iterator[Finding]:
    attempts, missing = _count(book, "attempts"), _count(book, "attempts", usage_missing=[True])
    by_reader = book.query("table", name="attempts", where={"usage_missing": [True]}, columns=["dialect"])
    readers = _named(
        [f"{row['count']:,} from {row['dialect']}" for row in by_reader["dialect"].value_counts(sort=True).to_dicts()]
    )
    share = missing / attempts if attempts else 0.0
    found = f"{missing:,} of {attempts:,} attempts ({share:.1%})" + (f"; {readers}" if readers else "")
    do = 'for OpenAI streams: stream_options={"include_usage": True}' if missing else ""
    yield Finding("usage missing", GOOD if share <= _MISSING_FLOOR else NOTE, found, do)
    # Capacity that stood idle belongs to no run, and nobody can wrap it in one.
    idle = _count(book, "line_items", run_id=[None], cost_category=[CostCategory.IDLE_CAPACITY.value])
    orphaned = _count(book, "line_items", run_id=[None]) - idle
    if orphaned:
        do = "wrap the work in tokenpnl.workflow(...), or keep the trace's root span"
        yield Finding("unattributed", NOTE, f"{orphaned:,} usage lines belong to no run", do)


def _outcome_findings(book: Book) -> Iterator[Finding]:
    runs = book.query("table", name="runs", columns=["workflow", "outcome"])
    told = runs.group_by("workflow").agg(pl.col("outcome").count()).sort("workflow")
    silent = [str(name) for name in told.filter(pl.col("outcome") == 0)["workflow"]]
    known = runs["outcome"].count() / runs.height if runs.height else 1.0
    found = f"{known:.1%} of {runs.height:,} runs" + (f"; none for: {_named(silent)}" if silent else "")
    do = 'run.outcome("success"), or tokenpnl outcome RUN_ID success' if known < _COVERAGE_FLOOR else ""
    yield Finding("outcomes", GOOD if known >= _COVERAGE_FLOOR and not silent else NOTE, found, do)


def _quarantine_findings(book: Book) -> Iterator[Finding]:
    kept = book.query("table", name="quarantine", columns=["reason", "refused"])
    if kept.is_empty():
        yield Finding("quarantine", GOOD, "nothing refused, nothing odd")
        return
    counts = kept.group_by("reason", "refused").len().sort("len", descending=True).to_dicts()
    found = ", ".join(f"{row['len']:,} {row['reason']}{' (refused)' if row['refused'] else ''}" for row in counts)
    refused = bool(kept["refused"].any())
    do = "the emitter sends records that cannot be taken; the details are in the table quarantine" if refused else ""
    yield Finding("quarantine", UNTRUSTED if refused else NOTE, found, do)
