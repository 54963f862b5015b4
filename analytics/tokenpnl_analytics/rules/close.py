"""close.yaml: in which zone months begin, and what a close tolerates."""

from decimal import Decimal

from pydantic import Field

from tokenpnl_analytics.rules.reading import RuleFile, Rules
from tokenpnl_analytics.rules.zones import Zone


class CloseFile(Rules):
    """How months are closed."""

    zone: Zone = Field(default="UTC", description="IANA zone in which months begin.")
    most_unpriced_share: Decimal = Field(
        default=Decimal("0.02"),
        ge=0,
        le=1,
        description="Share of tokens without a price above which a close is refused.",
    )


CLOSE = RuleFile("close.yaml", CloseFile, "Reporting zone of months, and the unpriced share that a close tolerates.")
