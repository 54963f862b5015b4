"""`commitments.yaml`: what holds, and what is wrong where."""

import pytest

from tokenpnl.errors import ConfigurationError
from tokenpnl_analytics.rules.commitments import COMMITMENTS


def test_an_empty_file_states_no_commitment() -> None:
    assert COMMITMENTS.parse("").commitments == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("commitments:\n  - {name: p}\n", "commitments.yaml:2: commitments.0: a commitment costs something"),
        (
            "commitments:\n  - {name: p, usd_per_hour: 1, to: 2026-11-30}\n  - {name: p, usd_per_hour: 1}\n",
            "commitments.yaml:3: commitments.1: entries 1 and 2 have the same name at the same time",
        ),
        ("commitments:\n  - {name: p, usd_per_hour: 1, tokens_per_hour: 0}\n", "greater than 0"),
    ],
)
def test_what_is_wrong_in_the_commitments_is_named_with_its_line(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        COMMITMENTS.parse(text)
    assert said in str(error.value)
