"""alerts.yaml wires rules to channels, keeps secrets in the environment, and knows when people sleep."""

from datetime import UTC, datetime

import pytest

from tokenpnl.errors import ConfigurationError
from tokenpnl_analytics.rules.alerts import ALERTS

WIRED = """
dashboard: https://pnl.example.com
channels:
  - {name: finance, kind: slack, url_from: SLACK_URL}
  - {name: pager, kind: alertmanager, url: "http://127.0.0.1:9093"}
  - {name: hook, kind: webhook, url: "https://example.com/in", secret_from: HOOK_SECRET}
rules:
  - {name: budgets, watch: budget, channels: [finance, hook]}
  - {name: dear, watch: unit_cost, above: 0.25, workflow: support_reply, channels: [pager]}
quiet_hours: {zone: Europe/Rome, from: 22:00, to: 07:00}
"""


def test_an_empty_file_tells_nobody():
    rules = ALERTS.parse("")
    assert rules.rules == rules.channels == ()
    assert rules.anomalies.q == 0.05


def test_rules_name_their_channels():
    rules = ALERTS.parse(WIRED)
    assert [rules.channel(name).kind for name in rules.rules[0].channels] == ["slack", "webhook"]


@pytest.mark.parametrize(
    ("hour", "quiet"),
    [(20, False), (21, True), (3, True), (6, False)],  # Rome is UTC+1 in November
)
def test_quiet_hours_run_over_midnight_in_their_zone(hour: int, quiet: bool):
    hours = ALERTS.parse(WIRED).quiet_hours
    assert hours is not None
    assert hours.hold(datetime(2026, 11, 24, hour, tzinfo=UTC)) is quiet


def test_quiet_hours_within_a_day_and_over_weekends():
    hours = ALERTS.parse("quiet_hours: {from: 12:00, to: 13:30, weekends: true}").quiet_hours
    assert hours is not None
    tuesday, saturday = (datetime(2026, 11, day, 12, 59, tzinfo=UTC) for day in (24, 28))
    assert hours.hold(tuesday)
    assert not hours.hold(tuesday.replace(hour=14))
    assert hours.hold(saturday.replace(hour=20))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("channels:\n  - {name: a, kind: webhook, url: 'ftp://x', secret_from: S}", "alerts.yaml:2: .*https://"),
        ("channels:\n  - {name: a, kind: alertmanager, url: 'http://u:p@x'}", "leave user and password out"),
        ("channels:\n  - {name: a, kind: pigeon}", "alerts.yaml:2: .*'slack'"),
        ("channels:\n  - {name: a, kind: slack, url: 'https://x'}", "url_from: Field required"),
        (
            "rules:\n  - {name: a, watch: budget, channels: [nobody]}",
            "no channel nobody; the channels of this file: none",
        ),
        ("rules:\n  - {name: a, watch: unit_cost, channels: [x]}", "needs `above`"),
        ("quiet_hours: {zone: Mars, from: 22:00, to: 07:00}", "IANA"),
        (WIRED.replace("name: pager", "name: hook"), "the channel hook stands twice"),
    ],
)
def test_what_cannot_be_told_is_refused(text: str, told: str):
    with pytest.raises(ConfigurationError, match=told):
        ALERTS.parse(text)
