"""outcomes.yaml: what counts as a success, who says so, since when, and how long one waits for the answer."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from tokenpnl.model import OutcomeStatus
from tokenpnl_analytics.rules.reading import RuleFile, Rules

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_DURATION = re.compile(r"^(\d+)\s*([mhdw])$")


def _duration(value: object) -> object:
    """Return the timedelta of `7d`, `36h`, `30m` or `2w`."""
    found = _DURATION.match(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError("expected a duration such as 7d, 36h, 30m or 2w")
    return int(found[1]) * _UNITS[found[2]]


def _text_of(value: object) -> object:
    # JSON spells true, YAML says yes: both are read as the attribute's text.
    return str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, (int, Decimal)) else value


def _texts(value: object) -> object:
    return [_text_of(item) for item in (value if isinstance(value, list) else [value])]


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Usd = Annotated[Decimal, Field(max_digits=38, decimal_places=12)]


class When(Rules):
    """What must hold of a run; everything that is given must hold."""

    status: Literal["ok", "error", "unset"] | None = Field(None, description="Status of the run's span.")
    attribute: str | None = Field(None, description="Attribute of the run's span as sent, or a column of `spans`.")
    equals: Texts | None = Field(None, description="One value or a list: what the attribute must be, as text.")
    evaluation: str | None = Field(None, description="`gen_ai.evaluation.name`; of several scores the newest counts.")
    score_at_least: Decimal | None = Field(None, description="The score reaches this.")
    score_below: Decimal | None = Field(None, description="The score stays below this.")
    label: Texts | None = Field(None, description="One label or a list: what the evaluation's label must be.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        judges = self.score_at_least is not None or self.score_below is not None or self.label is not None
        if self.status is None and self.attribute is None and self.evaluation is None:
            raise ValueError("a rule needs status, attribute or evaluation")
        if judges != (self.evaluation is not None):
            raise ValueError("evaluation goes with score_at_least, score_below or label, and they with it")
        if self.equals is not None and self.attribute is None:
            raise ValueError("equals needs the attribute that it speaks of")
        return self


class OutcomeRule(Rules):
    """If this holds, that is the outcome."""

    when: When
    outcome: OutcomeStatus
    reason: str | None = Field(None, description="A short code, kept with the outcome.")


class Audit(Rules):
    """A random sample of claimed successes that somebody checked."""

    n: Annotated[int, Field(gt=0, description="Successes that were checked.")]
    n_false: Annotated[int, Field(ge=0, description="How many of them were none.")]

    @model_validator(mode="after")
    def _no_more_than_checked(self) -> Self:
        if self.n_false > self.n:
            raise ValueError(f"{self.n_false} of {self.n} checked successes cannot be false")
        return self


class Definition(Rules):
    """One version of what success means for the workflows that a pattern names."""

    workflow: str = Field(description="Name or pattern (`support_*`); of several patterns the first that fits counts.")
    owner: str = Field(description="Who answers for the definition.")
    success: str = Field(description="What a success is, in one sentence that finance and engineering share.")
    version: Annotated[str, BeforeValidator(_text_of)] = Field("1", description="Changes with every change of meaning.")
    since: date | None = Field(None, alias="from", description="First day (UTC) on which this version holds.")
    window: Duration | None = Field(None, description="How long an outcome may take: 7d, 36h, 30m.")
    values: dict[OutcomeStatus, Usd] = Field(
        default_factory=dict, description="Value in USD of each status where none was stated."
    )
    rules: tuple[OutcomeRule, ...] = Field((), description="First match wins; a stated outcome beats every rule.")
    clean_up_usd: Usd | None = Field(None, description="What it costs to clean up one success that was none.")
    audit: Audit | None = Field(None, description="The newest random check of claimed successes.")

    @property
    def starts_at(self) -> datetime | None:
        """The moment from which this version holds; None: always."""
        return None if self.since is None else datetime.combine(self.since, time(), UTC)


class OutcomesFile(Rules):
    """The success definitions of every workflow."""

    workflows: tuple[Definition, ...] = ()

    @model_validator(mode="after")
    def _versions_differ(self) -> Self:
        starts = [(one.workflow, one.since) for one in self.workflows]
        twice = {key for key in starts if starts.count(key) > 1}
        if twice:
            name, since = min(twice, key=str)
            raise ValueError(f"two versions for {name!r} hold from the same day ({since or 'always'})")
        return self

    def versions_of(self, workflow: str | None) -> Sequence[Definition]:
        """Return the versions of the first pattern that fits the workflow, oldest first; none: no definition."""
        fitting = [one.workflow for one in self.workflows if fits(workflow, one.workflow)]
        versions = [one for one in self.workflows if fitting and one.workflow == fitting[0]]
        return sorted(versions, key=lambda one: one.since or date.min)

    def definition_of(self, workflow: str | None, at: datetime) -> Definition | None:
        """Return the version that holds at a moment; None: the workflow has no success definition then."""
        holding = [one for one in self.versions_of(workflow) if one.starts_at is None or one.starts_at <= at]
        return holding[-1] if holding else None


def fits(workflow: str | None, pattern: str) -> bool:
    """Return whether the pattern names the workflow; a run without a workflow fits no pattern."""
    return workflow is not None and (workflow == pattern or fnmatchcase(workflow, pattern))


OUTCOMES = RuleFile(
    "outcomes.yaml", OutcomesFile, "What counts as a success per workflow: definition, owner, window, values, rules."
)
