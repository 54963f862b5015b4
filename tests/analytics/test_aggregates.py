"""Usage that only a parent tells."""

from typing import Any

from tests.analytics.spans import chat, frame, run, span

from tokenpnl_analytics.resolving.resolve import Resolution, resolve


def agent(span_id: str, parent: str | None, usage: tuple[int, int], **columns: Any) -> dict[str, Any]:
    told = {
        "input_tokens": usage[0],
        "output_tokens": usage[1],
        "operation": "agent",
        "agent_name": span_id,
        "took": 50,
    }
    return span(span_id, parent, **(told | columns))


def books(*rows: dict[str, Any]) -> Resolution:
    return resolve(frame(run(), *rows))


def billed(*rows: dict[str, Any]) -> list[tuple[str, int, bool]]:
    attempts = books(*rows).attempts.sort("span_id")
    return [
        (row["span_id"], row["input_total_tokens"], "usage_inferred" in row["flags"])
        for row in attempts.iter_rows(named=True)
    ]


def test_a_root_that_repeats_its_children_adds_nothing() -> None:
    children = [chat(f"c{n}", "root", usage=(tokens, 0), at=n) for n, tokens in enumerate((3031, 4421, 10_709, 11_738))]
    rows = agent("root", "run", (29_899, 0)), *children
    assert sum(tokens for _, tokens, _ in billed(*rows)) == 29_899
    assert books(*rows).duplicates.select("span_id", "carried_by_span_id", "rule").rows() == [("root", "c3", "leaf")]


def test_where_nothing_below_tells_usage_the_parents_is_the_usage() -> None:
    assert billed(agent("root", "run", (500, 50)), span("child", "root")) == [("root", 500, True)]


def test_where_a_call_below_lacks_its_usage_it_takes_the_parents() -> None:
    assert billed(agent("root", "run", (500, 50)), chat("child", "root", usage=None)) == [("child", 500, True)]


def test_the_remainder_of_the_same_emitter_counts_as_one_inferred_call() -> None:
    rows = agent("root", "run", (500, 50)), chat("child", "root", usage=(300, 20))
    assert billed(*rows) == [("child", 300, False), ("root", 200, True)]


def test_a_remainder_of_another_emitter_counts_nothing() -> None:
    rows = agent("root", "run", (500, 50), scope_name="framework"), chat("child", "root", usage=(300, 20))
    assert billed(*rows) == [("child", 300, False)]


def test_a_parent_that_repeats_only_the_last_step_counts_nothing() -> None:
    rows = (
        agent("root", "run", (173, 23)),
        chat("first", "root", usage=(131, 17)),
        chat("second", "root", usage=(173, 23), at=4),
    )
    assert billed(*rows) == [("first", 131, False), ("second", 173, False)]


def test_nested_aggregates_are_settled_from_below() -> None:
    rows = agent("root", "run", (600, 0)), agent("sub", "root", (500, 0)), chat("child", "sub", usage=(300, 0))
    assert billed(*rows) == [("child", 300, False), ("root", 100, True), ("sub", 200, True)]


def test_a_call_that_failed_takes_nothing() -> None:
    rows = agent("root", "run", (500, 50)), chat("child", "root", usage=None, status_code="error", error_type="500")
    assert billed(*rows) == [("child", None, False), ("root", 500, True)]
