"""The testing kit: an in-memory recording with fixed ids, a clock that stands under your hand, errors that are raised.

::

    with tokenpnl.testing.recording() as recorded:
        answer(question)
    assert recorded.span("invoke_workflow support_reply").attributes["tokenpnl.customer.id"] == "acme"

`write_otlp_json` turns what was captured into OTLP JSON lines, byte for byte the same for the same ids and clock.
"""

import base64
import json
import random
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from opentelemetry import context
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from tokenpnl.stamps import StampingProcessor
from tokenpnl.state import state

SECOND: Final = 1_000_000_000
START_NS: Final = 1_767_225_600 * SECOND  # 2026-01-01T00:00:00Z
_ID_FIELDS: Final = frozenset({"traceId", "spanId", "parentSpanId"})


class FixedIds(IdGenerator):
    """Trace, span and run ids that depend on the seed and on the order of asking alone."""

    def __init__(self, seed: int = 0) -> None:
        self._chance = random.Random(seed)  # noqa: S311 -- repeatable on purpose

    def generate_trace_id(self) -> int:
        """Return the next trace id."""
        return self._chance.getrandbits(128) or 1

    def generate_span_id(self) -> int:
        """Return the next span id."""
        return self._chance.getrandbits(64) or 1

    def is_trace_id_random(self) -> bool:
        """Return False: these ids are not random."""
        return False

    def uuid(self) -> str:
        """Return the next run or call id."""
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))


@dataclass
class SteppingClock:
    """A clock in UTC nanoseconds that moves by `step_ns` whenever it is read, and by hand.

    With `step_ns=0` it moves by hand alone, as a simulation wants it.
    """

    now_ns: int = START_NS
    step_ns: int = 1_000_000

    def __call__(self) -> int:
        """Return the present time, then move on."""
        now = self.now_ns
        self.now_ns += self.step_ns
        return now

    def advance(self, seconds: float) -> None:
        """Move on by hand."""
        self.now_ns += round(seconds * SECOND)


@contextmanager
def reraise(*, wanted: bool = True) -> Iterator[None]:
    """Raise faults of the SDK instead of logging them, inside the block.

    The variable TOKENPNL_RERAISE=1 does it throughout.
    """
    before, state.reraise = state.reraise, wanted
    try:
        yield
    finally:
        state.reraise = before


@dataclass
class Recording:
    """What was recorded, and the seams that made it repeatable."""

    provider: TracerProvider
    logger_provider: LoggerProvider
    clock: SteppingClock
    ids: FixedIds
    _spans: InMemorySpanExporter = field(repr=False)
    _logs: InMemoryLogRecordExporter = field(repr=False)

    @property
    def spans(self) -> list[ReadableSpan]:
        """The ended spans, in the order of their ends."""
        return list(self._spans.get_finished_spans())

    @property
    def logs(self) -> list[ReadableLogRecord]:
        """The log records: outcomes that were told outside of their run."""
        return list(self._logs.get_finished_logs())

    def span(self, name: str) -> ReadableSpan:
        """Return the one ended span of that name.

        Raises:
            LookupError: when there is none, or more than one.
        """
        found = [span for span in self.spans if span.name == name]
        if len(found) != 1:
            msg = f"expected one span {name!r}, found {len(found)} among {[span.name for span in self.spans]}"
            raise LookupError(msg)
        return found[0]

    def clear(self) -> None:
        """Forget what was recorded so far; ids and clock go on."""
        self._spans.clear()
        self._logs.clear()


@contextmanager
def recording(
    *,
    seed: int = 0,
    start_ns: int = START_NS,
    step_ns: int = 1_000_000,
    service: str = "test",
    resource: dict[str, Any] | None = None,
    raise_faults: bool = True,
) -> Iterator[Recording]:
    """Record every verb of the block in memory, outside of any run, exporter and global provider of the process.

    Spans of other instrumentations are recorded too when they are given `recording.provider`.

    Args:
        seed: of the ids.
        start_ns: where the clock begins.
        step_ns: how far the clock moves at each reading; 0 for a simulation that moves it by hand.
        service: `service.name` of the resource.
        resource: further attributes of the resource.
        raise_faults: raise faults of the SDK instead of logging them.
    """
    ids, clock = FixedIds(seed), SteppingClock(start_ns, step_ns)
    # Resource.create would add the SDK's version and the process to what must be the same byte for byte.
    about = Resource({"service.name": service, **(resource or {})})
    provider = TracerProvider(sampler=ALWAYS_ON, resource=about, shutdown_on_exit=False, id_generator=ids)
    logger_provider = LoggerProvider(resource=about, shutdown_on_exit=False)
    spans, logs = InMemorySpanExporter(), InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider.add_span_processor(StampingProcessor())
    provider.add_span_processor(SimpleSpanProcessor(spans))
    logger_provider.add_log_record_processor(SimpleLogRecordProcessor(logs))
    before = (state.provider, state.logger_provider, state.clock, state.new_id, state.fingerprint_key)
    state.provider, state.logger_provider, state.clock, state.new_id = provider, logger_provider, clock, ids.uuid
    state.fingerprint_key = b"tokenpnl.testing"
    token = context.attach(context.Context())
    try:
        with reraise(wanted=raise_faults):
            yield Recording(provider, logger_provider, clock, ids, spans, logs)
    finally:
        context.detach(token)
        state.provider, state.logger_provider, state.clock, state.new_id, state.fingerprint_key = before
        provider.shutdown()
        logger_provider.shutdown()


def _hex_ids(value: Any) -> Any:
    """Return a protobuf-JSON tree with its ids in hex, as OTLP wants them instead of base64."""
    if isinstance(value, dict):
        return {
            key: base64.b64decode(item).hex() if key in _ID_FIELDS and isinstance(item, str) else _hex_ids(item)
            for key, item in value.items()
        }
    return [_hex_ids(item) for item in value] if isinstance(value, list) else value


def _json_line(message: Any) -> str:
    from google.protobuf.json_format import MessageToDict

    tree = _hex_ids(MessageToDict(message, use_integers_for_enums=True))
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def otlp_json_lines(
    spans: Sequence[ReadableSpan] = (), logs: Sequence[ReadableLogRecord] = (), *, batch: int = 500
) -> Iterator[str]:
    """Yield OTLP JSON requests, one a line: first those of traces, then those of logs.

    Args:
        spans: as `Recording.spans` gives them.
        logs: as `Recording.logs` gives them.
        batch: the most records in one request.
    """
    from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

    for start in range(0, len(spans), batch):
        yield _json_line(encode_spans(spans[start : start + batch]))
    for start in range(0, len(logs), batch):
        yield _json_line(encode_logs(logs[start : start + batch]))


def write_otlp_json(path: Path, lines: Iterable[str]) -> int:
    """Write lines of OTLP JSON to a file, gzipped when its name ends in `.gz`; return how many."""
    import gzip

    body = list(lines)
    # No time stamp in the archive: the same lines give the same bytes.
    content = "".join(f"{line}\n" for line in body).encode()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    return len(body)
