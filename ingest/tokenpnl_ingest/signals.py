"""The three signals of OTLP."""

from enum import StrEnum


class Signal(StrEnum):
    """What a request carries; the value is the last part of its HTTP path."""

    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"
