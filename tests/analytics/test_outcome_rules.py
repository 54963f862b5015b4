"""Rules derive an outcome where nobody stated one, by the definition that held when the run started."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from tests.analytics.spans import chat, frame, run, span

from tokenpnl.tables import EVALUATIONS, OUTCOMES
from tokenpnl_analytics.books import keep_books
from tokenpnl_analytics.frames import empty, schema_of
from tokenpnl_analytics.resolving.resolve import resolve
from tokenpnl_analytics.rules.outcomes import OUTCOMES as FILE
from tokenpnl_analytics.rules.outcomes import OutcomesFile
from tokenpnl_analytics.unit_cost.outcome_rules import (
    NO_DEFINITION,
    definition_changes,
    definitions,
    definitions_in,
    needs_attributes,
    ruled_outcomes,
    windows_of,
)

HEAD = "workflows:\n- {workflow: support_reply, owner: desk, success: solved, values: {success: 3.10}, rules: "
JUDGED = "{when: {evaluation: answer_ok, score_at_least: 0.8}, outcome: success, reason: judged}"
FAILED = "{when: {status: error}, outcome: failure}"


def rules_of(*rules: str) -> OutcomesFile:
    return FILE.parse(f"{HEAD}[{', '.join(rules)}]}}")


def scores(*told: dict[str, Any]) -> pl.DataFrame:
    usual = dict.fromkeys(EVALUATIONS.names) | {
        "tenant": "default", "trace_id": "t1", "span_id": "run", "name": "answer_ok", "batch_no": 1,
        "evaluated_at": datetime(2026, 11, 1, tzinfo=UTC),
    }  # fmt: skip
    rows = [usual | {"content_hash": f"e{number}"} | one for number, one in enumerate(told)]
    return pl.DataFrame(rows, schema=schema_of(EVALUATIONS), orient="row")


def ruled(spans: list[dict[str, Any]], rules: OutcomesFile, evaluations: pl.DataFrame | None = None) -> pl.DataFrame:
    table = frame(*spans)
    resolution = resolve(table)
    told = empty(EVALUATIONS) if evaluations is None else evaluations
    return ruled_outcomes(resolution.runs, table, told, rules, homes=resolution.homes)


def statuses(spans: list[dict[str, Any]], rules: OutcomesFile, *told: dict[str, Any]) -> list[tuple[str, str]]:
    return ruled(spans, rules, scores(*told)).select("run_id", "status").rows()


def test_the_status_of_the_run_span_decides_when_the_run_ended() -> None:
    found = ruled([run(status_code="error"), chat("a", "run")], rules_of(FAILED)).row(0, named=True)
    assert (found["run_id"], found["status"], found["source"], found["value_given"]) == ("t1", "failure", "rule", False)
    assert found["effective_at"] == resolve(frame(run(), chat("a", "run"))).runs["ended_at"].item()


def test_a_workflow_without_a_definition_derives_nothing() -> None:
    others = FILE.parse(f"{HEAD.replace('support_reply', 'another')}[{FAILED}]}}")
    assert ruled([run(status_code="error"), chat("a", "run")], others).is_empty()


def test_a_score_decides_at_the_time_of_the_evaluation() -> None:
    late = datetime(2026, 11, 9, tzinfo=UTC)
    found = ruled([run()], rules_of(JUDGED), scores({"score": 0.8, "evaluated_at": late})).row(0, named=True)
    assert (found["status"], found["score"], found["reason"]) == ("success", 0.8, "judged")
    assert found["effective_at"] == late


def test_of_several_scores_the_newest_counts() -> None:
    newer = datetime(2026, 11, 2, tzinfo=UTC)
    assert statuses([run()], rules_of(JUDGED), {"score": 0.9}, {"score": 0.1, "evaluated_at": newer}) == []


def test_a_score_below_a_threshold_or_a_label_decides_too() -> None:
    low = "{when: {evaluation: answer_ok, score_below: 0.5}, outcome: failure}"
    labelled = "{when: {evaluation: answer_ok, label: [good, fine]}, outcome: success}"
    assert statuses([run()], rules_of(low, labelled), {"score": 0.4, "label": "good"}) == [("t1", "failure")]
    assert statuses([run()], rules_of(low, labelled), {"score": 0.6, "label": "fine"}) == [("t1", "success")]
    assert statuses([run()], rules_of(low, labelled), {"label": "bad"}) == []


def test_a_score_finds_its_run_by_the_answer_it_judges() -> None:
    spans = [run(), chat("a", "run", response_id="resp-1")]
    by_answer = {"trace_id": None, "span_id": None, "response_id": "resp-1", "score": 1.0}
    assert statuses(spans, rules_of(JUDGED), by_answer) == [("t1", "success")]


def test_in_a_trace_of_several_runs_a_score_speaks_of_the_run_of_its_span() -> None:
    spans = [span("web"), run("r1", "web"), run("r2", "web"), chat("a", "r2", at=3)]
    assert statuses(spans, rules_of(JUDGED), {"span_id": "a", "score": 1.0}) == [("t1/r2", "success")]


def test_attributes_as_sent_and_columns_of_spans_are_read() -> None:
    sent = "{when: {attribute: app.result, equals: [solved, true]}, outcome: success}"
    column = "{when: {attribute: error_type}, outcome: failure}"
    told = rules_of(sent, column)
    assert statuses([run(attributes_json='{"app.result":true}')], told) == [("t1", "success")]
    assert statuses([run(attributes_json='{"app.result":"open"}', error_type="Timeout")], told) == [("t1", "failure")]
    assert statuses([run()], told) == []
    assert (needs_attributes(told), needs_attributes(rules_of(column))) == (True, False)


def test_a_rule_for_an_attribute_without_attributes_is_an_error() -> None:
    rules = rules_of("{when: {attribute: app.result}, outcome: success}")
    table = frame(run())
    with pytest.raises(ValueError, match="read the spans with attributes_json"):
        ruled_outcomes(resolve(table).runs, table.drop("attributes_json"), scores(), rules)


def test_the_first_rule_that_fits_wins() -> None:
    assert statuses([run(status_code="error")], rules_of(FAILED, JUDGED), {"score": 1.0}) == [("t1", "failure")]
    assert statuses([run(status_code="error")], rules_of(JUDGED, FAILED), {"score": 1.0}) == [("t1", "success")]


def test_the_version_that_held_at_the_start_of_the_run_decides() -> None:
    # The runs of `spans` start on 2026-09-21.
    entry = (
        "{{workflow: support_*, owner: o, success: s, from: {day}, rules: [{{when: {{status: unset}}, outcome: {o}}}]}}"
    )
    before, after = entry.format(day="2026-09-01", o="failure"), entry.format(day="2026-10-01", o="success")
    assert statuses([run()], FILE.parse(f"workflows: [{before}, {after}]")) == [("t1", "failure")]
    assert statuses([run()], FILE.parse(f"workflows: [{after}]")) == []


def booked(rows: Any, card: Any, *stated: dict[str, Any], rules: OutcomesFile) -> dict[str, Any]:
    outcomes = rows.outcomes(*({"run_id": "t1"} | one for one in stated)) if stated else empty(OUTCOMES)
    told = scores({"score": 1.0})
    books = keep_books(frame(run(), chat("a", "run")), outcomes, card, outcome_rules=rules, evaluations=told)
    return books.runs.row(0, named=True)


def test_a_stated_outcome_always_beats_a_rule(rows: Any, card: Any) -> None:
    early = {"status": "failure", "source": "user", "effective_at": datetime(2026, 1, 1, tzinfo=UTC)}
    found = booked(rows, card, early, rules=rules_of(JUDGED))
    assert (found["outcome"], found["outcome_source"], found["score"]) == ("failure", "user", None)
    assert booked(rows, card, rules=rules_of(JUDGED))["outcome_source"] == "rule"


def test_a_configured_value_stands_only_where_none_was_stated_or_removed(rows: Any, card: Any) -> None:
    rules = rules_of(JUDGED)

    def value(*stated: dict[str, Any]) -> tuple[Any, Any]:
        found = booked(rows, card, *stated, rules=rules)
        return found["value_usd"], found["value_source"]

    assert value() == (Decimal("3.10"), "default")
    assert value({"status": "success"}) == (Decimal("3.10"), "default")
    assert value({"status": "failure"}) == (None, None)
    assert value({"value_usd": Decimal(5), "value_given": True}) == (Decimal(5), "stated")
    assert value({"value_usd": None, "value_given": True}) == (None, None)


CHANGING = FILE.parse(
    "workflows:\n"
    "- {workflow: 'support_*', owner: desk, success: solved, window: 7d}\n"
    "- {workflow: 'support_*', owner: desk, success: solved at once, version: '2', from: 2026-10-01, window: 2d}\n"
    "- {workflow: contract_review, owner: legal, success: signed}\n"
)


def test_stated_windows_are_those_of_the_newest_version() -> None:
    assert windows_of(CHANGING) == {"support_*": timedelta(days=2)}


def test_a_workflow_without_a_definition_says_so() -> None:
    found = definitions(["support_reply", "kb_search", None], CHANGING, datetime(2026, 11, 1, tzinfo=UTC))
    assert found["definition"].to_list() == ["solved at once", NO_DEFINITION, NO_DEFINITION]
    assert found["window_hours"].to_list() == [48.0, None, None]


def test_a_workflow_knows_when_its_definition_changed() -> None:
    october, november = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
    names = ["support_reply", "contract_review", "kb_search", None]
    found = definitions_in(names, CHANGING, november, since=october, until=november)
    assert found["changed_on"].to_list() == [date(2026, 10, 1), None, None, None]
    assert definitions_in(names, CHANGING, november, since=november)["changed_on"].null_count() == 4


def test_changes_of_meaning_in_a_period_are_listed() -> None:
    october, november = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
    told = definition_changes(CHANGING, october, november)
    assert told.select("workflow", "changed_on", "version_before", "version").rows() == [
        ("support_*", date(2026, 10, 1), "1", "2")
    ]
    assert definition_changes(CHANGING, november, None).is_empty()
    assert definition_changes(CHANGING, None, None).height == 1
