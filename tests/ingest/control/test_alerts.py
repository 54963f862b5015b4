import pytest

from tokenpnl.errors import RefusedInputError
from tokenpnl_ingest.control import ControlStore


def test_what_was_sent_is_known_by_its_key(control: ControlStore) -> None:
    assert control.alert_sent("budget:desk:80") is None
    control.record_alert("budget:desk:80", {"spent_usd": "80.5"})
    sent = control.alert_sent("budget:desk:80")
    assert sent is not None
    assert (sent.n_sent, sent.detail, sent.acknowledged_at) == (1, {"spent_usd": "80.5"}, None)


def test_an_acknowledgement_carries_name_and_reason(control: ControlStore) -> None:
    control.record_alert("spike:gpt-5", {})
    control.acknowledge("spike:gpt-5", "planned load test", actor="ann")
    [alert] = control.alerts()
    assert (alert.acknowledged_by, alert.reason) == ("ann", "planned load test")


def test_an_alert_that_is_sent_again_is_unacknowledged_again(control: ControlStore) -> None:
    control.record_alert("spike:gpt-5", {"usd": "1"})
    control.acknowledge("spike:gpt-5", "planned load test", actor="ann")
    control.record_alert("spike:gpt-5", {"usd": "2"})
    [alert] = control.alerts()
    assert (alert.n_sent, alert.detail, alert.acknowledged_at) == (2, {"usd": "2"}, None)
    assert alert.sent_at > alert.first_sent_at


def test_an_acknowledgement_needs_a_reason_and_an_alert(control: ControlStore) -> None:
    with pytest.raises(RefusedInputError, match="no alert was sent under 'x'"):
        control.acknowledge("x", "seen", actor="ann")
    control.record_alert("x", {})
    with pytest.raises(RefusedInputError, match="with a reason only"):
        control.acknowledge("x", "", actor="ann")


def test_the_alert_sent_last_comes_first(control: ControlStore) -> None:
    for key in ("a", "b", "a"):
        control.record_alert(key, {})
    assert [alert.key for alert in control.alerts()] == ["a", "b"]
