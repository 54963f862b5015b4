"""Attribute values as emitters send them (numbers as text, lists as text, units of every kind) to column types.

A converter returns None for a value that says nothing, and raises ValueError for one that cannot be true.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

MAX_TOKENS = 10**9
MAX_NAME_CHARS = 512
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_USD = Decimal(10) ** 9
_TWELVE_PLACES = Decimal("1e-12")
_THRESHOLD_DIGITS = 14
_RANDOM_VALUES = 1 << 4 * _THRESHOLD_DIGITS
_THRESHOLD = re.compile(r"^[0-9a-f]{1,14}$")
_DURATION = re.compile(r"^\s*([0-9.]+)\s*(ns|µs|μs|us|ms|s|m)?\s*$")
_TO_MS = {"ns": 1e-6, "µs": 1e-3, "μs": 1e-3, "us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, None: 1e3}


def tokens(value: Any) -> int | None:
    """Return a token count from 0 to 10**9.

    Raises:
        ValueError: when it is negative, fractional, not finite, a boolean, too large, or no number.
    """
    if type(value) is int:
        number = value
    elif isinstance(value, str):
        if not value.strip():
            return None
        number = int(value) if value.strip().isdecimal() else -1
    elif isinstance(value, float) and value.is_integer():
        number = int(value)
    else:
        raise ValueError(f"expected a count of tokens, got {type(value).__name__}")
    if not 0 <= number <= MAX_TOKENS:
        raise ValueError(f"expected a count of tokens from 0 to {MAX_TOKENS}, got another number")
    return number


def text(value: Any) -> str | None:
    """Return a name of at most 512 characters; a list of names is joined by commas."""
    if isinstance(value, str):
        return value[:MAX_NAME_CHARS] or None
    if isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, list):
        return ",".join(str(item) for item in value if isinstance(item, str | int))[:MAX_NAME_CHARS] or None
    return None


def usd(value: Any) -> Decimal | None:
    """Return an amount of money at twelve places.

    Raises:
        ValueError: when it is negative, not finite, too large, or no number.
    """
    if value is None or value == "" or isinstance(value, bool):
        return None
    try:
        amount = Decimal(repr(value) if isinstance(value, float) else str(value).strip())
        if amount.is_finite() and 0 <= amount <= _MAX_USD:
            return amount.quantize(_TWELVE_PLACES)
    except InvalidOperation as error:
        raise ValueError("expected an amount in USD, got no number") from error
    raise ValueError("expected an amount in USD from 0 to 10**9, got another number")


def truth(value: Any) -> bool | None:
    """Return a boolean; emitters also send "True" and "false"."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return None


def real(value: Any) -> float | None:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def whole(value: Any) -> int | None:
    """Return a 64-bit integer that is not negative."""
    number = real(value)
    return int(number) if number is not None and number.is_integer() and 0 <= number < 2**53 else None


def http_status(value: Any) -> int | None:
    """Return an HTTP status, 100 to 599."""
    number = whole(value)
    return number if number is not None and 100 <= number <= 599 else None


def seconds(value: Any) -> float | None:
    """Return milliseconds of a number of seconds; a negative duration says nothing."""
    number = real(value)
    return number * 1000.0 if number is not None and number >= 0 else None


def milliseconds(value: Any) -> float | None:
    """Return a number of milliseconds; a negative duration says nothing."""
    return positive(value)


def positive(value: Any) -> float | None:
    """Return a number that is not negative; another one says nothing."""
    number = real(value)
    return number if number is not None and number >= 0 else None


def duration(value: Any) -> float | None:
    """Return milliseconds of a duration text such as `31.5µs`; a bare number counts seconds."""
    match = _DURATION.match(value) if isinstance(value, str) else None
    if match is None:
        return seconds(value)
    try:
        return float(match[1]) * _TO_MS[match[2]]
    except ValueError:
        return None


def first(value: Any) -> str | None:
    """Return the first entry of a list that may be sent as JSON text (`["stop"]`), else the text itself."""
    if isinstance(value, str) and value.startswith("["):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return text(value)
    if isinstance(value, list):
        return text(value[0]) if value else None
    return text(value)


def instant(value: Any) -> int:
    """Return UTC nanoseconds of an ISO time, 0 when it is none; a time without a zone is UTC."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return 0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0, (moment - _EPOCH) // timedelta(microseconds=1) * 1000)


def adjusted_count(value: Any) -> float | None:
    """Return how many traces one stands for, at least 1."""
    number = real(value)
    return number if number is not None and number >= 1 else None


def of_probability(value: Any) -> float | None:
    """Return the adjusted count of a sampling probability above 0 and at most 1."""
    number = real(value)
    return 1.0 / number if number is not None and 0 < number <= 1 else None


def of_threshold(value: Any) -> float | None:
    """Return the adjusted count of an OpenTelemetry rejection threshold: up to 14 hex digits, trailing zeros cut."""
    if not isinstance(value, str) or not _THRESHOLD.match(value):
        return None
    kept = _RANDOM_VALUES - int(value.ljust(_THRESHOLD_DIGITS, "0"), 16)
    return _RANDOM_VALUES / kept


def of_trace_state(state: str) -> float | None:
    """Return the adjusted count that a W3C trace state tells (`ot=th:...`); None when it tells none.

    Raises:
        ValueError: a threshold is there and none can be read from it.
    """
    told = [part.strip()[3:] for part in state.split(",") if part.strip().startswith("ot=")]
    thresholds = [pair[3:] for pair in (told[0].split(";") if told else ()) if pair.startswith("th:")]
    if not thresholds:
        return None
    count = of_threshold(thresholds[0])
    if count is None:
        raise ValueError("expected a threshold of 1 to 14 hex digits in the trace state")
    return count


CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "adjusted_count": adjusted_count,
    "probability": of_probability,
    "threshold": of_threshold,
    "seconds": seconds,
    "milliseconds": milliseconds,
    "duration": duration,
    "positive": positive,
}
