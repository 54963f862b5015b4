import json
from decimal import Decimal

import pytest
from tests.analytics.priced import costs

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.pricing.card_file import from_bytes, to_bytes
from tokenpnl_analytics.pricing.published import published_card

ACME = [
    {
        "id": "acme",
        "name": "Acme",
        "api_pattern": "https://acme",
        "models": [
            {"id": "m", "match": {"or": [{"equals": "m"}, {"starts_with": "m-"}]}, "prices": {"input_mtok": "1.5"}}
        ],
    }
]


def test_a_newer_edition_prices_by_its_own_models():
    card = published_card(json.dumps(ACME).encode())
    assert costs(card, {"provider": "acme", "model": "m-2"})[0] == (Decimal("1.5"),) * 3
    assert card.version.startswith("genai-prices data ")


def test_a_newer_edition_can_be_stored():
    card = published_card(json.dumps(ACME).encode())
    assert costs(from_bytes(to_bytes(card)), {"provider": "acme", "model": "m-2"})[0][0] == Decimal("1.5")


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'[{"id": "x"}]', b"[1]"])
def test_another_file_is_refused(content):
    with pytest.raises(RefusedInputError, match="data file of genai-prices"):
        published_card(content)
