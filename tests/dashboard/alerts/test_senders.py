"""Each receiver gets what it understands, and can know that it is ours."""

import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from tests.dashboard.alerts.receiver import receiver

from tokenpnl.errors import ConfigurationError, DeliveryError
from tokenpnl_analytics.rules.alerts import AlertmanagerChannel, Channel, SlackChannel, WebhookChannel
from tokenpnl_dashboard.alerts.alert import Alert
from tokenpnl_dashboard.alerts.senders import send, slack_message

NOW = datetime(2026, 11, 24, 8, 41, tzinfo=UTC)
ALERT = Alert(
    "anomaly/support_reply/gpt-5/2026-11-24T07",
    "anomaly",
    "critical",
    "$93 in 1 hour on <support_reply> & co, gpt-5: $71 above expected.",
    ("$22 expected.",),
    datetime(2026, 11, 24, 7, tzinfo=UTC),
    "release 2.4.0 new at 24 Nov 06:00",
)
ENVIRONMENT = {"HOOK_SECRET": "s3cret"}
PAUSES: list[float] = []


def tell(channel: Channel, *alerts: Alert, environment: dict[str, str] = ENVIRONMENT) -> None:
    PAUSES.clear()
    send(
        channel,
        alerts or (ALERT,),
        now=NOW,
        dashboard="https://pnl.example.com/",
        environment=environment,
        pause=PAUSES.append,
    )


def hook(url: str) -> WebhookChannel:
    return WebhookChannel(name="hook", kind="webhook", url=url, secret_from="HOOK_SECRET", timeout_s=5)


def test_a_webhook_can_verify_sender_and_time():
    with receiver() as got:
        tell(hook(f"{got.url}/in"))
    path, headers, body = got.requests[0]
    assert path == "/in"
    timestamp = headers["X-Tokenpnl-Timestamp"]
    expected = hmac.new(b"s3cret", timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["X-Tokenpnl-Signature"] == f"v1={expected}"
    assert int(timestamp) == int(NOW.timestamp())


def test_a_webhook_gets_the_whole_alert():
    with receiver() as got:
        tell(hook(got.url))
    told = got.bodies()[0]["alerts"][0]
    assert Alert.from_dict({key: value for key, value in told.items() if key != "link"}) == ALERT
    assert told["link"] == "https://pnl.example.com/budgets"


def test_alertmanager_gets_its_v2_form():
    with receiver() as got:
        tell(AlertmanagerChannel(name="am", kind="alertmanager", url=got.url + "/", hold_hours=2))
    path, _, _ = got.requests[0]
    assert path == "/api/v2/alerts"
    (told,) = got.bodies()[0]
    assert told["labels"] == {"alertname": "TokenpnlAnomaly", "severity": "critical", "key": ALERT.key}
    assert (told["startsAt"], told["endsAt"]) == ("2026-11-24T07:00:00Z", "2026-11-24T10:41:00Z")
    assert told["annotations"]["summary"] == ALERT.headline


def test_slack_gets_the_number_first_and_names_are_no_markup():
    with receiver() as got:
        channel = SlackChannel(name="s", kind="slack", url_from="SLACK")
        tell(channel, environment={"SLACK": got.url})
    told = got.bodies()[0]
    assert told["text"].startswith("$93 in 1 hour on &lt;support_reply&gt; &amp; co")
    lines = told["blocks"][0]["text"]["text"].splitlines()
    assert lines[1:] == [
        "$22 expected.",
        "Since 24 Nov 2026 07:00 UTC.",
        "Likely cause: release 2.4.0 new at 24 Nov 06:00.",
        "<https://pnl.example.com/budgets|Open the page>",
    ]


def test_many_alerts_are_one_message_that_slack_takes():
    message = slack_message([ALERT] * 60, None)
    assert message["text"].endswith("And 59 more.")
    assert len(message["blocks"]) == 41
    assert "and 20 more" in message["blocks"][-1]["text"]["text"]


def test_what_fails_for_the_moment_is_tried_again():
    with receiver(503, 429) as got:
        tell(hook(got.url))
    assert len(got.requests) == 3
    assert PAUSES == [0.5, 2.0]


@pytest.mark.parametrize("code", [400, 404, 302])
def test_a_refusal_is_final_and_redirects_are_not_followed(code: int):
    with receiver(code) as got, pytest.raises(DeliveryError, match=f"webhook hook at 127.0.0.1:[0-9]+ answered {code}"):
        tell(hook(got.url))
    assert len(got.requests) == 1


def test_a_receiver_that_stays_broken_is_given_up():
    with receiver(500, 500, 500) as got, pytest.raises(DeliveryError, match="answered 500"):
        tell(hook(got.url))
    assert len(got.requests) == 3


def test_nobody_listening_is_said_without_the_path_of_the_address():
    with receiver() as got:
        url = got.url
    channel = SlackChannel(name="s", kind="slack", url_from="SLACK")
    with pytest.raises(DeliveryError, match=r"slack s at 127.0.0.1:\d+ does not answer") as raised:
        tell(channel, environment={"SLACK": f"{url}/services/T0/B0/token"})
    assert "token" not in str(raised.value)


@pytest.mark.parametrize("environment", [{}, {"HOOK_SECRET": ""}])
def test_a_secret_that_is_not_set_is_named(environment: dict[str, str]):
    with pytest.raises(ConfigurationError, match=r"\$HOOK_SECRET is not set"):
        tell(hook("http://127.0.0.1:9"), environment=environment)


def test_only_web_addresses_are_posted_to():
    channel = SlackChannel(name="s", kind="slack", url_from="SLACK")
    with pytest.raises(ConfigurationError, match=r"\$SLACK holds no address"):
        tell(channel, environment={"SLACK": "file:///etc/passwd"})
