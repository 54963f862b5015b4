"""The three receivers: Slack, Alertmanager, and anything that takes signed JSON. Several alerts go as one message."""

import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from email.message import Message
from http.client import HTTPException
from typing import IO, Any
from urllib.parse import urlsplit

from tokenpnl.errors import ConfigurationError, DeliveryError
from tokenpnl_analytics.rules.alerts import AlertmanagerChannel, Channel, SlackChannel, WebhookChannel
from tokenpnl_dashboard.alerts.alert import Alert

SIGNATURE, TIMESTAMP = "X-Tokenpnl-Signature", "X-Tokenpnl-Timestamp"
_PAUSES_S = (0.5, 2.0)
_TOO_MANY = 429
_MOST_BLOCKS = 40  # Slack takes 50 in a message
_MOST_TEXT = 2900  # and 3,000 characters in a block

Pause = Callable[[float], None]


def send(
    channel: Channel,
    alerts: Sequence[Alert],
    *,
    now: datetime,
    dashboard: str | None,
    environment: Mapping[str, str],
    pause: Pause = time.sleep,
) -> None:
    """Send the alerts as one message; what fails for the moment is tried again twice.

    Args:
        channel: who is told.
        alerts: at least one.
        now: aware.
        dashboard: address that links begin with; None: no links.
        environment: holds the secrets that the channel names.
        pause: waits the given seconds.

    Raises:
        DeliveryError: the receiver does not answer, or refuses it.
        ConfigurationError: the environment lacks the secret.
    """
    headers = {"Content-Type": "application/json", "User-Agent": "tokenpnl"}
    if isinstance(channel, SlackChannel):
        url = _secret(channel.url_from, environment)
        _check(url, channel.url_from)
        body = _json(slack_message(alerts, dashboard))
    elif isinstance(channel, AlertmanagerChannel):
        url = f"{channel.url.rstrip('/')}/api/v2/alerts"
        body = _json(alertmanager_alerts(alerts, now, dashboard, hold_hours=channel.hold_hours))
    else:
        url = channel.url
        body = _json(webhook_message(alerts, now, dashboard))
        headers |= signed_headers(channel, body, now, environment)
    _post_patiently(channel, url, body, headers, pause)


def slack_message(alerts: Sequence[Alert], dashboard: str | None) -> dict[str, Any]:
    """Return the message of an incoming webhook: text for notifications, blocks for the channel."""
    shown = alerts[:_MOST_BLOCKS]
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": _slack_text(one, dashboard)}} for one in shown]
    if len(alerts) > len(shown):
        rest = f"and {len(alerts) - len(shown)} more: `tokenpnl alerts list`"
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": rest}})
    text = _escaped(alerts[0].headline) + (f" And {len(alerts) - 1} more." if len(alerts) > 1 else "")
    return {"text": text, "blocks": blocks}


def alertmanager_alerts(
    alerts: Sequence[Alert], now: datetime, dashboard: str | None, *, hold_hours: int
) -> list[dict[str, Any]]:
    """Return the alerts as Alertmanager's v2 API takes them; the key is a label, so that it tells them apart."""
    return [
        {
            "labels": {
                "alertname": f"Tokenpnl{one.watch.title().replace('_', '')}",
                "severity": one.severity,
                "key": one.key,
            },
            "annotations": {
                "summary": one.headline,
                "description": " ".join(one.facts),
                **({"cause": one.cause} if one.cause else {}),
            },
            "startsAt": _iso(min(one.since or now, now)),
            "endsAt": _iso(now + timedelta(hours=hold_hours)),
            **({"generatorURL": _link(one, dashboard)} if dashboard else {}),
        }
        for one in alerts
    ]


def webhook_message(alerts: Sequence[Alert], now: datetime, dashboard: str | None) -> dict[str, Any]:
    """Return the alerts as plain JSON."""
    told = [one.as_dict() | ({"link": _link(one, dashboard)} if dashboard else {}) for one in alerts]
    return {"version": 1, "sent_at": _iso(now), "alerts": told}


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return `v1=` and the hex HMAC-SHA256 of `timestamp.body`; the time is signed too, so that no one replays it."""
    told = timestamp.encode() + b"." + body
    return f"v1={hmac.new(secret.encode(), told, hashlib.sha256).hexdigest()}"


def signed_headers(
    channel: WebhookChannel, body: bytes, now: datetime, environment: Mapping[str, str]
) -> dict[str, str]:
    """Return the headers by which the receiver knows that the body is ours and fresh."""
    timestamp = str(int(now.timestamp()))
    return {TIMESTAMP: timestamp, SIGNATURE: signature(_secret(channel.secret_from, environment), timestamp, body)}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A receiver that moved is refused: an alert must not follow to an address that nobody wrote down."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """Follow nowhere."""


def _post_patiently(channel: Channel, url: str, body: bytes, headers: dict[str, str], pause: Pause) -> None:
    for wait_s in (*_PAUSES_S, None):
        try:
            _post(url, body, headers, channel.timeout_s)
        except urllib.error.HTTPError as error:
            with error:
                reason = f"answered {error.code}"
            passing = error.code >= 500 or error.code == _TOO_MANY
        except (OSError, HTTPException) as error:
            reason, passing = f"does not answer: {getattr(error, 'reason', None) or type(error).__name__}", True
        else:
            return
        if wait_s is None or not passing:
            # The address of a Slack webhook is a secret; host and port alone are none.
            raise DeliveryError(f"{channel.kind} {channel.name} at {urlsplit(url).netloc} {reason}")
        pause(wait_s)


def _post(url: str, body: bytes, headers: dict[str, str], timeout_s: float) -> None:
    request = urllib.request.Request(url, body, headers)  # noqa: S310  # http and https alone pass the rule file
    with urllib.request.build_opener(_NoRedirect).open(request, timeout=timeout_s):
        pass


def _check(url: str, variable: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"${variable} holds no address that begins with https://")


def _secret(variable: str, environment: Mapping[str, str]) -> str:
    value = environment.get(variable, "")
    if not value:
        raise ConfigurationError(f"${variable} is not set; a channel of alerts.yaml reads its secret from it")
    return value


def _slack_text(alert: Alert, dashboard: str | None) -> str:
    lines = [f"*{_escaped(alert.headline)}*", *map(_escaped, alert.facts)]
    if alert.since is not None:
        lines.append(f"Since {alert.since:%-d %b %Y %H:%M} UTC.")
    if alert.cause:
        lines.append(_escaped(f"Likely cause: {alert.cause}."))
    if dashboard:
        lines.append(f"<{_link(alert, dashboard)}|Open the page>")
    return "\n".join(lines)[:_MOST_TEXT]


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _link(alert: Alert, dashboard: str) -> str:
    return f"{dashboard.rstrip('/')}{alert.page}"


def _json(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
