"""A threshold at every height: exact money, and always between the coin and the oracle."""

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.whatif.routing.curves import Kind, Strong, chosen_of, goes_strong, threshold_curve

from .pairs import pairs

known = st.lists(
    st.tuples(st.one_of(st.none(), st.integers(0, 9).map(lambda x: x / 10)), st.integers(0, 1), st.integers(0, 1)),
    min_size=1,
    max_size=12,
).filter(lambda rows: any(row[0] is not None for row in rows))


def test_a_router_pays_one_model_and_a_cascade_both() -> None:
    route, cascade = (threshold_curve(pairs(), "confidence", kind=kind) for kind in (Kind.ROUTE, Kind.CASCADE))
    assert route["cost_usd"].to_list() == [Decimal(c) for c in ("0.05", "0.14", "0.23", "0.32", "0.41", "0.50")]
    assert cascade["cost_usd"].to_list() == [Decimal(c) for c in ("0.05", "0.15", "0.25", "0.35", "0.45", "0.55")]
    assert route["successes"].to_list() == [2, 2, 3, 4, 4, 4]


def test_a_threshold_lies_halfway_between_two_scores() -> None:
    thresholds = threshold_curve(pairs(), "confidence")["threshold"].to_list()
    assert thresholds[0] is None
    assert thresholds[1:] == pytest.approx([0.15, 0.3, 0.6, 0.85, 1.9])


def test_difficulty_is_confidence_turned_round() -> None:
    turned = pairs().with_columns(difficulty=1 - pl.col("confidence"))
    above = threshold_curve(turned, "difficulty", strong=Strong.ABOVE)
    assert above["successes"].to_list() == threshold_curve(pairs(), "confidence")["successes"].to_list()
    assert above["threshold"].to_list()[1] == pytest.approx(0.85)


def test_what_has_no_score_goes_to_the_strong_model_first() -> None:
    rows = threshold_curve(pairs([(None, 0, 1), (0.5, 1, 1)]), "confidence").rows(named=True)
    assert [row["n_strong"] for row in rows] == [0, 1, 2]
    assert rows[1]["threshold"] == 0.5


def test_a_table_without_any_score_is_refused() -> None:
    with pytest.raises(RefusedInputError, match="log the score"):
        threshold_curve(pairs([(None, 0, 1)]).with_columns(pl.col("confidence").cast(pl.Float64)), "confidence")


@given(rows=known)
def test_no_threshold_beats_the_oracle_and_both_ends_are_the_models(rows: list[tuple[float | None, int, int]]) -> None:
    curve = threshold_curve(pairs(rows).with_columns(pl.col("confidence").cast(pl.Float64)), "confidence")
    assert (curve["success_share"] <= curve["oracle_success_share"] + 1e-9).all()
    assert curve["successes"][0] == sum(weak for _, weak, _ in rows)
    assert curve["successes"][-1] == sum(strong for *_, strong in rows)
    assert curve["random_success_share"][-1] == pytest.approx(curve["success_share"][-1])
    assert curve["cost_usd"][-1] == Decimal("0.10") * len(rows)


@given(rows=known, kind=st.sampled_from(Kind))
def test_a_threshold_does_to_tasks_what_its_row_says(rows: list[tuple[float | None, int, int]], kind: Kind) -> None:
    typed = pairs(rows).with_columns(pl.col("confidence").cast(pl.Float64))
    for row in threshold_curve(typed, "confidence", kind=kind).iter_rows(named=True):
        made = chosen_of(typed, goes_strong(pl.col("confidence"), row["threshold"], Strong.BELOW), kind)
        assert made["to_strong"].sum() == row["n_strong"]
        assert made["cost_usd"].sum() == row["cost_usd"]
        assert made["success"].sum() == row["successes"]
