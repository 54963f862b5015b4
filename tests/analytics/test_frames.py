"""A sum tells nothing from unknown."""

import polars as pl
import pytest

from tokenpnl_analytics.frames import MONEY, known_sum


@pytest.mark.parametrize(("amounts", "total"), [([], 0), ([None], None), ([None, 2], 2), ([1, 2], 3)])
def test_the_sum_of_nothing_is_zero_and_that_of_the_unknown_is_unknown(amounts, total) -> None:
    frame = pl.DataFrame({"usd": amounts}, schema={"usd": MONEY})
    assert frame.select(known_sum(pl.col("usd"))).item() == total


def test_an_amount_that_does_not_lack_is_nothing_and_not_unknown() -> None:
    frame = pl.DataFrame({"usd": [None, None], "lacking": [False, False]}, schema_overrides={"usd": MONEY})
    assert frame.select(known_sum(pl.col("usd"), pl.col("lacking"))).item() == 0
