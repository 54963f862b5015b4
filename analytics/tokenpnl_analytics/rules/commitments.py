"""`commitments.yaml`: reserved throughput (PTU, provisioned throughput) that is paid by the hour, used or not."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from tokenpnl_analytics.rules.capacity import Name, Paid, Usd, refuse_overlaps
from tokenpnl_analytics.rules.prices import Currency
from tokenpnl_analytics.rules.reading import RuleFile, Rules

Weight = Annotated[Decimal, Field(ge=0, le=1_000, decimal_places=6)]


class Commitment(Paid):
    """Units of throughput, bought for a term."""

    kind: str = Field(
        default="provisioned_throughput", description="A word of yours: ptu, provisioned_throughput, scale_tier."
    )
    per_hour: Usd = Field(default=Decimal(0), alias="usd_per_hour", description="Of one unit, in `currency`.")
    count: Annotated[int, Field(ge=0, le=1_000_000)] = 1
    tokens_per_hour: Annotated[int, Field(gt=0)] | None = Field(
        default=None,
        description="Weighted tokens that one unit serves in an hour. Without it utilisation is not known.",
    )
    output_weight: Weight = Field(
        default=Decimal(1), description="Capacity that one output token takes, in input tokens."
    )
    cache_read_weight: Weight = Field(
        default=Decimal(1), description="The same for an input token read from the cache."
    )

    @model_validator(mode="after")
    def _costs(self) -> Self:
        if not self.per_hour and not self.upfront:
            raise PydanticCustomError("price", "a commitment costs something: give usd_per_hour or upfront")
        return self


class Prepaid(Rules):
    """Credit bought from a provider in advance: an asset until it is used, and no cost."""

    name: Name
    provider: Name
    amount: Annotated[Decimal, Field(gt=0, max_digits=20, decimal_places=12)] = Field(description="In `currency`.")
    currency: Currency = "USD"
    usd_rate: Annotated[Decimal, Field(gt=0, decimal_places=12)] = Field(
        default=Decimal(1), description="Dollars for one unit of `currency` on the day of purchase."
    )
    bought_on: date
    expires: date | None = Field(default=None, description="Last day on which it can be used. Default: it stays.")

    @model_validator(mode="after")
    def _dated(self) -> Self:
        if self.expires is not None and self.expires < self.bought_on:
            raise PydanticCustomError("dates", "the credit expires before it was bought")
        if self.currency != "USD" and "usd_rate" not in self.model_fields_set:
            raise PydanticCustomError("rate", "a credit in another currency needs usd_rate, dollars for one unit of it")
        return self


class CommitmentsFile(Rules):
    """Reserved throughput and prepaid credit.

    Which requests it serves is said by `commitment: NAME` in the price files, else by match.
    """

    version: Literal[1] = 1
    commitments: tuple[Commitment, ...] = ()
    prepaid: tuple[Prepaid, ...] = Field(default=(), description="Credit bought in advance, first bought first used.")

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        refuse_overlaps(("commitments",), self.commitments, lambda each: each.name, "the same name")
        refuse_overlaps(
            ("commitments",),
            self.commitments,
            lambda each: each.match if each.match.given else each.name,
            "the same match",
        )
        names = [each.name for each in self.prepaid]
        if len(set(names)) < len(names):
            raise PydanticCustomError("names", "two prepaid credits have the same name")
        return self


COMMITMENTS = RuleFile(
    "commitments.yaml", CommitmentsFile, "Reserved throughput: fee, term and capacity; prepaid credit."
)
