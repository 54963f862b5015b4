"""Parts that sum to the whole."""

from decimal import Decimal

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl_analytics.shares import dollars, in_picodollars, split_exactly, split_money


def split(whole: int, weights: list[float]) -> list[int]:
    claims = pl.DataFrame({"of": 0, "whole": whole, "weight": weights, "ties": range(len(weights))})
    return split_exactly(claims, "whole", "weight", of="of", ties="ties").to_list()


def test_what_is_left_over_goes_to_the_largest_fractions() -> None:
    # 10 x (0.5, 0.3, 0.2) of 7: 3.5, 2.1, 1.4.
    assert split(7, [0.5, 0.3, 0.2]) == [4, 2, 1]


def test_equal_claims_are_served_in_the_order_of_ties() -> None:
    assert split(2, [1.0, 1.0, 1.0]) == [1, 1, 0]


def test_a_claim_without_weight_gets_nothing() -> None:
    assert split(1, [0.0, 2.0]) == [0, 1]


def test_each_group_has_its_own_whole() -> None:
    claims = pl.DataFrame({"of": [1, 2, 2], "whole": [5, 3, 3], "weight": [1.0, 1.0, 2.0], "ties": [0, 1, 2]})
    assert split_exactly(claims, "whole", "weight", of="of", ties="ties").to_list() == [5, 1, 2]


def test_a_whole_may_be_more_than_nine_million_dollars() -> None:
    assert split(3 * 10**20, [2.0, 1.0]) == [2 * 10**20, 10**20]
    frame = pl.DataFrame({"usd": [Decimal(300_000_000)]}, schema={"usd": pl.Decimal(38, 12)})
    assert frame.select(in_picodollars(pl.col("usd"))).with_columns(dollars("usd")).equals(frame)


def test_claims_may_be_as_small_as_numbers_get() -> None:
    assert split(4, [2.2250738585072014e-308, 6.675221575521604e-308]) == [1, 3]


@given(st.integers(0, 10**22), st.lists(st.floats(0, 1e12), min_size=1, max_size=30).filter(lambda each: sum(each) > 0))
def test_the_parts_sum_to_the_whole_and_none_is_negative(whole: int, weights: list[float]) -> None:
    parts = split(whole, weights)
    assert sum(parts) == whole
    assert min(parts) >= 0


def test_picodollars_are_money_exactly() -> None:
    frame = pl.DataFrame({"pico": [1, 2_490_000_000_001]}).with_columns(dollars("pico").alias("usd"))
    assert frame["usd"].to_list() == [Decimal("0.000000000001"), Decimal("2.490000000001")]
    assert frame.select(in_picodollars(pl.col("usd")))["usd"].to_list() == [1, 2_490_000_000_001]


MONEY = st.decimals(-(10**9), 10**9, places=12)


def test_money_below_nothing_is_split_to_the_last_digit() -> None:
    # -10 / 3 is -3.33: rounded down -4 each, and two of the three get one back.
    parts = split_money(Decimal(-10).scaleb(-12), [Decimal(1)] * 3)
    assert parts == [Decimal(-3).scaleb(-12), Decimal(-3).scaleb(-12), Decimal(-4).scaleb(-12)]


@given(MONEY, st.lists(st.decimals(0, 10**6, places=12), min_size=1, max_size=20))
def test_parts_of_money_sum_to_the_whole(whole: Decimal, weights: list[Decimal]) -> None:
    parts = split_money(whole, weights)
    assert sum(parts) == whole
    assert len(parts) == len(weights)
