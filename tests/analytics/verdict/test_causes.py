"""The two largest reversible causes of a step: each call under one cause, each dollar exact."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from tests.analytics.conftest import START, attempts_of

from tokenpnl_analytics.verdict.causes import SHOWN, causes, named

ANSWERS = {
    "tenant": pl.String(),
    "attempt_id": pl.String(),
    "near_overlap": pl.Float64(),
    "context_overlap": pl.Float64(),
}
DETAILS = {"trace_id": pl.String(), "span_id": pl.String(), "output_hash": pl.String(), "route_arm": pl.String()}
COMPARED = {"workflow": pl.String(), "step": pl.String(), "dearer": pl.String(), "same": pl.Boolean()}


def caused(*calls: dict[str, Any], outcome: str = "success", same: bool = False) -> pl.DataFrame:
    """Return `named` of calls a minute apart; each may say `output_hash`, `route_arm`, `overlap`."""
    of_span = ("output_hash", "route_arm", "overlap")
    rows = [{name: value for name, value in call.items() if name not in of_span} for call in calls]
    named_rows = [
        {
            "attempt_id": f"a{k}",
            "span_id": f"s{k}",
            "started_at": START + timedelta(minutes=k),
            "cost_category": "productive",
        }
        | row
        for k, row in enumerate(rows)
    ]
    details = [("t1", f"s{k}", call.get("output_hash"), call.get("route_arm")) for k, call in enumerate(calls)]
    answers = [("default", f"a{k}", call.get("overlap"), None) for k, call in enumerate(calls)]
    runs = pl.DataFrame({"tenant": ["default"], "run_id": ["r1"], "settled": [True], "outcome": [outcome]})
    compared = [("support_reply", "draft", "large", True)] if same else []
    return named(
        attempts_of(*named_rows),
        runs,
        pl.DataFrame(details, schema=DETAILS, orient="row"),
        pl.DataFrame(answers, schema=ANSWERS, orient="row"),
        pl.DataFrame(compared, schema=COMPARED, orient="row"),
    )


def found(*calls: dict[str, Any], **more: Any) -> dict[str, str]:
    return dict(caused(*calls, **more).select("attempt_id", "cause").iter_rows())


def test_a_category_names_its_cause() -> None:
    categories = ("loop", "schema_violation", "retry", "timeout", "productive", "evaluation")
    assert found(*({"cost_category": name} for name in categories)) == {
        "a0": "repeated_call",
        "a1": "invalid_output",
        "a2": "failed_attempt",
        "a3": "failed_attempt",
    }


def test_only_the_repeats_with_the_answer_of_the_first_time_are_repeats() -> None:
    again = {"prompt_hash": "p", "output_hash": "o"}
    assert found(again, again, again | {"output_hash": "x"}, again) == {
        "a1": "repeated_answer",
        "a3": "repeated_answer",
    }
    assert found(again, again, outcome="failure") == {}


def test_a_prompt_that_hardly_differs_is_context_sent_again() -> None:
    assert found({"overlap": 0.89}, {"overlap": 0.9}) == {"a1": "context_resent"}


def test_the_dearer_model_is_a_cause_only_where_a_cheaper_one_did_as_well() -> None:
    assert found({"route_arm": "large"}, {"route_arm": "small"}, same=True) == {"a0": "dearer_model"}
    assert found({"route_arm": "large"}) == {}


def lines_of(*usd: tuple[str, str, str]) -> pl.DataFrame:
    rows = [("default", attempt, kind, Decimal(cost)) for attempt, kind, cost in usd]
    schema = {"tenant": pl.String, "attempt_id": pl.String, "usage_kind": pl.String, "cost_usd": pl.Decimal(38, 12)}
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_context_sent_again_costs_its_input_alone_and_a_failed_attempt_all() -> None:
    calls = caused({"overlap": 1.0}, {"cost_category": "timeout"})
    lines = lines_of(
        *(("a0", "input_uncached", "2"), ("a0", "output_text", "9")),
        ("a1", "input_uncached", "1"),
        ("a1", "output_text", "3"),
    )
    told = dict(causes(lines, calls).select("cause", "gross_usd").iter_rows())
    assert told == {"failed_attempt": Decimal(4), "context_resent": Decimal(2)}


def test_of_three_causes_the_two_dearest_are_shown() -> None:
    calls = caused({"cost_category": "loop"}, {"cost_category": "timeout"}, {"cost_category": "schema_violation"})
    lines = lines_of(("a0", "output_text", "1"), ("a1", "output_text", "3"), ("a2", "output_text", "2"))
    assert causes(lines, calls)["cause"].to_list() == ["failed_attempt", "invalid_output"]


def test_what_costs_nothing_known_is_no_cause() -> None:
    assert causes(lines_of(), caused({"cost_category": "timeout"})).is_empty()


@given(st.lists(st.tuples(st.sampled_from(["loop", "retry", "timeout", "productive"]), st.decimals(0, 99, places=12))))
def test_causes_never_cost_more_than_the_calls(calls: list[tuple[str, Decimal]]) -> None:
    if not calls:
        return
    frame = caused(*({"cost_category": category} for category, _ in calls))
    lines = lines_of(*((f"a{k}", "output_text", str(usd)) for k, (_, usd) in enumerate(calls)))
    told = causes(lines, frame)
    assert told.height <= SHOWN
    assert (told["gross_usd"].sum() or 0) == sum(usd for category, usd in calls if category != "productive")
