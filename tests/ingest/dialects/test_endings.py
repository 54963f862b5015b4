"""How a span ended."""

import pytest
from tests.ingest.raw_spans import exception, row_of

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "claude-sonnet-5"}


def test_error_type_comes_from_the_exception_event_and_a_timeout_from_any_word() -> None:
    row = row_of(CHAT, status_code="error", events=[exception("httpx.ReadTimeout", "secret words")])
    assert (row["error_type"], row["timed_out"], row["cancelled"]) == ("httpx.ReadTimeout", True, False)
    assert "secret words" not in row["events_json"]


@pytest.mark.parametrize("kind", ["asyncio.CancelledError", "AbortError", "GeneratorExit"])
def test_a_cancelled_call_is_known_by_its_exception(kind: str) -> None:
    assert row_of(CHAT, status_code="error", events=[exception(kind)])["cancelled"] is True
