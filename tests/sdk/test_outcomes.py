from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

import tokenpnl
from tokenpnl.errors import ConfigurationError
from tokenpnl.outcomes import iso_time
from tokenpnl.state import state
from tokenpnl.testing import START_NS, Recording

NOON = datetime(2026, 3, 1, 13, tzinfo=timezone(timedelta(hours=1)))


def test_an_outcome_inside_its_run_is_an_event_of_the_run_span(recorded: Recording) -> None:
    with tokenpnl.workflow("a", run_id="r-1"), tokenpnl.step("plan"):
        tokenpnl.outcome("success", value_usd="3.10", score=0.5, source="user", reason="thumb", at=NOON)
    (event,) = recorded.span("invoke_workflow a").events
    told = dict(event.attributes)
    assert event.name == "tokenpnl.outcome"
    assert len(told.pop("tokenpnl.outcome.id")) == 32
    assert told == {
        "tokenpnl.run.id": "r-1",
        "tokenpnl.outcome.status": "success",
        "tokenpnl.outcome.value_usd": "3.10",
        "tokenpnl.outcome.score": 0.5,
        "tokenpnl.outcome.source": "user",
        "tokenpnl.outcome.reason": "thumb",
        "tokenpnl.outcome.at": "2026-03-01T12:00:00.000000Z",
    }
    assert recorded.logs == []


def test_the_runs_own_method_says_the_same(recorded: Recording) -> None:
    with tokenpnl.workflow("a", run_id="r-1") as run:
        run.outcome("failure", outcome_id="o-1")
    (event,) = recorded.span("invoke_workflow a").events
    assert (event.attributes["tokenpnl.outcome.id"], event.attributes["tokenpnl.outcome.source"]) == ("o-1", "program")


def test_an_outcome_told_later_is_a_log_record_with_the_run_id(recorded: Recording) -> None:
    tokenpnl.outcome("success", run_id="r-1", value_usd=Decimal("2.5"), at=NOON)
    (log,) = recorded.logs
    assert log.log_record.event_name == "tokenpnl.outcome"
    assert log.log_record.timestamp == START_NS
    assert log.log_record.attributes["tokenpnl.run.id"] == "r-1"
    assert log.log_record.attributes["tokenpnl.outcome.value_usd"] == "2.5"


def test_an_outcome_told_by_the_closed_run_is_a_log_record(recorded: Recording) -> None:
    with tokenpnl.workflow("a") as run:
        pass
    run.outcome("success")
    assert recorded.logs[0].log_record.attributes["tokenpnl.run.id"] == run.id


def test_the_outcome_of_another_run_is_not_told_on_the_current_one(recorded: Recording) -> None:
    with tokenpnl.workflow("a"):
        tokenpnl.outcome("success", run_id="other")
    assert recorded.span("invoke_workflow a").events == ()
    assert recorded.logs[0].log_record.attributes["tokenpnl.run.id"] == "other"


def test_an_outcome_can_be_told_by_trace_id(recorded: Recording) -> None:
    tokenpnl.outcome("success", trace_id="0af7651916cd43dd8448eb211c80319c")
    (log,) = recorded.logs
    assert log.log_record.trace_id == 0x0AF7651916CD43DD8448EB211C80319C
    assert "tokenpnl.run.id" not in log.log_record.attributes


def test_the_same_statement_has_the_same_id_and_another_has_another(recorded: Recording) -> None:
    for status in ("success", "success", "failure"):
        tokenpnl.outcome(status, run_id="r-1", at=NOON)
    first, again, other = (log.log_record.attributes["tokenpnl.outcome.id"] for log in recorded.logs)
    assert first == again != other


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        ({"status": "splendid", "run_id": "r"}, "splendid"),
        ({"status": "success", "run_id": "r", "source": "nobody"}, "nobody"),
        ({"status": "success", "run_id": "r", "at": datetime(2026, 1, 1)}, "must be aware"),  # noqa: DTZ001 -- the fault
        ({"status": "success", "run_id": "r", "value_usd": "NaN"}, "finite"),
        ({"status": "success"}, "no run is open"),
    ],
)
def test_a_statement_that_makes_no_sense_is_refused(
    recorded: Recording, told: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        tokenpnl.outcome(**told)  # type: ignore[arg-type]


def test_an_outcome_before_init_says_what_is_missing(recorded: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "logger_provider", None)
    with pytest.raises(ConfigurationError, match="init"):
        tokenpnl.outcome("success", run_id="r-1")


def test_time_is_told_in_utc_with_microseconds() -> None:
    assert iso_time(START_NS + 1_500) == "2026-01-01T00:00:00.000001Z"
    assert datetime.fromisoformat(iso_time(START_NS)) == datetime(2026, 1, 1, tzinfo=UTC)


def test_an_outcome_may_be_told_by_business_id_without_a_run(recorded: Recording) -> None:
    with tokenpnl.workflow("a", run_id="r-1", business_id="ticket-7"):
        pass
    with tokenpnl.workflow("webhook"):
        tokenpnl.outcome("success", business_id="ticket-7", at=NOON)
    assert recorded.span("invoke_workflow a").attributes["tokenpnl.business.id"] == "ticket-7"
    (record,) = recorded.logs
    told = dict(record.log_record.attributes)
    assert told["tokenpnl.business.id"] == "ticket-7"
    assert "tokenpnl.run.id" not in told


def test_the_business_id_stays_on_the_run_span(recorded: Recording) -> None:
    with tokenpnl.workflow("a", business_id="ticket-7"), tokenpnl.step("plan"):
        assert "ticket-7" not in str(tokenpnl.carrier())
    assert "tokenpnl.business.id" not in recorded.span("step plan").attributes
