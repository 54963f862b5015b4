"""What a step is: glue by two independent signs, reasoning by positive evidence alone, held until two weeks agree."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl_analytics.rules.labels import Label, LabelsFile
from tokenpnl_analytics.verdict.classes import classes, evidence, held
from tokenpnl_analytics.verdict.comparisons import SCHEMA

FOUND = {
    "workflow": pl.String(),
    "step": pl.String(),
    "sign": pl.String(),
    "family": pl.String(),
    "holds": pl.Boolean(),
    "speaks_for": pl.String(),
}


def sign(family: str, holds: bool | None = True, speaks_for: str = "glue", step: str = "s") -> dict[str, Any]:
    told = {"workflow": "w", "step": step, "sign": family, "family": family}
    return told | {"holds": holds, "speaks_for": speaks_for}


def called(*signs: dict[str, Any]) -> dict[str, str]:
    found = classes(pl.DataFrame(signs, schema=FOUND))
    return dict(found.select("step", "class").iter_rows())


@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        ([sign("form"), sign("lookup")], "glue"),
        ([sign("form"), sign("form")], "unclassified"),
        ([sign("form"), sign("lookup", None)], "unclassified"),
        ([sign("cheaper", speaks_for="reasoning")], "reasoning"),
        ([sign("cheaper", holds=False, speaks_for="reasoning")], "unclassified"),
        ([sign("form"), sign("cheaper", speaks_for="reasoning")], "reasoning"),
        ([sign("form"), sign("lookup"), sign("label", speaks_for="reasoning")], "unclassified"),
    ],
    ids=["two families", "one family twice", "one unknown", "positive", "refuted", "one sign against", "contradicted"],
)
def test_a_class_follows_from_signs_of_different_families(signs: list[dict[str, Any]], expected: str) -> None:
    assert called(*signs) == {"s": expected}


SIGNS = st.lists(
    st.builds(
        sign,
        st.sampled_from(["form", "lookup", "context", "cheaper", "label"]),
        st.sampled_from([True, False, None]),
        st.sampled_from(["glue", "reasoning"]),
        st.sampled_from(["s", "t"]),
    ),
    min_size=1,
    max_size=8,
)


@given(SIGNS, st.data())
def test_removing_evidence_never_makes_a_step_reasoning_that_has_none_for_it(
    signs: list[dict[str, Any]], data: Any
) -> None:
    kept = data.draw(st.lists(st.sampled_from(signs), min_size=1, unique_by=id))
    proven = {row["step"] for row in kept if row["holds"] and row["speaks_for"] == "reasoning"}
    assert {step for step, name in called(*kept).items() if name == "reasoning"} <= proven


@given(SIGNS)
def test_removing_what_speaks_for_reasoning_leaves_none(signs: list[dict[str, Any]]) -> None:
    left = [row for row in signs if row["speaks_for"] == "glue"]
    assert "reasoning" not in called(*left).values()


@given(SIGNS, st.randoms(use_true_random=False))
def test_the_order_of_evidence_changes_nothing(signs: list[dict[str, Any]], random: Any) -> None:
    assert called(*random.sample(signs, len(signs))) == called(*signs)


def answered(n: int) -> pl.DataFrame:
    """Return n answers of w/s that nothing is known of."""
    unknown = {name: pl.Series([None] * n, dtype=dtype) for name, dtype in {
        "input_key": pl.String, "output_key": pl.String, "structured": pl.Boolean, "temperature": pl.Float64,
        "near_overlap": pl.Float64, "context_overlap": pl.Float64, "copied": pl.Boolean, "repair": pl.Boolean,
        "answer_tokens": pl.Int64}.items()}  # fmt: skip
    at = [datetime(2026, 10, 5, tzinfo=UTC)] * n
    named = {"workflow": ["w"] * n, "step": ["s"] * n, "started_at": at, "tool_choice": [False] * n}
    return pl.DataFrame(named | unknown)


def judged(label: str | None, *, low: float, high: float, evidence_word: str = "estimated") -> str:
    compared = ("w", "s", "small", "large", (low + high) / 2, low, high, 400, evidence_word, "m", None)
    labels = [Label(workflow="w", step="s", label=label, reviewer="ana", n_seen=20)] if label else []
    found = evidence(answered(30), pl.DataFrame([compared], schema=SCHEMA, orient="row"), LabelsFile(labels=labels))
    return str(classes(found)["class"].item())


def test_a_cheaper_model_that_surely_did_worse_is_positive_evidence() -> None:
    assert judged(None, low=-0.20, high=-0.01) == "reasoning"
    assert judged(None, low=-0.20, high=0.01) == "unclassified"
    assert judged(None, low=-0.20, high=-0.01, evidence_word="bounded") == "unclassified"


def test_a_cheaper_model_that_did_as_well_and_a_person_are_two_signs() -> None:
    assert judged(None, low=-0.02, high=0.02) == "unclassified"
    assert judged("glue", low=-0.02, high=0.02) == "glue"
    assert judged("glue", low=-0.03, high=0.02) == "unclassified"


def test_a_label_of_a_step_that_never_ran_counts_for_nothing() -> None:
    labels = LabelsFile(labels=[Label(workflow="w", step="gone", label="reasoning", reviewer="ana", n_seen=20)])
    found = evidence(answered(30), pl.DataFrame(schema=SCHEMA), labels)
    assert found["step"].unique().to_list() == ["s"]


@pytest.mark.parametrize(
    ("weeks", "expected"),
    [(["glue", "unclassified"], "glue"), (["glue", "reasoning", "reasoning"], "reasoning"), (["glue"] * 2, "glue")],
)
def test_a_class_changes_after_two_weeks_that_agree(weeks: list[str], expected: str) -> None:
    monday = datetime(2026, 10, 5, tzinfo=UTC)
    frame = pl.DataFrame(
        {
            "workflow": "w",
            "step": "s",
            "week": [monday + timedelta(weeks=k) for k in range(len(weeks))],
            "class": weeks,
            "n_known": 3,
        }
    )
    assert held(frame)["held"].to_list() == [expected]
