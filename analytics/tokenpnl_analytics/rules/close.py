"""close.yaml: in which zone months begin, and what a close tolerates."""

from decimal import Decimal
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from tokenpnl_analytics.rules.reading import RuleFile, Rules


def _known(zone: str) -> str:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise PydanticCustomError("zone", "no time zone {zone} is known; write an IANA name", {"zone": zone}) from None
    return zone


class CloseFile(Rules):
    """How months are closed."""

    zone: Annotated[str, AfterValidator(_known)] = Field(default="UTC", description="IANA zone in which months begin.")
    most_unpriced_share: Decimal = Field(
        default=Decimal("0.02"),
        ge=0,
        le=1,
        description="Share of tokens without a price above which a close is refused.",
    )


CLOSE = RuleFile("close.yaml", CloseFile, "Reporting zone of months, and the unpriced share that a close tolerates.")
