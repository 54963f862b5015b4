"""Which span carries the bill, within one trace."""

import polars as pl
from tests.analytics.spans import chat, frame, run, span

from tokenpnl_analytics.resolving.bill import bearers
from tokenpnl_analytics.resolving.forest import forest
from tokenpnl_analytics.resolving.resolve import resolve


def billed(*rows: dict[str, object]) -> list[tuple[str, int]]:
    books = resolve(frame(*rows))
    return sorted(books.attempts.select("span_id", "input_total_tokens").rows())


def repeated(*rows: dict[str, object]) -> list[tuple[str, str, str]]:
    return resolve(frame(*rows)).duplicates.select("span_id", "carried_by_span_id", "rule").rows()


def test_the_lowest_model_span_carries_the_bill() -> None:
    rows = run(), chat("framework", "run"), chat("provider", "framework", scope_name="sdk")
    assert billed(*rows) == [("provider", 100)]
    assert repeated(*rows) == [("framework", "provider", "leaf")]


def test_a_wrapper_of_several_calls_is_superfluous_even_when_it_knows_only_the_last() -> None:
    rows = (
        run(),
        chat("loop", "run", usage=(173, 23), took=9),
        chat("first", "loop", usage=(131, 17), at=1),
        chat("second", "loop", usage=(173, 23), at=4),
    )
    assert billed(*rows) == [("first", 131), ("second", 173)]
    assert repeated(*rows) == [("loop", "second", "leaf")]


def test_a_model_call_below_a_tool_is_work_of_its_own() -> None:
    rows = (
        run(),
        chat("outer", "run", usage=(50, 5), finish_reason="tool_calls"),
        span("tool", "outer", operation="tool", scope_name="other"),
        chat("inner", "tool", usage=(70, 7)),
    )
    assert billed(*rows) == [("inner", 70), ("outer", 50)]


def test_an_embedding_inside_a_chat_span_is_a_call_of_its_own() -> None:
    rows = run(), chat("chat", "run"), chat("lookup", "chat", usage=(9, 0), operation="embedding")
    assert billed(*rows) == [("chat", 100), ("lookup", 9)]


def test_usage_that_only_the_wrapper_knows_belongs_to_the_call_below() -> None:
    rows = run(), chat("framework", "run"), chat("provider", "framework", usage=None, scope_name="sdk")
    assert billed(*rows) == [("provider", 100)]


def test_the_record_that_knows_more_wins_and_the_rest_is_united() -> None:
    rows = (
        run(),
        chat("framework", "run", usage=(1824, 53), reasoning_tokens=7, cache_reported=False, scope_name="one"),
        chat(
            "provider",
            "framework",
            usage=(1824, 53),
            cache_read_tokens=1009,
            cache_write_5m_tokens=503,
            cache_write_1h_tokens=211,
            reasoning_reported=False,
            scope_name="two",
        ),
    )
    attempt = resolve(frame(*rows)).attempts.row(0, named=True)
    assert attempt["input_uncached_tokens"] == 101
    assert attempt["input_cache_write_1h_tokens"] == 211
    assert attempt["output_reasoning_tokens"] == 7
    assert attempt["flags"] == "duplicate_merged"


def test_a_tool_that_the_client_ran_inside_a_model_span_hides_a_call() -> None:
    hiding = run(), chat("auto", "run", took=5), span("tool", "auto", operation="tool", at=1)
    assert resolve(frame(*hiding)).attempts["flags"].to_list() == ["usage_partial"]
    looping = (*hiding, chat("next", "run", at=5.2))
    assert resolve(frame(*looping)).attempts["flags"].to_list() == ["", ""]


def test_requests_belong_to_the_model_span_that_made_them() -> None:
    trees = forest(
        frame(
            chat("a"),
            span("post", "a", operation="http"),
            span("nested", "post", operation="http"),
            span("elsewhere", operation="http"),
        )
    )
    owners = trees.spans.select("span_id", owner=pl.Series(bearers(trees).http_owner))
    assert owners.filter(pl.col("owner") != trees.size)["span_id"].to_list() == ["post"]
