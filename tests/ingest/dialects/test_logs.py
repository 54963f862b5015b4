"""Log records that become rows."""

from tests.ingest.raw_spans import log_row_of


def test_a_log_without_usage_is_no_row() -> None:
    assert log_row_of({"event.name": "gen_ai.user.message"}, event_name="gen_ai.user.message") is None
    assert log_row_of({"gen_ai.request.model": "m"}, event_name="gen_ai.client.inference.operation.details") is None
