"""Who is told what now: once, not at night, not what somebody took note of; and nothing is lost on the way.

The control store knows every alert with its state by channel: `sent`, `held` by quiet hours, or `failed`. What was held
or failed is sent on a later run, also when its reason is over by then.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from tokenpnl.errors import ConfigurationError, DeliveryError
from tokenpnl_analytics.rules.alerts import AlertRule, AlertsFile
from tokenpnl_dashboard.alerts.alert import Alert
from tokenpnl_dashboard.alerts.senders import Pause, send
from tokenpnl_ingest.control import ControlStore


class State(StrEnum):
    """What became of an alert on a channel."""

    SENT = "sent"
    HELD = "held"
    FAILED = "failed"
    COOLING = "cooling"
    ACKNOWLEDGED = "acknowledged"


@dataclass(frozen=True)
class Delivery:
    """One alert on one channel."""

    alert: Alert
    channel: str
    state: State
    reason: str = ""


def deliver(
    found: Iterable[tuple[Alert, AlertRule]],
    rules: AlertsFile,
    control: ControlStore,
    *,
    now: datetime,
    environment: Mapping[str, str],
    pause: Pause = time.sleep,
) -> list[Delivery]:
    """Tell every channel what is due, all of it as one message, and note what became of it.

    Args:
        found: alerts of this run with the rule that found each.
        rules: channels and quiet hours.
        control: knows what was told before.
        now: aware.
        environment: holds the secrets.
        pause: waits between two tries.
    """
    judged = _judged(found, rules, control, now)
    due: dict[str, list[Alert]] = {}
    for one in judged:
        if one.state is State.SENT:
            due.setdefault(one.channel, []).append(one.alert)
    failures = {
        name: reason
        for name, alerts in due.items()
        if (reason := _tell(rules, name, alerts, now, environment, pause)) is not None
    }
    told = [
        Delivery(one.alert, one.channel, State.FAILED, failures[one.channel])
        if one.state is State.SENT and one.channel in failures
        else one
        for one in judged
    ]
    _note(told, control, now)
    return told


def _judged(
    found: Iterable[tuple[Alert, AlertRule]], rules: AlertsFile, control: ControlStore, now: datetime
) -> list[Delivery]:
    quiet = rules.quiet_hours is not None and rules.quiet_hours.hold(now)
    judged: dict[tuple[str, str], Delivery] = {}
    for alert, rule in found:
        for channel in rule.channels:
            held = quiet and not rule.through_quiet_hours
            state, reason = _state(alert, channel, control, now, timedelta(hours=rule.cooldown_hours))
            if state is State.SENT and held:
                state, reason = State.HELD, "quiet hours"
            judged.setdefault((alert.key, channel), Delivery(alert, channel, state, reason))
    for alert, channel in _left_over(control, rules):
        state = State.HELD if quiet else State.SENT
        judged.setdefault((alert.key, channel), Delivery(alert, channel, state, "quiet hours" if quiet else ""))
    return list(judged.values())


def _state(alert: Alert, channel: str, control: ControlStore, now: datetime, cooldown: timedelta) -> tuple[State, str]:
    known = control.alert_sent(alert.key)
    if known is None:
        return State.SENT, ""
    if known.acknowledged_at is not None:
        return State.ACKNOWLEDGED, f"{known.acknowledged_by}: {known.reason}"
    before = known.detail["channels"].get(channel)
    if before is None or before["state"] != State.SENT:
        return State.SENT, ""
    if alert.once:
        return State.COOLING, f"told {before['at'][:16]}"
    again_at = datetime.fromisoformat(before["at"]) + cooldown
    if now < again_at:
        return State.COOLING, f"told {before['at'][:16]}, again from {again_at.isoformat()[:16]} UTC"
    return State.SENT, ""


def _left_over(control: ControlStore, rules: AlertsFile) -> Iterable[tuple[Alert, str]]:
    """Give what earlier runs held or could not send, for channels that still exist."""
    names = {channel.name for channel in rules.channels}
    for known in control.alerts():
        if known.acknowledged_at is None:
            for channel, told in known.detail["channels"].items():
                if told["state"] in (State.HELD, State.FAILED) and channel in names:
                    yield Alert.from_dict(known.detail["alert"]), channel


def _tell(
    rules: AlertsFile,
    channel: str,
    alerts: Sequence[Alert],
    now: datetime,
    environment: Mapping[str, str],
    pause: Pause,
) -> str | None:
    """Return why the message could not be sent; None: it was."""
    try:
        send(
            rules.channel(channel),
            alerts,
            now=now,
            dashboard=rules.dashboard,
            environment=environment,
            pause=pause,
        )
    except (DeliveryError, ConfigurationError) as error:
        return str(error)
    return None


def _note(told: Sequence[Delivery], control: ControlStore, now: datetime) -> None:
    by_key: dict[str, list[Delivery]] = {}
    for one in told:
        if one.state in (State.SENT, State.HELD, State.FAILED):
            by_key.setdefault(one.alert.key, []).append(one)
    for key, deliveries in by_key.items():
        known = control.alert_sent(key)
        channels: dict[str, Any] = dict(known.detail["channels"]) if known else {}
        before = {channel: state["state"] for channel, state in channels.items()}
        for one in deliveries:
            channels[one.channel] = {"state": one.state.value, "at": now.isoformat(), "reason": one.reason}
        news = any(one.state is State.SENT or before.get(one.channel) != one.state for one in deliveries)
        if news:
            control.record_alert(key, {"alert": deliveries[0].alert.as_dict(), "channels": channels})
