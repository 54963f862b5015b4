"""Time zones in rule files."""

from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from tokenpnl.errors import ConfigurationError
from tokenpnl_analytics.periods import zone_of


def _known(name: str) -> str:
    try:
        zone_of(name)
    except ConfigurationError as error:
        raise PydanticCustomError("zone", "{told}", {"told": str(error)}) from None
    return name


Zone = Annotated[str, AfterValidator(_known)]
"""The IANA name of a time zone that is known."""
