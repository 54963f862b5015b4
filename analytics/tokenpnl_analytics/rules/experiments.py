"""An experiment's file: who is in which arm, what was promised before the start, and what is measured."""

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, field_validator, model_validator

from tokenpnl_analytics.rules.reading import RuleFile, Rules

LEAST_SHARE = Decimal("0.05")


class Metric(StrEnum):
    """What cost is divided by."""

    USD_PER_RUN = "usd_per_run"
    USD_PER_SUCCESS = "usd_per_success"


class Unit(StrEnum):
    """Who or what is put into an arm as a whole; also the cluster of the statistics."""

    CUSTOMER = "customer"
    CONVERSATION = "conversation"

    @property
    def column(self) -> str:
        """Return the column of the runs that names it."""
        return {"customer": "customer_id", "conversation": "session_id"}[self.value]


class _Randomised(Rules):
    unit: Unit = Field(default=Unit.CUSTOMER, description="customer or conversation: never split between arms.")
    treated_share: Decimal = Field(
        default=Decimal("0.5"), description="Planned share of units in the treated arm; each arm has 5% at least."
    )

    @field_validator("treated_share")
    @classmethod
    def _both_arms(cls, share: Decimal) -> Decimal:
        if not LEAST_SHARE <= share <= 1 - LEAST_SHARE:
            raise ValueError(f"each arm needs {LEAST_SHARE} of the units at least, so a share from 0.05 to 0.95")
        return share


class ByHash(_Randomised):
    """The first 32 bits of SHA-256 of `salt:unit`, over 2^32, fall below the treated share: treated; else control."""

    by: Literal["hash"] = "hash"
    salt: str = Field(min_length=1, description="Text before the unit's id; a new experiment takes a new one.")


class ByRoute(_Randomised):
    """The attribute `tokenpnl.route.arm` of a run's model spans names the arm."""

    by: Literal["route"]
    policy: str | None = Field(default=None, description="Only spans with this `tokenpnl.route.policy`.")


class ByRelease(_Randomised):
    """The release of a run names the arm."""

    by: Literal["release"]


class ByDate(Rules):
    """No holdout: everything changed at the start. Then a change is only observed, against untouched workflows."""

    by: Literal["date"]
    untouched: tuple[str, ...] = Field(min_length=1, description="Workflows that nobody changed.")


class Arms(Rules):
    """The names of the two arms: route arms or releases; under a hash they are only words."""

    control: str = "control"
    treated: str = "treated"

    @model_validator(mode="after")
    def _apart(self) -> "Arms":
        if self.control == self.treated:
            raise ValueError(f"two arms need two names, got {self.control!r} twice")
        return self


class Experiment(Rules):
    """A change that was made, and what was set before it."""

    name: str = Field(min_length=1, max_length=80)
    workflow: str = Field(min_length=1, description="Workflow that was changed.")
    started: AwareDatetime = Field(description="When both arms began; with a zone.")
    until: AwareDatetime | None = Field(default=None, description="When it ended; left out: it goes on.")
    arms: Arms = Arms()
    assignment: Annotated[ByHash | ByRoute | ByRelease | ByDate, Field(discriminator="by")]
    margin: Decimal = Field(gt=0, lt=1, description="Loss of success that may not be exceeded: 0.02 is two points.")
    metric: Metric = Field(default=Metric.USD_PER_RUN, description="usd_per_run or usd_per_success.")
    planned_runs: int = Field(default=2000, ge=100, description="Runs at which the sequence is tightest.")

    @field_validator("started", "until")
    @classmethod
    def _in_utc(cls, moment: datetime | None) -> datetime | None:
        return moment.astimezone(UTC) if moment else None

    @model_validator(mode="after")
    def _ordered(self) -> "Experiment":
        if self.until is not None and self.until <= self.started:
            raise ValueError(f"the experiment ends at {self.until}, before it starts at {self.started}")
        return self


class ExperimentFile(Rules):
    """One experiment a file."""

    version: Literal[1] = 1
    experiment: Experiment


EXPERIMENT = RuleFile("experiment.yaml", ExperimentFile, "A change that was made with two arms, and its margin.")
