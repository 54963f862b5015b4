"""`gpus.yaml`: what our own accelerators cost, and which requests run on them."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from tokenpnl_analytics.rules.capacity import Dated, Paid, Usd, refuse_overlaps
from tokenpnl_analytics.rules.reading import RuleFile, Rules

OBSERVED = "observed"
USED = "used"
Count = Annotated[int, Field(ge=0, le=1_000_000)]


class Sku(Rules):
    """What one accelerator of a kind costs, for every pool that states no price of its own."""

    usd_per_hour: Usd


class Replicas(Dated):
    """How many replicas there are for a time."""

    count: Count


class Pool(Paid):
    """Replicas that serve the same requests, and what they cost.

    Amortised hardware of one's own is an `upfront` with an hourly price of 0 or of its power and room; a reserved
    instance may have both.
    """

    gpu: str | None = Field(default=None, description="Kind of accelerator: one of `skus`, or a word of your own.")
    gpus_per_replica: Annotated[int, Field(ge=1, le=100_000)] = 1
    per_hour: Usd | None = Field(
        default=None, alias="usd_per_hour", description="Of one accelerator, in `currency`. Default: its sku's."
    )
    replicas: Count | tuple[Replicas, ...] | Literal["observed"] = Field(
        default="observed",
        description="How many, or a list of from, to and count. observed: every replica that served counts as up in "
        "each hour, UTC, in which it did.",
    )
    pricing: Literal["on_demand", "reserved", "amortised"] = "on_demand"
    billing: Literal["provisioned", "used"] = Field(
        default="provisioned",
        description="used: only time at work costs and nothing is idle, as on users' devices and GPUs by the second.",
    )

    @model_validator(mode="after")
    def _countable(self) -> Self:
        if self.billing == USED and (self.upfront or self.replicas != OBSERVED):
            raise PydanticCustomError("used", "a pool that is billed by use has neither replicas nor an upfront")
        if self.upfront and self.replicas == OBSERVED:
            raise PydanticCustomError("observed", "a pool with an upfront needs its replicas: a number, or a list")
        return self


class GpusFile(Rules):
    """The accelerators that we run; of several pools that match a request the first takes it."""

    version: Literal[1] = 1
    skus: dict[str, Sku] = Field(default_factory=dict, description="Hourly prices by kind of accelerator.")
    pools: tuple[Pool, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        refuse_overlaps(("pools",), self.pools, lambda pool: pool.name, "the same name")
        refuse_overlaps(("pools",), self.pools, lambda pool: pool.match, "the same match")
        for number, pool in enumerate(self.pools):
            if isinstance(pool.replicas, tuple):
                refuse_overlaps(("pools", number, "replicas"), pool.replicas, lambda _: None, "two numbers")
            if pool.per_hour is None and not pool.upfront and pool.gpu not in self.skus:
                words = {"name": pool.name, "skus": ", ".join(sorted(self.skus)) or "none", "loc": ("pools", number)}
                raise PydanticCustomError(
                    "price", "pool {name} has no price: give usd_per_hour, or a gpu of skus ({skus})", words
                )
        return self

    def usd_per_gpu_hour(self, pool: Pool) -> Decimal:
        """Return the hourly price of one accelerator of the pool in dollars, its upfront left out."""
        if pool.per_hour is not None:
            return pool.in_usd(pool.per_hour)
        listed = self.skus.get(pool.gpu or "")
        return Decimal(0) if listed is None else listed.usd_per_hour


GPUS = RuleFile("gpus.yaml", GpusFile, "GPU pools: price, replicas, and which requests they serve.")
