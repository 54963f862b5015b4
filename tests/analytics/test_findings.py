"""Findings: each difference named and sized."""

from decimal import Decimal
from typing import Any

from tests.analytics.billing import at, billed, traced

from tokenpnl_analytics.closing.reconcile import reconcile


def named(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return reconcile(traced(*ours), billed(*theirs), "2026-10").findings.to_dicts()


def on(day: int, **told: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"started_at": at(day), **told}, {"day": at(day).date(), **told}


def test_a_day_without_traces_is_one_finding_over_all_models() -> None:
    models = [on(9, model=name, tokens=10, usd="1")[1] for name in ("a1", "b2", "c3")]
    (found,) = named([], models)
    assert (found["step"], found["first_day"], found["last_day"]) == ("coverage", at(9).date(), at(9).date())
    assert (found["model"], found["n_models"], found["tokens"], found["amount_usd"]) == (None, 3, 30, Decimal(3))


def test_a_model_that_is_never_traced_is_one_finding_over_all_days() -> None:
    (found,) = named([], [on(day, tokens=10, usd="1")[1] for day in (3, 9, 20)])
    assert (found["model"], found["tokens"]) == ("gpt-5.4", 30)
    assert (found["first_day"], found["last_day"]) == (at(3).date(), at(20).date())


def test_what_is_traced_twice_stands_apart_from_what_is_not_traced() -> None:
    twice, once = on(3, tokens=20, usd="2")[0], on(3, tokens=10, usd="1")[1]
    found = named([twice], [once, on(9, tokens=5, usd="0.5")[1]])
    assert [(row["tokens"], row["amount_usd"]) for row in found] == [(-10, Decimal(-1)), (5, Decimal("0.5"))]


def test_a_price_that_drifts_from_a_day_on_is_named_with_its_ratio() -> None:
    ours, theirs = zip(*(on(day, tokens=10, usd="1") for day in (3, 9, 20)), strict=True)
    dearer = [row | {"usd": "1.1"} if row["day"].day >= 9 else row for row in theirs]
    (found,) = named(list(ours), dearer)
    assert (found["step"], found["model"], found["ratio"]) == ("price", "gpt-5.4", 1.1)
    assert (found["first_day"], found["last_day"], found["amount_usd"]) == (at(9).date(), at(20).date(), Decimal("0.2"))


def test_a_model_without_price_has_no_ratio() -> None:
    (found,) = named([{"tokens": 10, "cost_source": "unpriced"}], [{"tokens": 10, "usd": "1"}])
    assert (found["step"], found["ratio"]) == ("price", None)


def test_charges_are_named_in_the_words_of_the_invoice_largest_first() -> None:
    found = named(
        [],
        [
            {"charge_category": "Credit", "usd": "-3", "description": "Promotion"},
            {"charge_category": "Tax", "usd": "12.40", "description": "Sales tax"},
        ],
    )
    assert [(row["step"], row["detail"], row["amount_usd"]) for row in found] == [
        ("fees_and_tax", "Sales tax", Decimal("12.4")),
        ("credits", "Promotion", Decimal(-3)),
    ]


def test_less_than_half_a_cent_is_not_named() -> None:
    assert named([{"tokens": 10, "usd": "1"}], [{"tokens": 10, "usd": "1.004"}]) == []


def test_a_move_to_the_next_day_is_sized_though_it_adds_nothing() -> None:
    late = {"started_at": at(3, 23), "tokens": 10, "usd": "1"}
    (found,) = named([late, on(4, tokens=10, usd="1")[0]], [on(4, tokens=20, usd="2")[1]])
    assert (found["step"], found["size_usd"], found["amount_usd"]) == ("timing", Decimal(1), Decimal(0))
