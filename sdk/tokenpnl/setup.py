"""`init`: attach to the process's TracerProvider or make one, choose exporters and instrumentations."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from opentelemetry import context, trace

from tokenpnl import semconv
from tokenpnl.export import Route, at_exit, goes_there_already, log_exporter, routes, span_exporter
from tokenpnl.guard import Shield, guarded, log
from tokenpnl.instrumentors import Instrumentation, instrument_clients
from tokenpnl.state import state


@dataclass(frozen=True, slots=True)
class Setup:
    """What `init` did: for `tokenpnl doctor`, and for a log line of the host.

    `status`: `made` (a provider of ours is the global one), `attached` (to the one that was there), `disabled` (by
    OTEL_SDK_DISABLED), `failed` (the log says why; every verb still works and records nothing of its own).
    """

    status: str
    protocol: str = ""
    endpoint: str = ""
    instrumentations: tuple[Instrumentation, ...] = ()
    sampler: str = ""


_setups: WeakKeyDictionary[Any, Setup] = WeakKeyDictionary()
_latest: list[Setup] = []


def instrumented() -> tuple[Instrumentation, ...]:
    """Return what the latest `init` decided for each model client; empty before it."""
    return _latest[-1].instrumentations if _latest else ()


def _resource(service: str | None, environment: str | None, release: str | None) -> Any:
    from opentelemetry.sdk.resources import Resource

    told = {semconv.SERVICE_NAME: service, semconv.ENVIRONMENT: environment, semconv.SERVICE_VERSION: release}
    return Resource.create({name: value for name, value in told.items() if value is not None})


def _own_provider(resource: Any) -> Any:
    from opentelemetry.sdk.trace import TracerProvider

    # Our own exit handler is bounded in time; the provider's would wait for 30 s on a dead collector.
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    trace.set_tracer_provider(provider)
    return provider


def _add_span_processors(provider: Any, ways: Sequence[Route]) -> None:
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    from tokenpnl.stamps import StampingProcessor

    provider.add_span_processor(StampingProcessor())
    for exporter in map(span_exporter, ways):
        if goes_there_already(provider, exporter):
            continue
        processor = BatchSpanProcessor(exporter)
        provider.add_span_processor(processor)
        at_exit.add(processor)


def _logger_provider(resource: Any, ways: Sequence[Route]) -> Any:
    """Return a provider for outcomes alone: the host's own logs are none of our business."""
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
    for exporter in map(log_exporter, ways):
        processor = BatchLogRecordProcessor(exporter)
        provider.add_log_record_processor(processor)
        at_exit.add(processor)
    return provider


def _continue_parent_process() -> None:
    """Join the run that a parent process put into TRACEPARENT and BAGGAGE of our environment."""
    names = ("traceparent", "tracestate", "baggage")
    headers = {name: os.environ[name.upper()] for name in names if name.upper() in os.environ}
    if headers and not trace.get_current_span().get_span_context().is_valid:
        from opentelemetry.propagate import extract

        context.attach(extract(headers))


def _is_sdk(provider: Any) -> bool:
    return hasattr(provider, "add_span_processor")


@guarded("initialise", Setup("failed"))
def init(
    service: str | None = None,
    *,
    endpoint: str | None = None,
    instrument: bool | Sequence[str] = True,
    provider: Any = None,
    environment: str | None = None,
    release: str | None = None,
) -> Setup:
    """Start recording: spans of the verbs and of every GenAI instrumentation go out as OTLP.

    Attaches to the TracerProvider that is there (adds processors, replaces nothing) or makes one. May be called again:
    the same provider is never attached twice. Every OTEL_* variable counts; an argument given here beats its variable.
    Never raises; at exit what is queued is sent, within 5 seconds.

    Args:
        service: `service.name`, if the provider is made here; default OTEL_SERVICE_NAME.
        endpoint: the collector, such as `http://127.0.0.1:4318` (HTTP) or `http://127.0.0.1:4317` (gRPC); default
            OTEL_EXPORTER_OTLP_ENDPOINT, else loopback. OTEL_EXPORTER_OTLP_PROTOCOL decides between them, else the port.
        instrument: True switches on one instrumentation per installed model client, False none, or a list of clients.
        provider: an SDK TracerProvider to attach to instead of the global one.
        environment: `deployment.environment.name`, if the provider is made here.
        release: `service.version`, if the provider is made here.
    """
    with state.lock:
        _continue_parent_process()
        if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
            return _remember(Setup("disabled"))
        target: Any = provider if provider is not None else trace.get_tracer_provider()
        if target in _setups:
            state.provider = target
            return _remember(_setups[target])
        status = "attached"
        ways = routes("traces", endpoint)
        if not _is_sdk(target):
            target, status = _own_provider(_resource(service, environment, release)), "made"
        _add_span_processors(target, ways)
        state.provider = target
        with Shield("set up the sending of later outcomes"):
            state.logger_provider = _logger_provider(target.resource, routes("logs", endpoint))
        chosen: tuple[Instrumentation, ...] = ()
        with Shield("switch on instrumentations"):
            chosen = instrument_clients(target, instrument)
        sampler = target.sampler.get_description()
        if "Ratio" in sampler:
            log.warning("traces are sampled (%s): cost becomes an estimate", sampler)
        setup = Setup(
            status,
            protocol=ways[0].protocol if ways else "",
            endpoint=ways[0].shown if ways else "",
            instrumentations=chosen,
            sampler=sampler,
        )
        _setups[target] = setup
        return _remember(setup)


def _remember(setup: Setup) -> Setup:
    _latest[:] = [setup]
    return setup


@guarded("flush", False)  # noqa: FBT003 -- the default answer
def flush() -> bool:
    """Send what is queued now, and return whether all of it left; for serverless handlers and tests."""
    sent = at_exit.flush()
    provider: Any = state.provider
    # Where the host sends to our collector itself, its processors hold the spans.
    return sent and (not _is_sdk(provider) or bool(provider.force_flush()))
