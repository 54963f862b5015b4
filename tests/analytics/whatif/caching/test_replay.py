"""Replays: the published misses of libCacheSim, small cases worked by hand, and laws."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl_analytics.rules.scenario_families import Eviction
from tokenpnl_analytics.whatif.caching.references import changed_sizes, frozen_sizes
from tokenpnl_analytics.whatif.caching.replay import Cache, hits, replay
from tokenpnl_analytics.whatif.caching.traces import read_trace

MIB = 1 << 20
FROZEN = {
    Eviction.LRU: (93374, 89783, 83572, 81722, 72494, 72104, 71972, 71704),
    Eviction.FIFO: (93403, 89386, 84387, 84025, 72498, 72228, 72182, 72140),
    Eviction.SIEVE: (91699, 86720, 78578, 76707, 69945, 66221, 64445, 64376),
    Eviction.LFU: (91699, 86720, 78578, 76707, 69945, 66221, 64445, 64376),
    Eviction.ARC: (90252, 85861, 78168, 74297, 67381, 65685, 64439, 64772),
    # Misses of PyPI libcachesim 0.3.5 on the same trace; the other rows it gives too.
    Eviction.S3_FIFO: (90117, 80915, 75060, 72191, 69815, 65542, 60799, 56045),
}
PLAIN_AT_128_MIB = {
    Eviction.LRU: 93151,
    Eviction.FIFO: 93185,
    Eviction.SIEVE: 91359,
    Eviction.LFU: 91359,
    Eviction.ARC: 89372,
    Eviction.S3_FIFO: 89929,
}
POLICIES = list(Eviction)


def asked_for(keys: str, *, size: int = 1, times: list[int] | None = None) -> pl.DataFrame:
    """Return references to one-letter objects, a second apart unless times are given."""
    seconds = times or list(range(len(keys)))
    return pl.DataFrame(
        {
            "key": list(keys),
            "size": [size] * len(keys),
            "amount": [size] * len(keys),
            "time_us": [1_000_000 * s for s in seconds],
        },
        schema={"key": pl.String, "size": pl.Int64, "amount": pl.Int64, "time_us": pl.Int64},
    )


def shown(references: pl.DataFrame, cache: Cache) -> str:
    return "".join("h" if hit else "." for hit in hits(references, cache))


@pytest.fixture(scope="module")
def cloud_physics(shared_data: Path) -> pl.DataFrame:
    data = (shared_data / "reference" / "libcachesim" / "cloudPhysicsIO.csv").read_bytes()
    return read_trace(data, name="cloudPhysicsIO.csv").references


@pytest.mark.parametrize("policy", POLICIES)
def test_a_replay_misses_what_libcachesim_misses(cloud_physics: pl.DataFrame, policy: Eviction) -> None:
    caches = [Cache(policy, step * 128 * MIB) for step in range(1, 9)]
    found = replay(frozen_sizes(cloud_physics), caches)
    assert tuple(found["misses"]) == FROZEN[policy]
    assert found["n"].unique().to_list() == [113_872]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_replay_with_sizes_as_they_come_misses_what_libcachesim_misses(
    cloud_physics: pl.DataFrame, policy: Eviction
) -> None:
    assert replay(cloud_physics, [Cache(policy, 128 * MIB)])["misses"].item() == PLAIN_AT_128_MIB[policy]


def test_the_trace_changes_sizes_16469_times_request_by_request(cloud_physics: pl.DataFrame) -> None:
    before = pl.col("size").shift().over("key")
    assert cloud_physics.filter(pl.col("size") != before).height == 16_469
    assert changed_sizes(cloud_physics) > 0


def test_lru_lets_the_entry_go_that_was_used_longest_ago() -> None:
    # a b | a again, so c drives b out, and b drives a out? No: after c the order is c a, so b drives a out.
    assert shown(asked_for("abacba"), Cache(Eviction.LRU, 2)) == "..h..."


def test_fifo_lets_the_entry_go_that_was_written_longest_ago() -> None:
    # The hit on a does not save it: c drives a out, and b is still there.
    assert shown(asked_for("abacba"), Cache(Eviction.FIFO, 2)) == "..h.h."


def test_lfu_keeps_what_is_used_often() -> None:
    # a has two uses; b leaves for c, c for b.
    assert shown(asked_for("aabcab"), Cache(Eviction.LFU, 2)) == ".h..h."


def test_lfu_lets_of_equals_the_one_go_that_reached_the_frequency_first() -> None:
    assert shown(asked_for("abcba"), Cache(Eviction.LFU, 2)) == "...h."


def test_sieve_passes_marked_entries_once() -> None:
    # a is marked; for c the hand takes its mark away and evicts b, so that a is hit again where FIFO would miss it.
    assert shown(asked_for("abaca"), Cache(Eviction.SIEVE, 2)) == "..h.h"
    # Without another hit a has lost its mark: the hand comes to it first and evicts it for d.
    assert shown(asked_for("abacda"), Cache(Eviction.SIEVE, 2)) == "..h..."


def test_arc_brings_a_ghost_back_among_the_frequent() -> None:
    # c drives a out of T1 = {a, b}: T1 is full, so a leaves no ghost, and b leaves none for a.
    assert shown(asked_for("abca"), Cache(Eviction.ARC, 2)) == "...."
    # a is in T2 and c makes b a ghost; b comes back into T2 with an aim of 1 for T1, so a becomes a ghost; a comes back
    # into T2 with an aim of 0, so c leaves; now b is hit.
    assert shown(asked_for("aabcbab"), Cache(Eviction.ARC, 2)) == ".h....h"


def test_s3_fifo_keeps_scans_in_probation() -> None:
    # a is used twice in probation, so the scan moves it to the main queue instead of driving it out.
    scan = "bcdefghijklm"
    assert shown(asked_for("aaa" + scan + "a"), Cache(Eviction.S3_FIFO, 10))[-1] == "h"
    assert shown(asked_for("aaa" + scan + "a"), Cache(Eviction.FIFO, 10))[-1] == "."


@pytest.mark.parametrize("policy", POLICIES)
def test_an_object_larger_than_the_cache_is_never_held(policy: Eviction) -> None:
    assert shown(asked_for("aaa", size=11), Cache(policy, 10)) == "..."


@pytest.mark.parametrize("policy", POLICIES)
def test_a_capacity_in_objects_takes_no_notice_of_sizes(policy: Eviction) -> None:
    large, unit = asked_for("abcabcaab", size=1000), asked_for("abcabcaab")
    assert shown(large, Cache(policy, 20, in_objects=True)) == shown(unit, Cache(policy, 20))


@pytest.mark.parametrize("policy", POLICIES)
def test_an_entry_is_served_at_its_age_limit_and_not_beyond(policy: Eviction) -> None:
    assert shown(asked_for("aaa", times=[0, 10, 11]), Cache(policy, ttl_s=10)) == ".h."


@pytest.mark.parametrize("policy", POLICIES)
def test_a_refreshed_entry_lives_on_from_its_last_hit(policy: Eviction) -> None:
    assert shown(asked_for("aaa", times=[0, 10, 20]), Cache(policy, ttl_s=10, refreshed=True)) == ".hh"


traces = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 3)), min_size=1, max_size=60)


def sized(trace: list[tuple[str, int]]) -> pl.DataFrame:
    sizes = {key: 1 + ord(key) % 4 for key in "abcdefgh"}
    rows = [(key, sizes[key], sizes[key]) for key, _ in trace]
    gaps = pl.Series([gap for _, gap in trace]).cum_sum() * 1_000_000
    return pl.DataFrame(rows, schema=["key", "size", "amount"], orient="row").with_columns(gaps.alias("time_us"))


@given(trace=traces, policy=st.sampled_from(POLICIES))
def test_without_a_limit_every_policy_hits_each_repeat(trace: list[tuple[str, int]], policy: Eviction) -> None:
    references = sized(trace)
    assert hits(references, Cache(policy)).to_list() == references["key"].is_first_distinct().not_().to_list()


@given(trace=traces, policy=st.sampled_from(POLICIES), capacity=st.integers(1, 30), ttl=st.integers(0, 8))
def test_a_hit_is_a_repeat_within_the_lifetime(
    trace: list[tuple[str, int]], policy: Eviction, capacity: int, ttl: int
) -> None:
    references = sized(trace)
    held = hits(references, Cache(policy, capacity, ttl_s=ttl, refreshed=True))
    reuse = references.select(pl.col("time_us") - pl.col("time_us").shift().over("key")).to_series()
    assert (reuse.filter(held) <= ttl * 1_000_000).all()
    assert reuse.filter(held).null_count() == 0


@given(trace=traces, small=st.integers(4, 20), more=st.integers(0, 20))
def test_more_cache_never_costs_hits_under_lru(trace: list[tuple[str, int]], small: int, more: int) -> None:
    references = sized(trace)
    few, many = (hits(references, Cache(Eviction.LRU, size)) for size in (small, small + more))
    assert (many | ~few).all()
