"""One to one matching and grouping."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenpnl_analytics.resolving.pairs import groups, one_to_one


def candidates(*rows: tuple[int, int, int]) -> pl.DataFrame:
    """Rows below ten are of class a, the others of class b."""
    frame = pl.DataFrame(rows, schema={"left": pl.Int64, "right": pl.Int64, "distance": pl.Int64}, orient="row")
    return frame.with_columns(left_class=pl.lit("a"), right_class=pl.lit("b"))


def test_the_closest_are_paired_first_and_nobody_twice() -> None:
    rows = (1, 11, 5), (1, 12, 1), (2, 12, 2), (2, 11, 9)
    assert one_to_one(candidates(*rows)).rows() == [(1, 12), (2, 11)]


def test_a_record_may_have_a_partner_in_each_class() -> None:
    rows = candidates((1, 11, 5), (1, 21, 5)).with_columns(right_class=pl.Series(["b", "c"]))
    assert one_to_one(rows).rows() == [(1, 11), (1, 21)]


@settings(max_examples=50, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 9), st.integers(10, 19)), max_size=40), st.randoms(use_true_random=False))
def test_pairing_is_maximal_one_to_one_and_independent_of_order(pairs: set[tuple[int, int]], random: object) -> None:
    rows = [(left, right, (left * 7 + right * 3) % 5) for left, right in sorted(pairs)]
    found = one_to_one(candidates(*rows))
    assert found["left"].is_unique().all()
    assert found["right"].is_unique().all()
    assert found.equals(one_to_one(candidates(*rows[::-1])))
    free = [row for row in rows if row[0] not in found["left"] and row[1] not in found["right"]]
    assert free == []


def test_groups_are_named_by_their_smallest_member() -> None:
    pairs = pl.DataFrame({"left": [4, 1, 3], "right": [3, 2, 2]})
    assert groups(6, pairs).tolist() == [0, 1, 1, 1, 1, 5]
    assert groups(2, pairs.clear()).tolist() == [0, 1]


def test_a_long_chain_is_one_group() -> None:
    chain = pl.DataFrame({"left": range(999), "right": range(1, 1000)})
    assert set(groups(1000, chain.sample(fraction=1, shuffle=True, seed=1)).tolist()) == {0}
