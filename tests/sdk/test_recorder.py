from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry.trace import SpanKind

import tokenpnl
from tokenpnl.testing import Recording, reraise


def test_a_run_span_says_who_and_what_for(recorded: Recording) -> None:
    block = tokenpnl.workflow(
        "support_reply",
        run_id="r-1",
        customer="acme",
        feature="inbox",
        user="u-1",
        session="s-1",
        attributes={"tokenpnl.synthetic": True},
    )
    with block as run:
        assert (run.id, run.workflow) == ("r-1", "support_reply")
    span = recorded.span("invoke_workflow support_reply")
    assert span.kind is SpanKind.INTERNAL
    assert dict(span.attributes) == {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": "support_reply",
        "tokenpnl.run.id": "r-1",
        "tokenpnl.customer.id": "acme",
        "tokenpnl.feature": "inbox",
        "user.id": "u-1",
        "gen_ai.conversation.id": "s-1",
        "tokenpnl.synthetic": True,
    }


def test_a_run_without_an_id_gets_a_uuid(recorded: Recording) -> None:
    with tokenpnl.workflow("a") as run:
        assert len(run.id) == 36
    assert recorded.span("invoke_workflow a").attributes["tokenpnl.run.id"] == run.id


def test_the_parts_of_a_run_carry_its_id_customer_and_feature_and_are_no_runs(recorded: Recording) -> None:
    run = tokenpnl.workflow("a", run_id="r-1", customer="acme", feature="inbox", user="u-1")
    with run, tokenpnl.step("plan", "agent"), tokenpnl.tool("search"):
        pass
    for span in recorded.spans[:-1]:
        told = span.attributes
        assert (told["tokenpnl.run.id"], told["tokenpnl.customer.id"], told["tokenpnl.feature"]) == (
            "r-1",
            "acme",
            "inbox",
        )
        assert "gen_ai.workflow.name" not in told
        assert told["gen_ai.operation.name"] != "invoke_workflow"


def test_a_workflow_inside_a_run_is_a_step_of_it(recorded: Recording) -> None:
    with tokenpnl.workflow("outer", run_id="r-1"), tokenpnl.workflow("inner") as inner:
        assert inner.id == "r-1"
    told = recorded.span("step inner").attributes
    assert dict(told) == {"tokenpnl.run.id": "r-1", "tokenpnl.step.name": "inner", "tokenpnl.step.kind": "other"}


def test_a_nested_workflow_cannot_tell_the_outer_runs_outcome(recorded: Recording) -> None:
    with reraise(wanted=False), tokenpnl.workflow("outer"), tokenpnl.workflow("inner") as inner:
        inner.outcome("success")
    assert all(not span.events for span in recorded.spans)


def test_a_workflow_with_an_id_of_its_own_is_a_run_inside_a_run(recorded: Recording) -> None:
    item_run = tokenpnl.workflow("item", run_id="r-2", feature="x")
    with tokenpnl.workflow("batch", customer="acme"), item_run, tokenpnl.step("plan"):
        pass
    item, plan = recorded.span("invoke_workflow item").attributes, recorded.span("step plan").attributes
    assert item["gen_ai.workflow.name"] == "item"
    assert (plan["tokenpnl.run.id"], plan["tokenpnl.customer.id"], plan["tokenpnl.feature"]) == ("r-2", "acme", "x")


def test_the_current_run_is_the_nearest_open_one(recorded: Recording) -> None:
    assert tokenpnl.current_run() is None
    with tokenpnl.workflow("a") as outer:
        with tokenpnl.workflow("b", run_id="r-2") as inner:
            assert tokenpnl.current_run() is inner
        assert tokenpnl.current_run() is outer


def test_an_agent_step_is_an_agent_of_the_convention(recorded: Recording) -> None:
    with tokenpnl.step("planner", "agent"):
        pass
    told = recorded.span("invoke_agent planner").attributes
    assert (told["gen_ai.operation.name"], told["gen_ai.agent.name"]) == ("invoke_agent", "planner")


def test_a_tool_span_fingerprints_arguments_and_result(recorded: Recording) -> None:
    @tokenpnl.tool("search", attributes={"gen_ai.tool.type": "function"})
    def search(query: str, limit: int = 3) -> str:
        return f"secret {query} {limit}"

    search("refund")
    search(query="refund", limit=3)
    search("other")
    first, same, other = (span.attributes for span in recorded.spans)
    assert first["gen_ai.operation.name"] == "execute_tool"
    assert first["tokenpnl.tool.arguments_hash"] == same["tokenpnl.tool.arguments_hash"]
    assert first["tokenpnl.tool.arguments_hash"] != other["tokenpnl.tool.arguments_hash"]
    assert first["tokenpnl.tool.result_hash"] == same["tokenpnl.tool.result_hash"]
    assert "refund" not in recorded.spans[0].to_json()


def test_the_tools_of_two_objects_have_equal_arguments(recorded: Recording) -> None:
    class Agent:
        @tokenpnl.tool("search")
        def search(self, query: str) -> str:
            return query

    Agent().search("x")
    Agent().search("x")
    first, second = (span.attributes["tokenpnl.tool.arguments_hash"] for span in recorded.spans)
    assert first == second


def test_a_tool_as_a_block_is_told_by_hand(recorded: Recording) -> None:
    with tokenpnl.tool("search", call_id="call_1") as search:
        search.arguments({"q": 1}).result([1]).cost_usd("0.02")
    told = recorded.span("execute_tool search").attributes
    assert (told["gen_ai.tool.call.id"], told["tokenpnl.cost_usd"]) == ("call_1", "0.02")


def test_a_retrieval_says_what_came_and_what_was_used(recorded: Recording) -> None:
    with tokenpnl.retrieval("kb") as found:
        found.documents(5, hit=True, used=3).citations(4, 3)
    assert dict(recorded.span("retrieval kb").attributes) == {
        "gen_ai.operation.name": "retrieval",
        "tokenpnl.step.name": "kb",
        "tokenpnl.step.kind": "retrieval",
        "tokenpnl.retrieval.documents": 5,
        "tokenpnl.retrieval.hit": True,
        "tokenpnl.retrieval.used": 3,
        "tokenpnl.citations.total": 4,
        "tokenpnl.citations.valid": 3,
    }


@pytest.mark.parametrize(("found", "hit"), [([], False), (["a", "b"], True)])
def test_a_decorated_retrieval_counts_what_it_returned(recorded: Recording, found: list[str], hit: bool) -> None:
    tokenpnl.retrieval("kb")(lambda: found)()
    told = recorded.span("retrieval kb").attributes
    assert (told["tokenpnl.retrieval.documents"], told["tokenpnl.retrieval.hit"]) == (len(found), hit)


def test_runs_in_threads_do_not_mix(recorded: Recording) -> None:
    def work(n: int) -> None:
        with tokenpnl.workflow("a", run_id=f"r-{n}"), tokenpnl.step(f"s-{n}"):
            pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(50)))
    steps = [span for span in recorded.spans if span.name.startswith("step")]
    assert all(span.attributes["tokenpnl.run.id"][2:] == span.name[7:] for span in steps)
    assert len(steps) == 50
