"""`commitments.yaml`: reserved throughput (PTU, provisioned throughput) that is paid by the hour, used or not."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from tokenpnl_analytics.rules.capacity import Paid, Usd, refuse_overlaps
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


class CommitmentsFile(Rules):
    """Reserved throughput. Which requests it serves is said by `commitment: NAME` in the price files, else by match."""

    version: Literal[1] = 1
    commitments: tuple[Commitment, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        refuse_overlaps(("commitments",), self.commitments, lambda each: each.name, "the same name")
        refuse_overlaps(
            ("commitments",),
            self.commitments,
            lambda each: each.match if each.match.given else each.name,
            "the same match",
        )
        return self


COMMITMENTS = RuleFile("commitments.yaml", CommitmentsFile, "Reserved throughput: fee, term and capacity.")
