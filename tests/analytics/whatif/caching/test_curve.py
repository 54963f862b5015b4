"""The exact LRU curve against replays, by hand and on published traces."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl_analytics.rules.scenario_families import Eviction
from tokenpnl_analytics.whatif.caching.curve import MOST_ROWS, capacity_curve, distances, miss_ratio_curve
from tokenpnl_analytics.whatif.caching.references import block_references, frozen_sizes
from tokenpnl_analytics.whatif.caching.replay import Cache, replay
from tokenpnl_analytics.whatif.caching.traces import read_trace

SIZES = {"a": 3, "b": 5, "c": 1, "d": 2}


def referred(keys: str) -> pl.DataFrame:
    return pl.DataFrame(
        {"key": list(keys), "size": [SIZES[k] for k in keys], "amount": [SIZES[k] for k in keys]},
    ).with_columns(pl.lit(0, pl.Int64).alias("time_us"))


def test_a_distance_is_the_size_of_all_objects_since_the_last_use_each_once() -> None:
    # a again after b, b, c: 3 + 5 + 1; b again at once: its own 5; c after a: 1 + 3.
    assert distances(referred("abbcac")).to_list() == [None, None, 5, None, 9, 4]


def test_distances_are_right_across_blocks_of_the_tree() -> None:
    keys = "a" + "bcd" * 100 + "a"
    assert distances(referred(keys))[-1] == 3 + 5 + 1 + 2


def test_the_whole_curve_has_a_row_where_hits_grow() -> None:
    curve = miss_ratio_curve(referred("abbcac"))
    assert curve.select("capacity", "hits", "amount_hit").rows() == [(5, 2, 6), (9, 3, 9)]


def test_below_the_largest_object_the_curve_refuses() -> None:
    row = miss_ratio_curve(referred("abbcac"), [4]).row(0, named=True)
    assert row["hits"] is None
    assert row["refused_because"] == "smaller than the largest object (5): replay it alone"


def test_the_curve_equals_libcachesim_at_eight_sizes(shared_data: Path) -> None:
    data = (shared_data / "reference" / "libcachesim" / "cloudPhysicsIO.csv").read_bytes()
    references = read_trace(data, name="x").references
    curve = miss_ratio_curve(references, [step * 128 << 20 for step in range(1, 9)])
    misses = (curve["n"] - curve["hits"]).to_list()
    assert misses == [93374, 89783, 83572, 81722, 72494, 72104, 71972, 71704]


def test_block_hit_rates_of_mooncake_are_the_published_ones(shared_data: Path) -> None:
    data = (shared_data / "reference" / "mooncake" / "conversation_trace.jsonl").read_bytes()
    trace = read_trace(data, name="x")
    curve = miss_ratio_curve(trace.references, [10**6, 3 * 10**6, 10**7, 5 * 10**7, 10**10])
    assert curve["hit_share"].head(4).round(4).to_list() == [0.0532, 0.1355, 0.2852, 0.3635]
    assert curve["amount_hit_share"][-1] == pytest.approx(0.3736, abs=5e-5)
    assert trace.requests is not None
    assert trace.requests.height == 12_031
    assert trace.requests["input_tokens"].mean() == pytest.approx(12_035.1, abs=0.05)
    assert trace.requests["output_tokens"].mean() == pytest.approx(342.6, abs=0.05)


@given(keys=st.text("abcd", min_size=1, max_size=80), capacity=st.integers(5, 20))
def test_the_curve_equals_a_replay_at_any_capacity(keys: str, capacity: int) -> None:
    references = referred(keys)
    curve = miss_ratio_curve(references, [capacity]).row(0, named=True)
    played = replay(references, [Cache(Eviction.LRU, capacity)]).row(0, named=True)
    assert {name: curve[name] for name in ("hits", "amount_hit")} == {n: played[n] for n in ("hits", "amount_hit")}


@given(keys=st.text("abcd", min_size=1, max_size=80))
def test_the_curve_never_falls(keys: str) -> None:
    curve = miss_ratio_curve(referred(keys))
    assert curve["hits"].is_sorted()
    assert curve["amount_hit"].is_sorted()


def test_sizes_are_frozen_at_their_first_appearance() -> None:
    references = pl.DataFrame({"key": ["a", "a"], "size": [3, 9], "amount": [3, 9], "time_us": [0, 0]})
    assert frozen_sizes(references)["size"].to_list() == [3, 3]
    assert distances(references).to_list() == [None, 3]


def test_the_last_block_of_a_prompt_counts_the_tokens_it_holds() -> None:
    requests = pl.DataFrame({"time_us": [0], "input_tokens": [700], "blocks": [[7, 8]], "block_tokens": [512]})
    found = block_references(requests)
    assert found.select("key", "size", "amount").rows() == [(7, 512, 512), (8, 512, 188)]


def test_a_curve_to_be_drawn_keeps_its_last_row_among_few() -> None:
    # Keys 0..299 forwards, then backwards: key k comes again after 300 - k keys, so each capacity finds one more.
    keys = [*range(300), *reversed(range(300))]
    references = pl.DataFrame({"key": keys, "size": 1, "amount": 1, "time_us": 0})
    curve = capacity_curve(references, by_amount=False)
    assert curve.height <= MOST_ROWS
    assert curve.row(-1) == (300, 0.5, 600)
    assert curve.select((1 - pl.col("capacity") / 600 - pl.col("miss_ratio")).abs().max()).item() < 1e-12
