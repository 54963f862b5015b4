"""The diagram of allocation: explicit colours, what nobody owns apart, the same numbers as a table."""

import polars as pl
from tests.analytics.line_rows import lines_of

from tokenpnl_analytics.finance.allocation import allocate, flows
from tokenpnl_analytics.rules.allocation import ALLOCATION
from tokenpnl_dashboard.charts.allocation import NOBODY, OWNER, SHARED, WORKFLOW, money_flow
from tokenpnl_dashboard.charts.theme import LIGHT

RULES = ALLOCATION.parse(
    "rules:\n"
    "  - {name: a, workflow: a, owner: {org: Acme, team: A, product: Ay}}\n"
    "  - {name: platform, workflow: platform, share: {split: even}}\n"
)
LINES = lines_of(
    {"workflow": "a", "usd": "1"}, {"workflow": "platform", "usd": "2"}, {"workflow": "x" * 40, "usd": "3"}
)
CHART = money_flow(flows(allocate(LINES, RULES), most=9), LIGHT)
SANKEY = CHART.figure.data[0]


def test_nodes_have_their_own_colours() -> None:
    colour = dict(zip((label.split("<br>")[0] for label in SANKEY.node.label), SANKEY.node.color, strict=True))
    assert (colour["a"], colour["platform"], colour["A"], colour["Ay"]) == (WORKFLOW, SHARED, OWNER, OWNER)
    assert colour["(unallocated)"] == NOBODY


def test_a_node_says_what_passes_through_it() -> None:
    assert "A<br>$3.00" in SANKEY.node.label
    assert f"{'x' * 25}…<br>$3.00" in SANKEY.node.label


def test_links_carry_the_money() -> None:
    assert sorted(SANKEY.link.value) == [1.0, 2.0, 3.0, 3.0]
    assert len(set(SANKEY.link.color)) == 4


def test_the_same_numbers_stand_in_a_table_and_in_words() -> None:
    assert CHART.table.columns == ["From", "To", "USD"]
    assert CHART.table.filter(pl.col("From") == "platform")["USD"].to_list() == ["$2.00"]
    assert "platform to A $2.00" in CHART.alt


def test_nothing_to_draw_is_a_figure_too() -> None:
    assert money_flow(flows(allocate(LINES.clear(), RULES), most=9), LIGHT).table.is_empty()
