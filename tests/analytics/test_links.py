"""Links: what must be resolved together, and that a single emitter's workload stays apart."""

from typing import Any

import polars as pl
from tests.analytics.spans import chat, frame, span

from tokenpnl_analytics.resolving.links import components, link_keys


def n_components(*rows: dict[str, Any]) -> int:
    return components(link_keys(frame(*rows)))["component"].n_unique()


def test_ids_link_traces() -> None:
    for name in ("response_id", "run_id", "call_id"):
        rows = chat("a", trace_id="t1", **{name: "x"}), chat("b", trace_id="t2", at=9999, **{name: "x"})
        assert n_components(*rows) == 1


def test_equal_usage_at_the_same_time_links_different_libraries_only() -> None:
    alike = chat("a", trace_id="t1"), chat("b", trace_id="t2")
    assert n_components(*alike) == 2
    assert n_components(alike[0], alike[1] | {"scope_name": "two"}) == 1
    assert n_components(alike[0], chat("b", trace_id="t2", scope_name="two", at=30)) == 2


def test_neighbouring_moments_share_a_key_wherever_the_bucket_ends() -> None:
    for at in range(20):
        rows = chat("a", trace_id="t1", at=at / 10), chat("b", trace_id="t2", at=at / 10 + 0.1, scope_name="two")
        assert n_components(*rows) == 1


def test_a_log_record_links_with_the_span_that_it_repeats() -> None:
    log = span("log", trace_id="t2", signal="log", operation="inference", name="api_request", input_tokens=100)
    assert n_components(chat("a", trace_id="t1"), log) == 1


def test_failures_of_two_libraries_in_one_process_link() -> None:
    broken = {"usage": None, "status_code": "error"}
    one, two = chat("a", trace_id="t1", **broken), chat("b", trace_id="t2", scope_name="two", at=0.1, **broken)
    assert n_components(one, two) == 1
    assert n_components(one, two | {"resource_hash": "elsewhere"}) == 2


def test_a_busy_single_emitter_stays_a_set_of_single_traces() -> None:
    rows = [chat(f"s{n}", f"p{n}", trace_id=f"t{n}", at=n / 100) for n in range(300)]
    assert n_components(*rows) == 300


def test_tenants_never_link() -> None:
    spans = frame(chat("a", response_id="x"))
    both = pl.concat([spans, spans.with_columns(tenant=pl.lit("other"))])
    assert components(link_keys(both))["component"].n_unique() == 2


def test_a_request_with_usage_is_linked_like_the_model_call_that_it_is_billed_as() -> None:
    failed = span("a", trace_id="t1", operation="inference", prompt_hash="p", status_code="error", scope_name="one")
    later = span("b", trace_id="t2", operation="http", prompt_hash="p", output_tokens=7, scope_name="one")
    linked = components(link_keys(frame(failed, later)))
    assert linked["component"].n_unique() == 1
