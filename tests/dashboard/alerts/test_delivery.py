"""Told once, not at night, not what was acknowledged; and what a receiver did not take is not lost."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.dashboard.alerts.receiver import Receiver, receiver

from tokenpnl_analytics.rules.alerts import ALERTS, AlertsFile
from tokenpnl_dashboard.alerts.alert import Alert
from tokenpnl_dashboard.alerts.delivery import deliver
from tokenpnl_ingest.control import ControlStore
from tokenpnl_ingest.home import Home

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ONE, OTHER = (
    Alert(key, "budget", "warning", f"80% of $1,200 is spent on {key}.", ("Owner: Ana.",), NOON)
    for key in ("one", "other")
)
HOOK = """
channels:
  - {name: hook, kind: webhook, url: "URL", secret_from: SECRET}
rules:
  - {name: budgets, watch: budget, channels: [hook], cooldown_hours: 24}
quiet_hours: {from: "22:00", to: "07:00"}
"""


@pytest.fixture
def control(tmp_path: Path) -> Iterator[ControlStore]:
    with ControlStore.of(Home.at(tmp_path)) as store:
        yield store


def run(
    got: Receiver, control: ControlStore, now: datetime, *alerts: Alert, rules: AlertsFile | None = None
) -> list[str]:
    asked = rules or ALERTS.parse(HOOK.replace("URL", got.url))
    found = [(alert, asked.rules[0]) for alert in alerts]
    told = deliver(found, asked, control, now=now, environment={"SECRET": "s"}, pause=lambda _: None)
    return [f"{one.alert.key} {one.state}" for one in told]


def test_the_same_alert_is_told_once_until_its_cooldown_is_over(control: ControlStore):
    with receiver() as got:
        states = [run(got, control, NOON + timedelta(hours=hours), ONE)[0] for hours in (0, 1, 23, 24)]
    assert states == ["one sent", "one cooling", "one cooling", "one sent"]
    assert len(got.requests) == 2


def test_a_crossing_is_told_once_whatever_the_cooldown(control: ControlStore):
    crossed = replace(ONE, once=True)
    with receiver() as got:
        states = [run(got, control, NOON + timedelta(days=days), crossed)[0] for days in (0, 1, 9)]
    assert states == ["one sent", "one cooling", "one cooling"]


def test_what_comes_up_at_night_is_told_in_the_morning_as_one(control: ControlStore):
    night = NOON.replace(hour=23)
    with receiver() as got:
        assert run(got, control, night, ONE) == ["one held"]
        assert run(got, control, night + timedelta(hours=1), OTHER) == ["other held", "one held"]
        assert got.requests == []
        # One of them is over by then; it is told all the same.
        assert sorted(run(got, control, NOON + timedelta(days=1), OTHER)) == ["one sent", "other sent"]
        assert run(got, control, NOON + timedelta(days=1, hours=1)) == []
    assert [sorted(alert["key"] for alert in body["alerts"]) for body in got.bodies()] == [["one", "other"]]


def test_a_rule_may_pass_through_quiet_hours(control: ControlStore):
    with receiver() as got:
        text = HOOK.replace("URL", got.url).replace("cooldown_hours: 24", "through_quiet_hours: true")
        assert run(got, control, NOON.replace(hour=23), ONE, rules=ALERTS.parse(text)) == ["one sent"]


def test_what_a_receiver_did_not_take_is_sent_on_the_next_run(control: ControlStore):
    with receiver(500, 500, 500) as got:
        assert run(got, control, NOON, ONE) == ["one failed"]
        assert run(got, control, NOON + timedelta(minutes=5)) == ["one sent"]
    assert got.bodies()[-1]["alerts"][0]["headline"] == ONE.headline


def test_a_failure_is_kept_with_its_reason(control: ControlStore):
    with receiver(404) as got:
        run(got, control, NOON, ONE)
    known = control.alert_sent("one")
    assert known is not None
    assert "answered 404" in known.detail["channels"]["hook"]["reason"]


def test_an_alert_that_somebody_took_note_of_is_not_told_again(control: ControlStore):
    with receiver() as got:
        run(got, control, NOON, ONE)
        control.acknowledge("one", "a planned load test", actor="Ana")
        assert run(got, control, NOON + timedelta(days=3), ONE) == ["one acknowledged"]
    assert len(got.requests) == 1


def test_two_rules_that_find_the_same_tell_a_channel_once(control: ControlStore):
    with receiver() as got:
        assert run(got, control, NOON, ONE, ONE) == ["one sent"]
    assert len(got.bodies()[0]["alerts"]) == 1


def test_one_broken_channel_does_not_silence_the_other(control: ControlStore):
    with receiver() as works, receiver(500, 500, 500) as broken:
        text = (
            HOOK.replace("URL", works.url)
            .replace("channels: [hook]", "channels: [hook, dead]")
            .replace("rules:", f'  - {{name: dead, kind: webhook, url: "{broken.url}", secret_from: SECRET}}\nrules:')
        )
        rules = ALERTS.parse(text)
        assert run(works, control, NOON, ONE, rules=rules) == ["one sent", "one failed"]
        assert run(works, control, NOON + timedelta(hours=1), ONE, rules=rules) == ["one cooling", "one sent"]
    assert (len(works.requests), len(broken.requests)) == (1, 4)
