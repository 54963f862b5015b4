"""alerts.yaml: what is worth waking somebody for, who is told, and when they sleep."""

from datetime import datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, model_validator

from tokenpnl_analytics.rules.reading import RuleFile, Rules
from tokenpnl_analytics.rules.zones import Zone


class Subject(StrEnum):
    """What an alert rule watches."""

    BUDGET = "budget"
    FORECAST = "forecast"
    ANOMALY = "anomaly"
    UNIT_COST = "unit_cost"
    UNPRICED = "unpriced"
    CLOSE = "close"


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("write a whole address that begins with https:// or http://")
    if parts.username or parts.password:
        raise ValueError("leave user and password out of the address: files are read by many")
    return value


def _clock(value: object) -> object:
    # YAML reads 22:00 without quotes as the number 1320, minutes of the day.
    if isinstance(value, int) and 0 <= value < 1440:
        return time(value // 60, value % 60)
    return value


Url = Annotated[str, Field(max_length=2000), BeforeValidator(_web_address)]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="Name of an environment variable.")]
Clock = Annotated[time, BeforeValidator(_clock)]


class _Channel(Rules):
    name: str = Field(min_length=1, max_length=60)
    timeout_s: float = Field(default=10, gt=0, le=60)


class SlackChannel(_Channel):
    """A Slack incoming webhook. Its address is itself a secret, hence read from the environment."""

    kind: Literal["slack"]
    url_from: Variable


class AlertmanagerChannel(_Channel):
    """An Alertmanager; alerts go to its `/api/v2/alerts`."""

    kind: Literal["alertmanager"]
    url: Url
    hold_hours: int = Field(default=24, ge=1, le=744, description="An alert not told again within them is resolved.")


class WebhookChannel(_Channel):
    """Any receiver of JSON; the body is signed with HMAC-SHA256 under a secret of the environment."""

    kind: Literal["webhook"]
    url: Url
    secret_from: Variable


Channel = Annotated[SlackChannel | AlertmanagerChannel | WebhookChannel, Field(discriminator="kind")]


class QuietHours(Rules):
    """When nobody is told; what came up meanwhile is told afterwards, at once and as one."""

    zone: Zone = "UTC"
    from_time: Clock = Field(alias="from")
    to_time: Clock = Field(alias="to")
    weekends: bool = Field(default=False, description="Whether Saturdays and Sundays are quiet all day.")

    def hold(self, at: datetime) -> bool:
        """Return whether the moment (aware) is quiet; hours that end before they begin run over midnight."""
        local = at.astimezone(ZoneInfo(self.zone))
        clock = local.time().replace(tzinfo=None)
        if self.weekends and local.weekday() >= 5:
            return True
        if self.from_time <= self.to_time:
            return self.from_time <= clock < self.to_time
        return clock >= self.from_time or clock < self.to_time


class AlertRule(Rules):
    """One thing to watch and who is told of it.

    `above` is read by the subject: budget and forecast in percent of the amount (default: the budget's own thresholds;
    forecast 100), unit_cost in USD per success (needed), unpriced in percent of usage lines (default 2), close in days
    after the month's end (default 5), anomaly in USD above expected (default: the money floor of the detection).
    """

    name: str = Field(min_length=1, max_length=60)
    watch: Subject
    channels: tuple[str, ...] = Field(min_length=1)
    above: Annotated[Decimal, Field(ge=0)] | None = None
    workflow: str | None = Field(default=None, description="Only this workflow; unit_cost and anomaly know it.")
    budget: str | None = Field(default=None, description="Only this budget; budget and forecast know it.")
    severity: Literal["info", "warning", "critical"] = "warning"
    cooldown_hours: int = Field(
        default=24, ge=0, le=744, description="What lasts is told again after them; a crossing or an hour is told once."
    )
    through_quiet_hours: bool = False

    @model_validator(mode="after")
    def _complete(self) -> "AlertRule":
        if self.watch is Subject.UNIT_COST and self.above is None:
            raise ValueError("unit_cost needs `above`, in USD per success")
        return self


class Detection(Rules):
    """How hourly anomalies are told from chance."""

    q: float = Field(default=0.05, gt=0, lt=0.5, description="Share of false alarms among alarms that is accepted.")
    floor_usd: Annotated[Decimal, Field(ge=0)] = Field(default=Decimal(1), description="Least dollars above expected.")
    window_hours: int = Field(default=24, ge=1, le=168, description="Complete hours judged at once.")


class AlertsFile(Rules):
    """Channels, rules, quiet hours, and the address of the dashboard that links lead to."""

    version: Literal[1] = 1
    dashboard: Url | None = Field(default=None, description="Address of the dashboard, for links.")
    channels: tuple[Channel, ...] = ()
    rules: tuple[AlertRule, ...] = ()
    quiet_hours: QuietHours | None = None
    anomalies: Detection = Detection()

    @model_validator(mode="after")
    def _wired(self) -> "AlertsFile":
        names = [channel.name for channel in self.channels]
        for kind, values in (("channel", names), ("rule", [rule.name for rule in self.rules])):
            twice = sorted({name for name in values if values.count(name) > 1})
            if twice:
                raise ValueError(f"the {kind} {', '.join(twice)} stands twice")
        missing = sorted({name for rule in self.rules for name in rule.channels} - set(names))
        if missing:
            raise ValueError(
                f"no channel {', '.join(missing)}; the channels of this file: {', '.join(names) or 'none'}"
            )
        return self

    def channel(self, name: str) -> Channel:
        """Return the channel of that name; the file's rules name no other."""
        return next(channel for channel in self.channels if channel.name == name)


ALERTS = RuleFile("alerts.yaml", AlertsFile, "Channels, alert rules and quiet hours; secrets stay in the environment.")
