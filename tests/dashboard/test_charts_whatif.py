"""Figures of the what-if lab: what they show, and what they say to who cannot see them."""

from decimal import Decimal

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl_analytics.whatif.result import Estimate, Evidence, Result
from tokenpnl_dashboard.charts import whatif
from tokenpnl_dashboard.charts.theme import LIGHT

NOT_KNOWN = Estimate(None, None, None, 10, "", refused_because="nobody tried")


def result(name: str, saving: float | None, *, evidence: Evidence = Evidence.ASSUMED) -> Result:
    usd = None if saving is None else Decimal(str(saving))
    estimate = Estimate(saving, None if saving is None else saving - 1, None if saving is None else saving + 1, 10, "x")
    return Result(
        *(name, "swap", evidence, Evidence.NOT_IDENTIFIABLE, Decimal(10), None if usd is None else 10 - usd, usd),
        *(estimate, NOT_KNOWN, NOT_KNOWN, NOT_KNOWN, 5, 1.0),
    )


def test_savings_are_told_by_the_month_with_their_interval_and_evidence() -> None:
    chart = whatif.savings([result("cheaper", 4.0), result("refused", None)], LIGHT, per_month=2.0)
    assert chart.table["Saving a month"].to_list() == ["$8.00", "–"]
    assert chart.table["Interval"].to_list() == ["95% interval $6.00 to $10.00", "no interval"]
    assert "cheaper: <b>$8.00</b> a month  ($6.00 to $10.00), assumed" in chart.alt


def test_a_loss_lies_left_of_zero_and_zero_is_always_shown() -> None:
    chart = whatif.savings([result("dearer", -4.0)], LIGHT, per_month=1.0)
    low, high = chart.figure.layout.xaxis.range
    assert low < -5 < 0 < high


@given(st.lists(st.decimals(-50, 50, places=2), min_size=1, max_size=6))
def test_the_bars_of_a_composition_hang_from_each_other_and_end_where_the_last_stands(savings: list[Decimal]) -> None:
    now = Decimal(100)
    after = now - sum(savings)
    steps = pl.DataFrame(
        {
            "title": ["now", *map(str, range(len(savings))), "after"],
            "total": [True, *[False] * len(savings), True],
            "amount_usd": [now, *savings, after],
        }
    )
    [bars] = whatif.combined(steps, LIGHT).figure.data
    ends = [(base, base + width) for base, width in zip(bars.base, bars.x, strict=True)]
    level = 100.0
    for saving, (low, high) in zip(savings, ends[1:-1], strict=True):
        assert abs((high if saving >= 0 else low) - level) < 1e-6
        level -= float(saving)


def test_the_widest_assumption_stands_first() -> None:
    rows = [
        {"assumption": "narrow", "low": 4.0, "base": 5.0, "high": 6.0},
        {"assumption": "wide", "low": 9.0, "base": 5.0, "high": 1.0},
    ]
    assert whatif.tornado(rows, LIGHT).table["Assumption"].to_list() == ["wide", "narrow"]


def test_a_choice_whose_success_nobody_knows_is_in_the_table_only() -> None:
    points = [
        {"name": "present", "usd": 1.0, "success": 0.8, "on_frontier": True, "note": ""},
        {"name": "unknown", "usd": 0.5, "success": None, "on_frontier": False, "note": "not known"},
    ]
    chart = whatif.frontier(points, LIGHT)
    assert chart.table["Choice"].to_list() == ["present", "unknown"]
    assert "unknown" not in chart.alt


def test_a_miss_ratio_curve_says_its_ends() -> None:
    curve = pl.DataFrame({"capacity": [1, 100], "miss_ratio": [1.0, 0.25]})
    assert "from 100% at 1 entries to 25% at 100" in whatif.miss_ratio(curve, LIGHT, unit="entries").alt
