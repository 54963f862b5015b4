"""Traceloop."""

from tests.ingest.raw_spans import row_of


def test_traceloop_bedrock_leaves_the_cache_out_and_strips_the_vendor_of_the_model() -> None:
    row = row_of(
        {
            "gen_ai.system": "AWS",
            "gen_ai.request.model": "claude-sonnet-5",
            "llm.request.type": "chat",
            "gen_ai.usage.input_tokens": 101,
            "gen_ai.usage.cache_read_input_tokens": 1009,
            "gen_ai.usage.cache_creation_input_tokens": 714,
            "gen_ai.usage.output_tokens": 53,
        },
        scope="opentelemetry.instrumentation.bedrock",
    )
    assert (row["provider"], row["operation"], row["input_tokens"], row["flags"]) == ("aws", "inference", 1824, "")


def test_traceloop_workflow_agent_and_tool_are_named_by_their_entity() -> None:
    named = {"traceloop.entity.name": "triage", "traceloop.workflow.name": "support"}
    kinds = {kind: row_of({"traceloop.span.kind": kind, **named}) for kind in ("workflow", "agent", "tool", "task")}
    assert [row["operation"] for row in kinds.values()] == ["workflow", "agent", "tool", "other"]
    assert kinds["workflow"]["workflow_name"] == kinds["agent"]["agent_name"] == kinds["tool"]["tool_name"] == "triage"
    assert kinds["task"]["step_name"] == "triage"
