"""Cards with rules over the installed prices, and what a million tokens cost by them."""

from decimal import Decimal
from typing import Any

import polars as pl
from tests.analytics.conftest import attempts_of

from tokenpnl_analytics.pricing.layered import card_of
from tokenpnl_analytics.pricing.prices import token_lines
from tokenpnl_analytics.pricing.ratecard import RateCard
from tokenpnl_analytics.rules.prices import ALIASES, CONTRACT, FX, LITELLM, OVERRIDE

_FILES = {"contract": CONTRACT, "override": OVERRIDE, "aliases": ALIASES, "fx": FX, "litellm": LITELLM}


def laid(**texts: str) -> RateCard:
    """Return the installed card with the texts of files over it: `laid(contract="rules: [...]")`."""
    return card_of(**{name: _FILES[name].parse(text) for name, text in texts.items()})


def lines_of(card: RateCard, *attempts: dict[str, Any]) -> pl.DataFrame:
    """Return the token lines of attempts; by default a million uncached tokens of openai's gpt-4o, a short request."""
    million = {"input_uncached_tokens": 1_000_000, "input_total_tokens": 10}
    return token_lines(attempts_of(*(million | attempt for attempt in attempts or ({},))), card)


def costs(card: RateCard, *attempts: dict[str, Any]) -> list[tuple[Decimal | None, ...]]:
    """Return list, contracted and effective cost of each line."""
    return lines_of(card, *attempts).select("list_cost_usd", "contracted_cost_usd", "cost_usd").rows()
