"""Rows of the statement become the steps and shares that figures draw."""

from decimal import Decimal

import polars as pl
import pytest
from tests.dashboard.frames import book_of

from tokenpnl.model import CostCategory
from tokenpnl_analytics.statement import cost_by_category, statement
from tokenpnl_dashboard.shapes import figures

GRAIN = ["usage_kind", "cost_category", "served_reason"]


@pytest.fixture(scope="module")
def sums() -> pl.DataFrame:
    return book_of(60).query("line_item_sums", by=["workflow", *GRAIN])


def test_the_ladder_leads_from_effective_to_productive_cost_without_a_remainder(sums: pl.DataFrame) -> None:
    steps = {row["line"]: row for row in figures.ladder(statement(sums)).to_dicts()}
    taken_off = sum(
        (row["amount_usd"] for line, row in steps.items() if not row["total"] and line != "discount"), Decimal(0)
    )
    assert steps["effective"]["amount_usd"] - taken_off == steps[CostCategory.PRODUCTIVE]["amount_usd"]
    assert steps["list"]["amount_usd"] - steps["discount"]["amount_usd"] == steps["effective"]["amount_usd"]


def test_categories_without_cost_have_no_step(sums: pl.DataFrame) -> None:
    assert CostCategory.IDLE_CAPACITY not in figures.ladder(statement(sums))["line"].to_list()


def test_shares_of_a_row_add_up_to_all_of_it(sums: pl.DataFrame) -> None:
    shares = figures.shares(cost_by_category(sums, ["workflow"]), "workflow", top=8)
    assert shares.group_by("row").agg(pl.col("share").sum())["share"].to_list() == pytest.approx([1.0, 1.0, 1.0])


def test_only_the_dearest_rows_are_kept_and_the_dearest_is_first(sums: pl.DataFrame) -> None:
    shares = figures.shares(cost_by_category(sums, ["workflow"]), "workflow", top=1)
    assert shares["row"].unique().to_list() == figures.dearest(sums, "workflow", most=1).to_list()


def test_folding_keeps_every_dollar(sums: pl.DataFrame) -> None:
    folded = figures.folded(sums, "workflow", figures.dearest(sums, "workflow", most=1))
    assert folded["workflow"].n_unique() == 2
    assert folded["cost_usd"].sum() == sums["cost_usd"].sum()


def test_an_unnamed_value_can_be_among_the_dearest() -> None:
    frame = pl.DataFrame({"customer_id": [None, "acme"], "cost_usd": [Decimal(2), Decimal(1)]})
    assert figures.folded(frame, "customer_id", figures.dearest(frame, "customer_id", most=1))[
        "customer_id"
    ].to_list() == [
        None,
        figures.OTHERS,
    ]


def test_nothing_before_gives_no_change() -> None:
    assert figures.relative_change(Decimal(3), Decimal(2)) == 0.5
    assert figures.relative_change(Decimal(3), Decimal(0)) is None
    assert figures.relative_change(Decimal(3), None) is None


def test_a_share_of_nothing_is_unknown() -> None:
    assert figures.share(Decimal(1), Decimal(4)) == 0.25
    assert figures.share(Decimal(0), Decimal(0)) is None
    assert figures.share(None, Decimal(4)) is None


def dots(**columns: object) -> dict[str, object]:
    usual = {
        "workflow": "desk", "cost_usd": Decimal(9), "settled_usd": Decimal(2), "at_least_usd": None,
        "settled_successes": 40, "priced_share": 1.0, "low": 1.5, "high": 2.5, "caveats": "", "to_date_usd": Decimal(2),
        "method": "t", "n_settled": 50, "window_days": 1.0,
    }  # fmt: skip
    schema = dict.fromkeys(("settled_usd", "at_least_usd"), pl.Decimal(38, 12))
    return figures.unit_dots(pl.DataFrame([usual | columns], schema_overrides=schema)).row(0, named=True)


def test_of_few_successes_the_lower_limit_is_drawn_as_a_floor() -> None:
    found = dots(settled_successes=4, at_least_usd=Decimal("0.9"), high=None)
    assert (found["estimate"], found["at_least"]) == (0.9, True)
    assert (dots()["estimate"], dots()["at_least"]) == (2.0, False)


def test_partly_priced_usage_is_a_floor_at_the_figure_itself() -> None:
    found = dots(priced_share=0.9, at_least_usd=Decimal(2))
    assert (found["estimate"], found["at_least"]) == (2.0, True)


def test_without_a_price_no_dot_is_drawn() -> None:
    assert (dots(settled_usd=Decimal(0))["estimate"], dots(settled_usd=Decimal(0))["note"]) == (
        None,
        "no price is known",
    )
