"""The map of cost without direct result shows each category with its workflows, in the category's colour."""

from decimal import Decimal

import polars as pl

from tokenpnl_dashboard.charts import theme
from tokenpnl_dashboard.charts.theme import LIGHT
from tokenpnl_dashboard.charts.waste import waste_map

COSTS = pl.DataFrame(
    {
        "cost_category": ["failed_run", "timeout", "failed_run"],
        "workflow": ["review", "review", "reply"],
        "cost_usd": [Decimal(6), Decimal(3), Decimal(1)],
    },
    schema_overrides={"cost_usd": pl.Decimal(38, 12)},
)


def test_a_category_is_as_large_as_its_workflows_together() -> None:
    tree = waste_map(COSTS, LIGHT).figure.data[0]
    sizes = dict(zip(tree.ids, tree.values, strict=True))
    assert sizes["failed_run"] == sizes["failed_run/review"] + sizes["failed_run/reply"] == 7


def test_an_area_has_the_colour_of_its_category_and_leads_to_its_workflow() -> None:
    tree = waste_map(COSTS, LIGHT).figure.data[0]
    place = list(tree.ids).index("failed_run/reply")
    assert tree.marker.colors[place] == theme.COLOUR["failed_run"]
    assert list(tree.customdata[place]) == ["failed_run", "reply"]
