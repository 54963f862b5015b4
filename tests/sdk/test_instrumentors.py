from collections.abc import Iterator
from importlib.metadata import EntryPoint, version

import pytest
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.sdk.trace import TracerProvider

from tokenpnl import instrumentors
from tokenpnl.instrumentors import candidates, instrument_clients, native_clients, preference


@pytest.fixture
def provider() -> TracerProvider:
    return TracerProvider(shutdown_on_exit=False)


@pytest.fixture(autouse=True)
def _nothing_stays_instrumented() -> Iterator[None]:
    yield
    for entries in candidates().values():
        for entry in entries:
            instrumentor = entry.load()()
            if instrumentor.is_instrumented_by_opentelemetry:
                instrumentor.uninstrument()


def decided(provider: TracerProvider, instrument: object = True) -> dict[str, instrumentors.Instrumentation]:
    return {choice.client: choice for choice in instrument_clients(provider, instrument)}  # type: ignore[arg-type]


def test_distributions_are_preferred_in_the_documented_order() -> None:
    names = [
        "opentelemetry-instrumentation-openai-v2",
        "opentelemetry-instrumentation-openai",
        "openinference-instrumentation-openai",
        "opentelemetry-instrumentation-genai-openai",
    ]
    assert sorted(names, key=preference) == names[::-1]


def test_each_client_is_instrumented_once(provider: TracerProvider) -> None:
    openai = decided(provider)["openai"]
    assert (openai.distribution, openai.status) == ("opentelemetry-instrumentation-genai-openai", "instrumented")
    assert openai.passed_over == ("openinference-instrumentation-openai",)
    assert openai.version == version("opentelemetry-instrumentation-genai-openai")


def test_a_client_that_writes_its_own_spans_is_left_to_it(provider: TracerProvider) -> None:
    anthropic = decided(provider)["anthropic"]
    assert (anthropic.distribution, anthropic.status) == ("anthropic", "native")


def test_a_client_told_to_be_silent_is_instrumented(provider: TracerProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_OPEN_TELEMETRY", "false")
    assert native_clients() == {}
    anthropic = decided(provider)["anthropic"]
    assert (anthropic.distribution, anthropic.status) == ("openinference-instrumentation-anthropic", "instrumented")


def test_what_is_already_instrumented_is_left_alone(provider: TracerProvider) -> None:
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    assert decided(provider)["openai"].status == "already"


def test_a_less_preferred_instrumentation_that_is_on_stays_the_only_one(provider: TracerProvider) -> None:
    from openinference.instrumentation.openai import OpenAIInstrumentor as OpenInference

    OpenInference().instrument(tracer_provider=provider)
    openai = decided(provider)["openai"]
    assert (openai.distribution, openai.status) == ("openinference-instrumentation-openai", "already")
    assert not OpenAIInstrumentor().is_instrumented_by_opentelemetry


def test_instrumentation_can_be_refused(provider: TracerProvider) -> None:
    assert decided(provider, instrument=False)["openai"].status == "disabled"
    assert not OpenAIInstrumentor().is_instrumented_by_opentelemetry


def test_a_list_of_clients_chooses(provider: TracerProvider) -> None:
    assert decided(provider, ["openai"])["openai"].status == "instrumented"
    assert decided(provider, ["cohere"])["openai"].reason == "not in init(instrument=[...])"


def test_a_list_of_distributions_decides_which_is_used(provider: TracerProvider) -> None:
    openai = decided(provider, ["openinference-instrumentation-openai"])["openai"]
    assert (openai.distribution, openai.status) == ("openinference-instrumentation-openai", "instrumented")


def test_the_variable_of_opentelemetry_disables(provider: TracerProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "redis, openai")
    assert decided(provider)["openai"].reason == "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"


def test_an_instrumentation_that_does_not_import_gives_way_to_the_next(
    provider: TracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = EntryPoint("openai", "no_such_module:Instrumentor", "opentelemetry_instrumentor")
    monkeypatch.setattr(instrumentors, "candidates", lambda: {"openai": [broken, *candidates()["openai"]]})
    openai = decided(provider)["openai"]
    assert (openai.distribution, openai.status) == ("opentelemetry-instrumentation-genai-openai", "instrumented")
    assert "ModuleNotFoundError" in openai.reason


def test_a_client_with_no_working_instrumentation_says_why(
    provider: TracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = EntryPoint("cohere", "no_such_module:Instrumentor", "opentelemetry_instrumentor")
    monkeypatch.setattr(instrumentors, "candidates", lambda: {"cohere": [broken]})
    cohere = decided(provider)["cohere"]
    assert cohere.status == "failed"
    assert "no_such_module" in cohere.reason
