"""What a change measured reads as words: no column or option as the program calls it."""

from decimal import Decimal

import polars as pl

from tokenpnl_dashboard.shapes.measured_tables import measured


def test_options_and_columns_are_words_and_an_unknown_is_a_dash() -> None:
    frame = pl.DataFrame(
        {
            "option": ["present", "managed_api"],
            "usd": [Decimal("92.44"), None],
            "n": [1725, 1725],
            "latency_p50_ms": [1501.0, None],
            "priced_share": [1.0, 0.5],
        }
    )
    assert measured(frame).to_dicts() == [
        {"Option": "As now", "Cost in the window": "$92.44", "Calls": "1,725", "Latency, half below": "1.5 s",
         "Priced share": "100%"},
        {"Option": "Managed API", "Cost in the window": "–", "Calls": "1,725", "Latency, half below": "–",
         "Priced share": "50%"},
    ]  # fmt: skip


def test_a_column_that_nobody_filled_is_left_out() -> None:
    frame = pl.DataFrame({"k": [1], "region": [None]}, schema={"k": pl.Int64, "region": pl.String})
    assert measured(frame).to_dicts() == [{"Attempt": "1"}]


def test_lifetimes_and_ratios_have_their_units() -> None:
    frame = pl.DataFrame({"ttl_s": [300.0], "input_ratio": [1.25], "hazard": [0.886], "after": ["invalid_output"]})
    assert measured(frame).to_dicts() == [
        {"Lifetime": "5 min 00 s", "Input tokens, times": "1.25", "Answered": "89%", "After": "invalid output"}
    ]
