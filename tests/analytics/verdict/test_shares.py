"""Five shares of what settled runs cost: nothing lost, nothing counted twice, reasoning never what is left over."""

from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl.model import CostCategory
from tokenpnl_analytics.verdict.shares import IDLE, SHARES, dollars

LINE = {
    "tenant": pl.String(),
    "attempt_id": pl.String(),
    "run_id": pl.String(),
    "workflow": pl.String(),
    "step": pl.String(),
    "cost_category": pl.String(),
    "usage_kind": pl.String(),
    "cost_source": pl.String(),
    "cost_usd": pl.Decimal(38, 12),
}
CLASS = {"workflow": pl.String(), "step": pl.String(), "class": pl.String()}
RUN = {"tenant": pl.String(), "run_id": pl.String(), "workflow": pl.String(), "settled": pl.Boolean()}


def line(**told: Any) -> dict[str, Any]:
    usual = {"tenant": "t", "attempt_id": "a", "run_id": "r", "workflow": "w", "step": "s"}
    return (
        usual
        | {
            "cost_category": "productive",
            "usage_kind": "input_uncached",
            "cost_usd": Decimal(1),
            "cost_source": "computed",
        }
        | told
    )


def parts(lines: list[dict[str, Any]], classes: dict[str, str], *, idle: str = "0", settled: bool = True) -> Any:
    """Return the five parts of runs r (settled as said) and q (never settled)."""
    attempts = pl.DataFrame(
        {"tenant": ["t", "t"], "attempt_id": ["a", "tool"], "operation": ["inference", "tool"]}
    )  # fmt: skip
    runs = pl.DataFrame([("t", "r", "w", settled), ("t", "q", "w", False)], schema=RUN, orient="row").with_columns(
        pl.lit(Decimal(idle), pl.Decimal(38, 12)).alias("capacity_share_usd")
    )
    known = pl.DataFrame([("w", step, name) for step, name in classes.items()], schema=CLASS, orient="row")
    return dollars(pl.DataFrame(lines, schema=LINE), attempts, runs, known)


def of(found: pl.DataFrame) -> dict[str, Decimal]:
    return {name: found[f"{name}_usd"].sum() for name in SHARES}


def test_each_dollar_goes_where_its_category_and_its_step_say() -> None:
    lines = [
        line(step="plan", cost_usd=Decimal(1)),
        line(step="label", cost_usd=Decimal(2)),
        line(step="draft", cost_usd=Decimal(4)),
        line(step="plan", cost_category="timeout", cost_usd=Decimal(8)),
        line(step="plan", cost_category="evaluation", cost_usd=Decimal(16)),
        line(step="plan", attempt_id="tool", cost_usd=Decimal(32)),
        line(step="label", cost_category="fallback", cost_usd=Decimal(64)),
    ]
    found = of(parts(lines, {"plan": "reasoning", "label": "glue", "draft": "unclassified"}, idle="128"))
    told = {"reasoning": 1, "glue": 66, "unclassified": 4, "waste": 8, "other": 16 + 32 + 128}
    assert found == {name: Decimal(usd) for name, usd in told.items()}


def test_a_step_without_a_class_is_unclassified_and_an_unsettled_run_counts_nowhere() -> None:
    found = parts([line(step=None), line(run_id="q", cost_usd=Decimal(9))], {})
    assert of(found) == dict.fromkeys(SHARES, Decimal(0)) | {"unclassified": Decimal(1)}


def test_an_unpriced_line_is_counted_and_costs_nothing_known() -> None:
    found = parts(
        [line(), line(cost_usd=None, cost_source="unpriced"), line(cost_usd=None, cost_source="gpu")], {"s": "glue"}
    )
    assert found.select("glue_usd", "n_lines", "n_unpriced").row(0) == (Decimal(1), 3, 1)


def test_idle_capacity_is_a_row_of_its_own() -> None:
    assert parts([line()], {}, idle="3")["step"].to_list() == [IDLE, "s"]


LINES = st.lists(
    st.builds(
        line,
        step=st.sampled_from(["plan", "label", "draft", None]),
        run_id=st.sampled_from(["r", "q", None]),
        attempt_id=st.sampled_from(["a", "tool", None]),
        cost_category=st.sampled_from([category.value for category in CostCategory]),
        usage_kind=st.sampled_from(["input_uncached", "output_text", "fee"]),
        cost_usd=st.none() | st.decimals(0, 10**6, places=12),
    ),
    max_size=20,
)
CLASSES = st.dictionaries(
    st.sampled_from(["plan", "label"]), st.sampled_from(["reasoning", "glue", "unclassified"]), max_size=2
)


@given(LINES, CLASSES, st.decimals(0, 1000, places=12))
def test_the_five_parts_are_the_cost_of_settled_runs_to_the_last_digit(
    lines: list[dict[str, Any]], classes: dict[str, str], idle: Decimal
) -> None:
    found = parts(lines, classes, idle=str(idle))
    paid = sum((row["cost_usd"] or Decimal(0) for row in lines if row["run_id"] == "r"), Decimal(0)) + idle
    assert sum(of(found).values()) == paid == found["total_usd"].sum()


@given(LINES, CLASSES, st.randoms(use_true_random=False))
def test_the_order_of_lines_changes_nothing(lines: list[dict[str, Any]], classes: dict[str, str], random: Any) -> None:
    shuffled = random.sample(lines, len(lines))
    assert parts(shuffled, classes).equals(parts(lines, classes))


@given(LINES)
def test_without_a_step_that_is_reasoning_no_dollar_is(lines: list[dict[str, Any]]) -> None:
    assert of(parts(lines, {"plan": "glue"}))["reasoning"] == 0
