"""Findings and verdicts in words."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tokenpnl_dashboard.closing import reconcile_words

ROW: dict[str, Any] = {
    "provider": "openai", "account": "(all)", "model": "gpt-5.4", "n_models": 1, "first_day": date(2026, 10, 7),
    "last_day": date(2026, 10, 7), "amount_usd": Decimal("12.40"), "size_usd": Decimal("12.40"), "tokens": 1_234_567,
    "ratio": None, "detail": None,
}  # fmt: skip

TWICE = "spans may count twice (a proxy and an SDK both instrumented), or the invoice is not complete"
UNTOLD = "the invoice tells no tokens; give the provider's usage report too"


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"step": "fees_and_tax", "detail": "Tax"}, "Tax of $12.40 is on the invoice and not in the traces"),
        ({"step": "coverage"}, "1,234,567 tokens of gpt-5.4 were billed on 7 Oct 2026 and not traced: $12.40"),
        (
            {"step": "coverage", "model": None, "n_models": 3, "last_day": date(2026, 10, 9), "tokens": None},
            "Usage of 3 models was billed on 7 Oct 2026 to 9 Oct 2026 and not traced: $12.40",
        ),
        (
            {"step": "coverage", "amount_usd": Decimal(-2), "tokens": -50},
            f"50 tokens of gpt-5.4 were traced on 7 Oct 2026 and not billed: ($2.00); {TWICE}",
        ),
        (
            {"step": "price", "ratio": 1.1, "last_day": date(2026, 10, 31)},
            "gpt-5.4 was billed at 1.1 times the traced price on 7 Oct 2026 to 31 Oct 2026: $12.40",
        ),
        ({"step": "price"}, "gpt-5.4 has no price in the traces and was billed $12.40 on 7 Oct 2026"),
        (
            {"step": "credits", "detail": "Promotion", "amount_usd": Decimal(-5), "size_usd": Decimal(5)},
            "Promotion of $5.00 is on the invoice and not in the traces",
        ),
        (
            {"step": "credits", "amount_usd": Decimal(-5), "tokens": 10},
            "10 tokens of gpt-5.4 were billed at nothing on 7 Oct 2026: ($5.00)",
        ),
        ({"step": "commitment", "detail": "PTU"}, "PTU of $12.40 is a commitment on the invoice"),
        (
            {"step": "commitment", "detail": "amortised in the books", "amount_usd": Decimal("-12.40")},
            "$12.40 of commitments is amortised in the books",
        ),
        (
            {"step": "fx_residual", "detail": "EUR"},
            "EUR at the rate of the invoice's date instead of the month's average: $12.40",
        ),
        (
            {"step": "timing", "last_day": date(2026, 10, 8), "amount_usd": Decimal(0)},
            "$12.40 of gpt-5.4 traced on 7 Oct 2026 was billed on 8 Oct 2026; net $0 in the month",
        ),
        (
            {"step": "unexplained"},
            f"$12.40 of gpt-5.4 on 7 Oct 2026 cannot be explained: {UNTOLD}",
        ),
    ],
)
def test_a_finding_names_what_it_is_and_how_large(told: dict[str, Any], sentence: str) -> None:
    assert reconcile_words.finding(ROW | told) == sentence


VERDICT: dict[str, Any] = {
    "spread_usd": Decimal(0),
    "provider": "openai", "account": "proj_a", "passed": True, "needs_reason": True, "residual_usd": Decimal(3),
    "tolerance_usd": Decimal(50), "daily_residual_usd": Decimal(4), "daily_tolerance_usd": Decimal(5),
    "unexplained_usd": Decimal(2), "unexplained_limit_usd": Decimal(1), "coverage_share": 0.995,
    "price_accuracy": None, "matched_share": 0.5, "level": "day",
}  # fmt: skip


def test_a_verdict_tells_its_limits_and_what_it_rests_on() -> None:
    assert reconcile_words.verdict(VERDICT) == (
        "openai, account proj_a: within tolerance. Residual $3.00 (limit $50.00); by day and model $4.00 (limit $5.00)"
        "; unexplained $2.00, over $1.00: closes with a signed reason only. Coverage 99.5% of the billed tokens; price "
        "accuracy – on 50% of the usage billed; matched by day, because the invoice tells no model."
    )


def test_every_step_has_a_name_and_a_meaning() -> None:
    assert reconcile_words.STEP.keys() == reconcile_words.STEP_MEANING.keys()


def test_a_verdict_says_what_was_spread_over_days() -> None:
    told = reconcile_words.verdict(VERDICT | {"spread_usd": Decimal(12)})
    assert "$12.00 of the usage is billed in rows of more than a day, spread over their days by hours" in told
