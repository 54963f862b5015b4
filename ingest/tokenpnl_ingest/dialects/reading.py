"""One span on its way to a row: its attributes sorted into mapped, kept and content, before a dialect speaks."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from tokenpnl.model import Flag, Operation
from tokenpnl.tables import SPANS
from tokenpnl_ingest.content import MAX_TEXT_CHARS, MAX_VALUE_CHARS, Content, is_prose
from tokenpnl_ingest.dialects.convert import MAX_NAME_CHARS, MAX_TOKENS
from tokenpnl_ingest.dialects.payload import Answer
from tokenpnl_ingest.dialects.plan import PLANS, USAGE_COLUMNS, Plan, plan_for
from tokenpnl_ingest.raw import RawSpan

_MAX_NESTED_BYTES = 1024
_WORST = 1_000
_NUMBERS = (int, float, bool)
_COUNTS = (int, float)
_ARRIVAL = ("received_at", "batch_no")
EMPTY_ROW: dict[str, Any] = {name: None for name in SPANS.names if name not in _ARRIVAL}


@dataclass(slots=True)
class Reading:
    """A span, the row it becomes, and what the attributes said.

    `ranks` says how good the name behind a column is, `words` holds every candidate of the columns that are folded
    from words, `kept` what goes to `attributes_json`, `contents` what is
    fingerprinted and dropped, `unmapped` the names that look like usage and mean nothing to us, `inclusive` whether the
    provider's own answer settled what input includes.
    """

    span: RawSpan
    row: dict[str, Any]
    flags: set[Flag]
    ranks: dict[str, int] = field(default_factory=dict)
    words: dict[str, list[tuple[int, str, Any]]] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    contents: list[tuple[Content, str, Any]] = field(default_factory=list)
    unmapped: list[str] = field(default_factory=list)
    operation: Operation = Operation.OTHER
    inclusive: bool = False

    def get(self, key: str) -> Any:
        """Return the raw attribute of that name, None when absent."""
        return self.span.attributes.get(key)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one emitter family means what it sends.

    Attributes:
        name: the `dialect` column.
        amend: reads what only this family says into the row; runs on the mapped columns, before they are folded.
        excludes_cache: whether `input_tokens` leaves cached tokens out; None where it is not known.
        cache_reported: whether an absent cache count means none.
        reasoning_reported: whether an absent reasoning count means none.
    """

    name: str
    amend: Callable[[Reading], None] | None = None
    excludes_cache: bool | None | Callable[[Reading], bool | None] = None
    cache_reported: bool | Callable[[Reading], bool] = False
    reasoning_reported: bool | Callable[[Reading], bool] = False


def gather(span: RawSpan) -> Reading:
    """Return the span's attributes mapped to columns, not yet folded.

    This loop runs once for every attribute that arrives: one look-up decides, the common types take no call.
    """
    reading = Reading(span, EMPTY_ROW.copy(), set())
    row, ranks = reading.row, reading.ranks
    for key, value in span.attributes.items():
        plan = PLANS.get(key) or plan_for(key)
        column = plan.column
        if column is None:
            _keep_or_drop(key, value, plan, reading)
        elif value is None or value == "" or ranks.get(column, _WORST) < plan.rank:
            continue
        elif (plan.native is str and type(value) is str and len(value) <= MAX_NAME_CHARS) or (
            plan.native is int and type(value) is int and 0 <= value <= MAX_TOKENS
        ):
            row[column] = value
            ranks[column] = plan.rank
        elif plan.words:
            reading.words.setdefault(column, []).append((plan.rank, key, value))
        else:
            _convert(key, value, plan, reading)
    return reading


def _convert(key: str, value: Any, plan: Plan, reading: Reading) -> None:
    """Set the column from a value that needs reading; one that cannot be true stays beside and is flagged."""
    column = plan.column
    assert column is not None
    try:
        converted = plan.convert(value)
    except ValueError:
        implausible = Flag.USAGE_IMPLAUSIBLE if column in USAGE_COLUMNS else Flag.REPORTED_COST_IMPLAUSIBLE
        reading.flags.add(implausible)
        reading.kept[key] = value if _plain_number(value) else str(value)[:MAX_TEXT_CHARS]
        return
    if converted is not None:
        reading.row[column] = converted
        reading.ranks[column] = plan.rank
        if type(value) is str and column in USAGE_COLUMNS:
            reading.flags.add(Flag.USAGE_COERCED)


def _keep_or_drop(key: str, value: Any, plan: Plan, reading: Reading) -> None:
    # A number under a content word counts something; texts and structures are what was said.
    if plan.content is not None and type(value) not in _NUMBERS:
        if value and plan.content is not Content.CREDENTIAL:
            reading.contents.append((plan.content, key, value))
            if type(value) is str and len(value) > MAX_VALUE_CHARS:
                reading.flags.add(Flag.VALUE_TRUNCATED)
        return
    if plan.counts and type(value) in _COUNTS and value:
        reading.unmapped.append(key)
    _keep(key, value, reading.kept, reading)


def _plain_number(value: Any) -> bool:
    return isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value))


def _keep(key: str, value: Any, kept: dict[str, Any], reading: Reading) -> None:
    kind = type(value)
    if kind is str:
        if "://" in value:
            # What stands behind the question mark of an address is somebody's query.
            value = value.partition("?")[0]
        if is_prose(value):
            reading.contents.append((Content.OTHER, key, value))
            if len(value) > MAX_VALUE_CHARS:
                reading.flags.add(Flag.VALUE_TRUNCATED)
            return
    elif kind is list or kind is dict:
        value = shallow(value)
        if value is None:
            reading.contents.append((Content.OTHER, key, kind.__name__))
            return
    elif kind is float and not math.isfinite(value):
        value = str(value)
    elif value is None:
        return
    kept[key] = value


def shallow(value: Any) -> Any:
    """Return a nested value without the content it holds; None when it is too large to be an attribute."""
    stripped = _strip(value)
    return stripped if len(orjson.dumps(stripped, option=orjson.OPT_NON_STR_KEYS)) <= _MAX_NESTED_BYTES else None


def _strip(value: Any) -> Any:
    if isinstance(value, dict):
        plans = ((key, item, PLANS.get(key) or plan_for(key)) for key, item in value.items())
        return {key: _strip(item) for key, item, plan in plans if plan.content is None}
    if isinstance(value, list):
        return [_strip(item) for item in value]
    if isinstance(value, str):
        return None if is_prose(value) else value
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes of an event or resource without content, credentials and long texts."""
    out: dict[str, Any] = {}
    for key, value in attributes.items():
        if value is None or (PLANS.get(key) or plan_for(key)).content is not None:
            continue
        if isinstance(value, str):
            if not is_prose(value):
                out[key] = value.partition("?")[0] if "://" in value else value
        elif isinstance(value, list | dict):
            small = shallow(value)
            if small is not None:
                out[key] = small
        else:
            out[key] = value if _plain_number(value) else str(value)
    return out


def adopt(reading: Reading, answer: Answer | None) -> None:
    """Take a provider's own answer into the row: its totals replace the emitter's, its details fill the gaps."""
    if answer is None:
        return
    row = reading.row
    for column, count in answer.usage.items():
        if row[column] is None or column in ("input_tokens", "output_tokens"):
            row[column] = count
    if "input_tokens" in answer.usage:
        reading.inclusive = True
    for column, said in (
        ("response_id", answer.response_id),
        ("service_tier", answer.service_tier),
        ("finish_reason", answer.finish_reason),
    ):
        row[column] = row[column] or said
