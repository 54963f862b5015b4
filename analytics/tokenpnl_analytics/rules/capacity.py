"""What GPU pools and commitments have in common: the time for which they hold, and the requests that they serve."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import combinations
from typing import Annotated, Any, LiteralString, Self, TypeVar

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from tokenpnl_analytics.rules.prices import Currency, Match
from tokenpnl_analytics.rules.reading import Rules

_DAY = re.compile(r"^\d{4}-\d\d-\d\d$")


def _moment(value: Any, info: ValidationInfo) -> Any:
    """Return the moment that a date stands for: `from` is its first, `to` the first of the next day."""
    if isinstance(value, str):
        # In quotes, and in JSON, a day is text.
        value = date.fromisoformat(value) if _DAY.match(value) else datetime.fromisoformat(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise PydanticCustomError("zone", "the time has no zone; add Z for UTC")
        return value.astimezone(UTC)
    if isinstance(value, date):
        midnight = datetime(value.year, value.month, value.day, tzinfo=UTC)
        return midnight + timedelta(days=1) if info.field_name == "until" else midnight
    return value


Moment = Annotated[datetime, BeforeValidator(_moment)]
Usd = Annotated[Decimal, Field(ge=0, max_digits=20, decimal_places=12)]
Name = Annotated[str, Field(min_length=1, max_length=128)]


class Dated(Rules):
    """Something that holds for a time: whole days, UTC, the last one included, or from a moment until another one."""

    since: Moment | None = Field(default=None, alias="from", description="First day, or a time. Default: always was.")
    until: Moment | None = Field(default=None, alias="to", description="Last day, or the end. Default: still holds.")

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.since is not None and self.until is not None and self.until <= self.since:
            raise PydanticCustomError("dates", "the end (to) lies before the beginning (from)")
        return self

    def overlaps(self, other: "Dated") -> bool:
        """Return whether there is a moment at which both hold."""
        begins_before = self.since is None or other.until is None or self.since < other.until
        ends_after = self.until is None or other.since is None or other.since < self.until
        return begins_before and ends_after


class Served(Match):
    """Requests: every field that is given must fit; `*` and `?` are wildcards, /text/ is a regular expression."""

    replica: str | None = Field(default=None, description="Server instance, pod or host that served.")
    service: str | None = Field(default=None, description="service.name of the emitter.")
    gpu_type: str | None = None
    environment: str | None = None


class Paid(Dated):
    """What is paid by the hour and, for a term, in advance."""

    name: Name
    match: Served = Served()
    upfront: Usd = Field(
        default=Decimal(0), description="Paid once for the term (from, to), in `currency`; spread by hours."
    )
    currency: Currency = "USD"
    usd_rate: Annotated[Decimal, Field(gt=0, decimal_places=12)] | None = Field(
        default=None, description="Dollars for one unit of `currency`; needed where that is not USD."
    )

    @model_validator(mode="after")
    def _payable(self) -> Self:
        if self.currency != "USD" and self.usd_rate is None:
            words = {"currency": self.currency}
            raise PydanticCustomError("rate", "give usd_rate: what one unit of {currency} is in dollars", words)
        if self.upfront and (self.since is None or self.until is None):
            raise PydanticCustomError("term", "an upfront payment needs its term: from and to")
        return self

    def in_usd(self, amount: Decimal) -> Decimal:
        """Return an amount of the currency in dollars."""
        return amount if self.usd_rate is None else amount * self.usd_rate


D = TypeVar("D", bound=Dated)


def refuse_overlaps(
    path: tuple[int | str, ...], rules: Sequence[D], key: Callable[[D], object], what: LiteralString
) -> None:
    """Refuse two rules that agree in the key and hold at the same time.

    Args:
        path: keys that lead to the list in the file.
        rules: its entries.
        key: what may stand once at a time.
        what: that they share, in words.

    Raises:
        PydanticCustomError: names both entries and the line of the later one.
    """
    for (earlier, one), (later, other) in combinations(enumerate(rules), 2):
        if key(one) == key(other) and one.overlaps(other):
            words = {"earlier": earlier + 1, "later": later + 1, "loc": (*path, later)}
            message: LiteralString = (
                "entries {earlier} and {later} have " + what + " at the same time; let one end (to) before the other"
            )
            raise PydanticCustomError("overlap", message, words)
