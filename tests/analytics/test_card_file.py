import io
import zipfile

import pytest
from tests.analytics.priced import laid, lines_of

from tokenpnl.errors import ConfigurationError
from tokenpnl_analytics.pricing.card_file import from_bytes, to_bytes
from tokenpnl_analytics.pricing.layered import merged
from tokenpnl_analytics.pricing.ratecard import default_rate_card

RULES = {
    "contract": "rules: [{match: {provider: openai, region: 'eu*'}, discount_pct: 12.5, from: 2026-01-01}]",
    "aliases": "rules: [{match: {model: prod}, as: {model: gpt-5}}]",
    "fx": "months: {EUR: {2026-10: 1.0832}}",
}
ATTEMPTS = (
    {},
    {"region": "eu-west"},
    {"model": "prod"},
    {"provider": "aws.bedrock", "model": "us.anthropic.claude-sonnet-4-5-20250929-v1:0"},
    {"provider": "x_ai", "model": "grok-4"},
    {"provider": "azure.ai.openai", "model": "gpt-4o", "service_tier": "batch"},
    {"provider": None, "model": "gpt-5-mini-2026-09-01"},
    {"model": "nobody-knows"},
)


@pytest.mark.parametrize("card", [default_rate_card(), laid(**RULES)])
def test_a_stored_card_prices_as_before_to_the_last_digit(card):
    stored = from_bytes(to_bytes(card))
    assert stored.version == card.version
    assert lines_of(stored, *ATTEMPTS).equals(lines_of(card, *ATTEMPTS))


def test_a_card_has_one_spelling():
    content = to_bytes(laid(**RULES))
    assert content == to_bytes(laid(**RULES)) == to_bytes(from_bytes(content))


def test_a_schedule_is_not_stored_as_one_version():
    card = merged([(0, None, default_rate_card()), (5, None, laid(**RULES))])
    with pytest.raises(ValueError, match="store each section's card"):
        to_bytes(card)


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18), b"no zip at all"])
def test_bytes_that_are_no_card_are_refused(content):
    with pytest.raises(ConfigurationError, match="no stored rate card"):
        from_bytes(content)


def test_a_newer_format_says_to_update():
    newer = to_bytes(default_rate_card())
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(newer)) as old, zipfile.ZipFile(packed, "w") as new:
        for name in old.namelist():
            new.writestr(name, b'{"format": 2, "version": "x"}' if name == "card.json" else old.read(name))
    with pytest.raises(ConfigurationError, match="has format 2; this release reads format 1"):
        from_bytes(packed.getvalue())
