"""A route and a confidence, told through the SDK and a real exporter, come out of the store's columns as told."""

import json
from pathlib import Path

import tokenpnl
from tokenpnl import testing
from tokenpnl_analytics.resolving.capture import capture_of
from tokenpnl_analytics.whatif.details import call_details
from tokenpnl_ingest.files import requests_in


def test_a_logged_route_is_read_back_from_the_attributes_of_its_span(tmp_path: Path) -> None:
    with testing.recording() as recorded, tokenpnl.workflow("mail"), tokenpnl.llm_call("openai", "gpt-5") as call:
        call.usage(10, 2).confidence(0.25)
        call.route("r:1", arm="gpt-5", propensity=0.2, candidates=["gpt-5", "gpt-5-mini"], inputs={"intent": "refund"})
    file = tmp_path / "told.otlp.jsonl"
    testing.write_otlp_json(file, testing.otlp_json_lines(recorded.spans, recorded.logs))
    spans = capture_of(requests_in(file)).spans
    (row,) = [row for row in call_details(spans).iter_rows(named=True) if row["route_policy"] is not None]
    assert (row["route_policy"], row["route_arm"], row["route_propensity"]) == ("r:1", "gpt-5", 0.2)
    assert (row["route_candidates"], row["confidence"]) == (["gpt-5", "gpt-5-mini"], 0.25)
    assert json.loads(row["route_inputs"]) == {"intent": "refund"}
