from decimal import Decimal

import pytest

from tokenpnl.errors import ConfigurationError
from tokenpnl_analytics.rules.close import CLOSE
from tokenpnl_analytics.rules.registry import RULE_FILES


def test_an_empty_file_closes_months_in_utc_and_tolerates_two_per_cent() -> None:
    rules = CLOSE.parse("")
    assert (rules.zone, rules.most_unpriced_share) == ("UTC", Decimal("0.02"))
    assert CLOSE in RULE_FILES


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("zone: Europe/Atlantis", r"close\.yaml:1: zone: no time zone 'Europe/Atlantis' is known"),
        ("zone: Europe", r"close\.yaml:1: zone: no time zone 'Europe' is known"),
        (
            "zone: UTC\nmost_unpriced_share: 2",
            r"close\.yaml:2: most_unpriced_share: Input should be less",
        ),
        ("month: 2026-10", r"close\.yaml:1: month: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_file_is_explained_with_its_line(text: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        CLOSE.parse(text)
