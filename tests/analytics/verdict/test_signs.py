"""Signs of glue: the numbers, and when they hold."""

from datetime import UTC, datetime, timedelta

import polars as pl

from tokenpnl_analytics.verdict.signs import SIGN, measures

START = datetime(2026, 10, 5, tzinfo=UTC)


def answered(inputs: list[str], outputs: list[str], **more: object) -> pl.DataFrame:
    n = len(inputs)
    told = {"structured": True, "temperature": 0.0, "answer_tokens": 5, "near_overlap": 0.1} | more
    return pl.DataFrame(
        {
            "workflow": ["w"] * n,
            "step": ["s"] * n,
            "started_at": [START + timedelta(minutes=place) for place in range(n)],
            "input_key": inputs,
            "output_key": outputs,
            **{name: [value] * n for name, value in told.items()},
            "tool_choice": [False] * n,
            "context_overlap": [0.1] * n,
            "copied": [False] * n,
            "repair": [False] * n,
        }
    )


def sign(frame: pl.DataFrame, name: str) -> dict[str, object]:
    return measures(frame, ["workflow", "step"]).filter(pl.col("sign") == name).row(0, named=True)


def test_an_input_that_comes_again_and_gets_the_same_answer_is_a_lookup() -> None:
    # 10 inputs, 4 times each: 30 of 40 answers repeat an earlier one.
    found = sign(answered([f"i{k % 10}" for k in range(40)], [f"o{k % 10}" for k in range(40)]), "lookup")
    assert (found["value"], found["n"], found["holds"]) == (0.75, 40, True)


def test_the_same_input_with_other_answers_is_no_lookup() -> None:
    assert sign(answered([f"i{k % 10}" for k in range(40)], [f"o{k}" for k in range(40)]), "lookup")["holds"] is False


def test_a_long_answer_at_temperature_zero_is_not_short() -> None:
    inputs = [f"i{k}" for k in range(40)]
    assert sign(answered(inputs, inputs), "short_structured")["holds"] is True
    assert sign(answered(inputs, inputs, answer_tokens=2000), "short_structured")["holds"] is False


def test_fewer_than_twenty_answers_say_nothing() -> None:
    inputs = [f"i{k}" for k in range(19)]
    assert sign(answered(inputs, ["yes"] * 19), "few_outputs")["holds"] is None


def test_a_label_counts_once_because_it_is_short_and_one_of_few() -> None:
    assert SIGN["few_outputs"].family == SIGN["short_structured"].family
