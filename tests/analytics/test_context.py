"""Where a model call stands: step, agent, owners, evaluation."""

from typing import Any

from tests.analytics.spans import chat, frame, run, span

from tokenpnl_analytics.resolving.resolve import resolve


def placed(*rows: dict[str, Any], at: str = "a") -> dict[str, Any]:
    attempts = resolve(frame(*rows)).attempts
    return next(row for row in attempts.iter_rows(named=True) if row["span_id"] == at)


def test_the_step_is_the_nearest_step_span() -> None:
    rows = run(), span("outer", "run", step_name="plan"), span("inner", "outer", step_name="draft"), chat("a", "inner")
    assert placed(*rows)["step"] == "draft"


def test_without_a_step_it_is_the_agent_else_the_operation_without_the_model() -> None:
    agent = span("agent", "run", operation="agent", agent_name="Reviewer")
    assert placed(run(), agent, chat("a", "agent"))["step"] == "Reviewer"
    assert placed(run(), chat("a", "run"))["step"] == "chat"
    assert placed(run(), chat("a", "run", name="gpt-5-mini"))["step"] == "inference"


def test_a_tool_above_the_call_is_its_step() -> None:
    tool = span("tool", "run", operation="tool", tool_name="web_search")
    assert placed(run(), tool, chat("a", "tool"))["step"] == "web_search"


def test_a_step_above_the_run_says_nothing_about_the_run() -> None:
    rows = span("batch", step_name="nightly"), run("run", "batch", run_id="r1"), chat("a", "run")
    assert placed(*rows)["step"] == "chat"


def test_a_workflow_inside_a_run_is_a_step_of_it_unless_it_has_a_run_id() -> None:
    inner = run("inner", "run", workflow_name="lookup")
    assert placed(run(), inner, chat("a", "inner"))["step"] == "lookup"
    assert placed(run(), inner, chat("a", "inner"))["workflow"] == "support_reply"
    named = run("inner", "run", workflow_name="lookup", run_id="r2")
    assert placed(run(), named, chat("a", "inner"))["workflow"] == "lookup"


def test_owners_come_from_the_nearest_that_has_them() -> None:
    rows = (
        run(customer_id="acme", feature="inbox", environment="production"),
        span("step", "run", step_name="draft", customer_id="globex"),
        chat("a", "step", user_id="u1"),
    )
    told = placed(*rows)
    assert (told["customer_id"], told["feature"], told["environment"], told["user_id"]) == (
        "globex",
        "inbox",
        "production",
        "u1",
    )


def test_the_nearest_step_decides_about_evaluation() -> None:
    judge = span("judge", "run", operation="evaluation", took=20)
    assert placed(run(), judge, chat("a", "judge"))["evaluation"] == "inline"
    guard = span("guard", "run", step_kind="guardrail", step_name="safety", took=20)
    assert placed(run(), guard, chat("a", "guard"))["evaluation"] == "inline"
    inside = span("fix", "judge", step_name="fix")
    assert placed(run(), judge, inside, chat("a", "fix"))["evaluation"] is None
    assert placed(run(), chat("a", "run", step_kind="evaluation"))["evaluation"] == "inline"


def test_evaluation_after_the_run_or_outside_any_run_is_offline() -> None:
    judge = span("judge", "run", operation="evaluation", at=150)
    assert placed(run(), judge, chat("a", "judge", at=151))["evaluation"] == "offline"
    alone = span("judge", operation="evaluation")
    told = placed(alone, chat("a", "judge"))
    assert (told["evaluation"], told["run_id"]) == ("offline", None)


def test_a_call_whose_trace_hangs_on_nothing_is_an_orphan_without_run() -> None:
    told = placed(chat("a", "never_came"))
    assert (told["run_id"], told["workflow"], told["flags"], told["input_total_tokens"]) == (None, None, "orphan", 100)
