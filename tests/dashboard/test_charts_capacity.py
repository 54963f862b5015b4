"""The figure of what pools cost."""

from decimal import Decimal

import polars as pl

from tokenpnl_dashboard.charts import theme
from tokenpnl_dashboard.charts.capacity import paid_and_idle

POOLS = pl.DataFrame(
    {
        "pool": ["llama", "phones"],
        "paid_usd": [Decimal("100.00"), Decimal("0.50")],
        "allocated_usd": [Decimal("25.00"), Decimal("0.50")],
        "idle_usd": [Decimal("75.00"), Decimal(0)],
    }
)


def test_a_bar_is_what_was_allocated_and_what_was_idle() -> None:
    chart = paid_and_idle(POOLS, theme.ink("light"))
    allocated, idle = chart.figure.data
    assert (list(allocated.x), list(idle.x)) == ([25.0, 0.5], [75.0, 0.0])


def test_its_words_and_its_table_say_the_same() -> None:
    chart = paid_and_idle(POOLS, theme.ink("dark"))
    assert chart.alt == "What each pool cost. llama $100.00, 75% idle; phones $0.5000, 0% idle."
    assert chart.table.rows()[0] == ("llama", "$100.00", "$25.00", "$75.00")
