"""A newer edition of the published prices, read from genai-prices' own data file instead of the installed release."""

import hashlib
import json

from genai_prices.data_snapshot import DataSnapshot
from genai_prices.types import _providers_from_raw  # the package has no public reader of its data file
from pydantic import ValidationError

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.pricing.ratecard import RateCard, flatten

PUBLISHED_FILE = "genai-prices.json"


def published_card(content: bytes) -> RateCard:
    """Return the rate card of a genai-prices data file (`prices/new_data/v2/data.json` of its repository).

    Raises:
        RefusedInputError: it is not such a file, or holds no model.
    """
    try:
        raw = json.loads(content)
        providers = _providers_from_raw(raw) if isinstance(raw, list) else []
    except (ValueError, ValidationError, TypeError, KeyError, AssertionError) as error:
        raise RefusedInputError(f"this is no data file of genai-prices: {error}") from error
    if not any(provider.models for provider in providers):
        raise RefusedInputError("a data file of genai-prices is a JSON list of providers with models; this holds none")
    digest = hashlib.sha256(content).hexdigest()[:12]
    return flatten(DataSnapshot(providers=providers, from_auto_update=False), source=f"genai-prices data {digest}")
