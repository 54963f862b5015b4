"""The steps of an agent: its model calls and its tools' executions, numbered in the order in which they began."""

from tests.analytics.contracts.desk import Row, agent, asked, facts, tool
from tests.analytics.spans import chat, run, span

from tokenpnl_analytics.contracts.steps import agent_steps


def stepped(*rows: Row, named: str = "buyer") -> list[tuple[int, str]]:
    told = facts(*rows)
    found = agent_steps(told.spans, told.calls, told.runs, [named])
    return [(row["step_number"], row["span_id"]) for row in found.steps.to_dicts()]


def test_calls_and_tools_are_steps_and_the_agent_span_is_none() -> None:
    assert stepped(run(), agent(), asked("a", at=1), tool("b", at=2), asked("c", at=3)) == [
        (1, "a"),
        (2, "b"),
        (3, "c"),
    ]


def test_a_step_belongs_to_the_nearest_agent() -> None:
    inner = agent("inner", "agent", agent_name="clerk")
    assert stepped(run(), agent(), inner, asked("a", "inner", at=1), asked("b", at=2)) == [(1, "b")]


def test_work_outside_of_the_agent_is_no_step_of_it() -> None:
    assert stepped(run(), agent(), asked("a", at=1), chat("b", "run", at=2)) == [(1, "a")]


def test_without_a_named_agent_the_workflow_stands_for_it() -> None:
    assert stepped(run(), chat("a", "run", at=1), named="support_reply") == [(1, "a")]


def test_two_attempts_of_one_call_are_one_step() -> None:
    failed = chat("a", "agent", at=1, usage=None, status_code="error", http_status=500, call_id="c", attempt_number=1)
    again = asked("b", at=3, call_id="c", attempt_number=2)
    assert stepped(run(), agent(), failed, again) == [(1, "a")]


def test_one_execution_told_by_two_libraries_is_one_step() -> None:
    nested = tool("b", "a", at=1.1, scope_name="other")
    beside = tool("d", at=4.1, tool_call_id="call_7", scope_name="other")
    rows = run(), agent(), tool("a", at=1), nested, tool("c", at=4, tool_call_id="call_7"), beside, asked("e", at=6)
    assert stepped(*rows) == [(1, "a"), (2, "c"), (3, "e")]


def test_steps_are_counted_by_run() -> None:
    second = {"trace_id": "t2"}
    other = run("run2", **second), agent("agent2", "run2", **second), asked("b", "agent2", **second)
    assert stepped(run(), agent(), asked("a"), *other) == [(1, "a"), (1, "b")]


def test_no_span_has_no_step() -> None:
    told = facts(run(), asked("a", "run"))
    found = agent_steps(told.spans.clear(), told.calls.clear(), told.runs.clear(), ["buyer"])
    assert (found.steps.height, found.agents.height) == (0, 0)


def test_a_call_within_a_tool_is_not_the_agents_own() -> None:
    told = facts(run(), agent(), asked("a", at=1), tool("t", at=2), asked("b", "t", at=2.1), span("s", "agent"))
    found = agent_steps(told.spans, told.calls, told.runs, ["buyer"])
    assert dict(found.steps.select("span_id", "own").iter_rows()) == {"a": True, "t": True, "b": False}
