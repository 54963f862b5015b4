"""The bridge sums to the change of cost to the last digit, and each reason has its own bar."""

from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.planning.variance import BARS, bridge, cells, whole

SCHEMA = {
    "workflow": pl.String, "model": pl.String, "n_calls": pl.Int64, "direct_tokens": pl.Int64, "tokens": pl.Int64,
    "direct_lines": pl.Int64, "n_lines": pl.Int64, "n_unpriced_lines": pl.Int64, "direct_usd": MONEY, "cost_usd": MONEY,
}  # fmt: skip


def cell(calls: int, tokens: int, direct: str, cost: str, *, workflow: str = "w", model: str | None = "m") -> Any:
    return (workflow, model, calls, tokens, tokens, calls, calls, 0, Decimal(direct), Decimal(cost))


def frame(*rows: Any) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=SCHEMA, orient="row")


def bars(before: pl.DataFrame, after: pl.DataFrame) -> dict[str, Decimal]:
    total = whole(bridge(before, after)).row(0, named=True)
    return {name.removesuffix("_usd"): total[name] for name in BARS if total[name]}


BASE = cell(100, 1000, "10", "10")


@pytest.mark.parametrize(
    ("after", "reason", "change"),
    [
        (cell(200, 2000, "20", "20"), "volume", 10),  # twice the calls
        (cell(100, 2000, "20", "20"), "volume", 10),  # twice the tokens a call
        (cell(100, 1000, "15", "15"), "rate", 5),  # a dearer token
        (cell(100, 1000, "10", "12.5"), "waste", 2.5),  # a fifth of the cost is lost
        (cell(100, 1000, "0", "10"), None, 0),  # the same cost, all of it lost: nothing moved
        (cell(100, 1000, "0", "30"), "waste", 20),
        (cell(100, 1000, "0", "0"), "rate", -10),  # it became free
    ],
)
def test_one_reason_alone_has_the_whole_change(after: Any, reason: str | None, change: float):
    assert bars(frame(BASE), frame(after)) == ({reason: Decimal(str(change))} if reason else {})


def test_volume_tells_calls_from_tokens_a_call():
    row = bridge(frame(BASE), frame(cell(100, 2000, "20", "20"))).row(0, named=True)
    assert (row["calls_usd"], row["tokens_per_call_usd"]) == (0, 10)


def test_a_move_between_models_is_mix():
    cheap = [cell(calls, calls * 10, str(calls // 10), str(calls // 10), model="cheap") for calls in (90, 10)]
    dear = [cell(calls, calls * 10, str(calls), str(calls), model="dear") for calls in (10, 90)]
    found = bars(frame(cheap[0], dear[0]), frame(cheap[1], dear[1]))
    assert found == {"mix": Decimal(9 - 90 + 90 - 9 + 72)}  # 19 before, 91 after


def test_volume_is_each_workflow_s_own():
    before = frame(cell(90, 90, "9", "9", workflow="a"), cell(10, 10, "10", "10", workflow="b"))
    after = frame(cell(10, 10, "1", "1", workflow="a"), cell(90, 90, "90", "90", workflow="b"))
    assert bridge(before, after)["volume_usd"].to_list() == [Decimal(-8), Decimal(80)]
    assert bars(before, after) == {"volume": Decimal(72)}


def test_a_new_and_an_ended_workflow_have_bars_of_their_own():
    before, after = (
        frame(BASE, cell(5, 50, "7", "7", workflow="old")),
        frame(BASE, cell(5, 50, "3", "3", workflow="new")),
    )
    assert bars(before, after) == {"new": Decimal(3), "ended": Decimal(-7)}


def test_a_new_model_in_a_workflow_that_was_there_is_mix():
    before, after = frame(cell(100, 1000, "10", "10")), frame(BASE, cell(50, 500, "4", "4", model="n"))
    found = bars(before, after)
    assert sum(found.values()) == 4
    # 100 calls became 150: volume; of these the old model has two thirds and the new one a third: mix.
    assert found["volume"] == pytest.approx(Decimal("4.054651081082"), abs=Decimal("1e-11"))  # 10 ln 1.5
    assert found["mix"] == 4 - found["volume"]


def test_fees_follow_the_calls_of_their_workflow():
    fee = [("w", None, 0, 0, 0, n, n, 0, Decimal(n), Decimal(n)) for n in (10, 20)]
    before, after = frame(BASE, fee[0]), frame(cell(200, 2000, "20", "20"), fee[1])
    assert bars(before, after) == {"volume": Decimal(20)}


def test_two_factors_are_split_by_the_logarithmic_mean():
    # 10 -> 40 by twice the calls and twice the price: 30 / ln 4 x ln 2 each.
    assert bars(frame(BASE), frame(cell(200, 2000, "40", "40"))) == {"volume": 15, "rate": 15}


def test_unpriced_cost_is_told_beside():
    unpriced = ("w", "x", 1, 10, 10, 1, 1, 1, Decimal(0), Decimal(0))
    row = bridge(frame(BASE), frame(cell(99, 990, "9.9", "9.9"), unpriced)).row(0, named=True)
    assert row["priced_share_before"] == 1
    assert row["priced_share_after"] == 0.99


def test_cells_are_made_of_lines_and_calls():
    sums = pl.DataFrame(
        [
            ("w", "m", "input_uncached", "productive", 90, 2, 0, Decimal(3)),
            ("w", "m", "output_text", "timeout", 10, 1, 0, Decimal(2)),
            ("w", None, "fee", "productive", 1, 1, 1, None),
        ],
        schema={
            "workflow": pl.String, "model": pl.String, "usage_kind": pl.String, "cost_category": pl.String,
            "quantity": pl.Int64, "n_lines": pl.Int64, "n_unpriced_lines": pl.Int64, "cost_usd": MONEY,
        },
        orient="row",
    )  # fmt: skip
    calls = pl.DataFrame({"workflow": ["w", "v"], "model": ["m", "c"], "n_attempts": [3, 1], "n_calls": [2, 1]})
    assert cells(sums, calls).rows() == [
        ("v", "c", 1, 0, 0, 0, 0, 0, Decimal(0), Decimal(0)),
        ("w", "m", 2, 90, 100, 2, 3, 0, Decimal(3), Decimal(5)),
        ("w", None, 0, 0, 0, 1, 1, 1, Decimal(0), Decimal(0)),
    ]


MONEYS = st.decimals(0, 1000, places=12, allow_nan=False)


@st.composite
def periods(draw: st.DrawFn) -> pl.DataFrame:
    rows = []
    for workflow, model in draw(st.sets(st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y", None])))):
        calls, tokens = draw(st.integers(0, 50)), draw(st.integers(0, 5000))
        direct_tokens = draw(st.integers(0, tokens))
        direct, lost = draw(MONEYS), draw(MONEYS)
        lines = calls + draw(st.integers(0, 3))
        rows.append((workflow, model, calls, direct_tokens, tokens, lines, lines, 0, direct, direct + lost))
    return frame(*rows)


@settings(max_examples=40)
@given(periods(), periods())
def test_the_bars_sum_to_the_change_of_cost(before: pl.DataFrame, after: pl.DataFrame):
    split = bridge(before, after)
    for row in split.iter_rows(named=True):
        assert sum(row[name] for name in BARS) == row["change_usd"] == row["after_usd"] - row["before_usd"]
    assert split["change_usd"].sum() == after["cost_usd"].sum() - before["cost_usd"].sum()


@settings(max_examples=40)
@given(periods(), periods(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(before: pl.DataFrame, after: pl.DataFrame, chance: Any):
    turned = [part.sample(fraction=1, shuffle=True, seed=chance.randint(0, 99)) for part in (before, after)]
    assert _near(bridge(*turned), bridge(before, after))


@settings(max_examples=40)
@given(periods(), periods())
def test_periods_exchanged_give_the_same_with_the_other_sign(before: pl.DataFrame, after: pl.DataFrame):
    back = bridge(after, before)
    mirrored = back.with_columns(
        *(-pl.col(name) for name in BARS[:4]),
        (-pl.col("new_usd")).alias("ended_usd"),
        (-pl.col("ended_usd")).alias("new_usd"),
    )
    assert _near(mirrored, bridge(before, after))


@settings(max_examples=40)
@given(periods())
def test_a_period_compared_with_itself_has_no_change(period: pl.DataFrame):
    assert bars(period, period) == {}


def _near(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    pairs = zip(one.select(BARS).rows(), other.select(BARS).rows(), strict=True)
    return all(abs(a - b) < Decimal("1e-6") for left, right in pairs for a, b in zip(left, right, strict=True))
