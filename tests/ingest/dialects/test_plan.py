"""The table of names: every name means one column, and unknown names are judged once."""

from tokenpnl.tables import SPANS
from tokenpnl_ingest.dialects.aliases import ALIASES, IGNORED_USAGE, RESOURCE_COLUMNS
from tokenpnl_ingest.dialects.operations import operation_of
from tokenpnl_ingest.dialects.plan import PLANS, plan_for


def test_every_alias_is_of_a_column_and_no_name_means_two() -> None:
    names = [name.partition("|")[0] for listed in ALIASES.values() for name in listed]
    assert set(ALIASES) | set(RESOURCE_COLUMNS) <= set(SPANS.names)
    assert len(names) == len(set(names))
    assert IGNORED_USAGE.isdisjoint(names)


def test_an_unknown_name_is_remembered() -> None:
    plan = plan_for("acme.unheard.of")
    assert PLANS["acme.unheard.of"] is plan
    assert (plan.column, plan.content, plan.counts) == (None, None, False)


def test_settings_and_aggregates_are_no_usage() -> None:
    for name in (
        "gen_ai.request.max_tokens",
        "anthropic.thinking.budget_tokens",
        "gen_ai.aggregated_usage.input_tokens",
    ):
        assert not plan_for(name).counts
    assert plan_for("acme.usage.thinking_tokens").counts


def test_operations_fold_and_unknown_words_do_not() -> None:
    assert [operation_of(word) for word in ("LLM", "execute_tool", "reranker", "acme", None)] == [
        "inference",
        "tool",
        "rerank",
        None,
        None,
    ]
