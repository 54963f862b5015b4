"""OpenAI's usage report."""

from typing import Any

import pytest

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.closing.invoices import openai_usage


def page(**result: Any) -> dict[str, Any]:
    whole = {"object": openai_usage.RESULTS[0], "model": "gpt-5.4", "project_id": None, **result}
    return {"data": [{"start_time": 1_791_331_200, "end_time": 1_791_417_600, "results": [whole]}]}


def kinds(**result: Any) -> dict[str, int]:
    lines = openai_usage.read(page(**result), name="usage.json").lines
    return dict(lines.select("usage_kind", "quantity").iter_rows())


def test_cached_tokens_are_inside_the_input() -> None:
    # The published report: 17,903 in, 17,817 of them cached; 86 are not.
    found = kinds(input_tokens=17_903, input_cached_tokens=17_817, output_tokens=12, num_model_requests=3)
    assert found == {"input_uncached": 86, "input_cache_read": 17_817, "output": 12}


def test_audio_and_cache_writes_are_told_apart() -> None:
    found = kinds(
        input_tokens=1000, input_cached_tokens=300, input_cache_write_tokens=50, input_audio_tokens=200,
        input_cached_audio_tokens=100, output_tokens=85, output_audio_tokens=47,
    )  # fmt: skip
    # 1000 = 550 plain + 200 cached text + 50 written + 100 audio + 100 cached audio; 85 out = 38 text + 47 audio.
    assert found == {
        "input_uncached": 550, "input_cache_read": 200, "input_cache_write": 50, "input_audio": 100,
        "input_audio_cache_read": 100, "output": 38, "output_audio": 47,
    }  # fmt: skip


def test_requests_count_once_and_dollars_not_at_all() -> None:
    lines = openai_usage.read(
        page(input_tokens=10, output_tokens=5, num_model_requests=3, batch=True), name="usage.json"
    ).lines
    assert lines["requests"].to_list() == [3, None]
    assert lines["cost"].null_count() == 2
    assert lines["service_tier"].to_list() == ["batch", "batch"]


def test_parts_larger_than_their_total_are_refused() -> None:
    with pytest.raises(RefusedInputError, match="exceed their total"):
        kinds(input_tokens=10, input_cached_tokens=11, output_tokens=0)


def test_a_report_without_models_is_refused() -> None:
    with pytest.raises(RefusedInputError, match="group_by=model"):
        kinds(input_tokens=10, output_tokens=1, model=None)
