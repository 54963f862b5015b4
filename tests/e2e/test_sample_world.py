"""The world behind the sample traces: its calendar, its models' failures, its prompt caches."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market import (
    CALM,
    GPT_MINI,
    HOSTED_LLAMA,
    OPUS,
    OVERLOADED,
    OWN_LLAMA,
    SONNET,
    Fate,
    PromptCache,
    Trouble,
    tries,
)
from world import (
    CATALOGUE,
    CONTRACTS,
    DAYS,
    FIRST_DAY,
    INCIDENT,
    INVOICES,
    KNOWN_UNTIL,
    SUPPORT,
    Workload,
    arrivals,
    midnight,
)

MINUTE = 60 * 10**9


@pytest.mark.parametrize("workload", [SUPPORT, CONTRACTS, INVOICES])
def test_jobs_arrive_in_order_on_the_sixty_days(workload: Workload) -> None:
    moments = [job.at_ns for job in arrivals(workload, random.Random(1))]
    assert moments == sorted(moments)
    assert midnight(FIRST_DAY) <= moments[0]
    assert moments[-1] < KNOWN_UNTIL == midnight(FIRST_DAY) + DAYS * 24 * 60 * MINUTE


def test_contracts_are_read_on_working_days() -> None:
    weekend = [job for job in arrivals(CONTRACTS, random.Random(1)) if (job.at_ns // (24 * 60 * MINUTE) + 3) % 7 >= 5]
    assert len(weekend) < 20


def test_the_catalogue_is_tagged_from_its_first_day_on_and_never_at_night() -> None:
    jobs = list(arrivals(CATALOGUE, random.Random(1)))
    assert midnight(CATALOGUE.first_day) <= jobs[0].at_ns
    assert jobs[-1].at_ns < KNOWN_UNTIL
    assert {job.at_ns // (60 * MINUTE) % 24 for job in jobs} <= set(range(7, 19))


def test_a_replica_of_our_own_says_what_it_runs_on_and_a_plain_provider_nothing() -> None:
    assert OWN_LLAMA.attributes == {
        "tokenpnl.deployment": "self_host",
        "tokenpnl.gpu.type": "l4-24g",
        "tokenpnl.gpu.count": 1,
        "tokenpnl.gpu.replica": "tagger-0",
    }
    assert HOSTED_LLAMA.attributes == {"tokenpnl.deployment": "managed_api"}
    assert OPUS.attributes == {}


def test_a_job_runs_in_the_release_of_its_day() -> None:
    assert SUPPORT.release_at(midnight(FIRST_DAY)) == "2.3.1"
    assert SUPPORT.release_at(KNOWN_UNTIL) == "2.4.1"


def test_the_incident_ends_before_its_last_day() -> None:
    assert midnight(INCIDENT.first) in INCIDENT
    assert midnight(INCIDENT.until) not in INCIDENT


@given(seed=st.integers(0, 10_000))
def test_a_call_ends_with_an_answer_or_after_its_last_try(seed: int) -> None:
    plan = list(tries(random.Random(seed), GPT_MINI, OVERLOADED, fallback=SONNET))
    assert [made.fate is Fate.ANSWERED for made in plan[:-1]] == [False] * (len(plan) - 1)
    assert len(plan) <= 5
    assert plan[0].reason == "first"
    assert {made.model for made in plan if made.reason == "fallback"} <= {SONNET}


def test_a_calm_provider_answers_nearly_always() -> None:
    rng = random.Random(1)
    fates = Counter(CALM.fate(rng) for _ in range(2000))
    assert 0.96 < fates[Fate.ANSWERED] / 2000 < 0.99


def test_the_reason_of_a_try_is_how_the_last_one_ended() -> None:
    never_valid = Trouble(throttled=0, server_error=0, timed_out=0, invalid=1)
    assert [made.reason for made in tries(random.Random(1), OPUS, never_valid)] == ["first", "schema", "schema"]


def test_an_automatic_cache_reads_in_steps_and_never_bills_a_write() -> None:
    cache = PromptCache()
    assert cache.used(GPT_MINI, "policy", 1500, 0) == (0, 0)
    assert cache.used(GPT_MINI, "policy", 1500, 4 * MINUTE) == (1408, 0)


def test_a_marked_cache_bills_the_write_and_forgets_after_five_minutes() -> None:
    cache = PromptCache()
    assert cache.used(OPUS, "contract", 1500, 0) == (0, 1500)
    assert cache.used(OPUS, "contract", 1500, 4 * MINUTE) == (1500, 0)
    assert cache.used(OPUS, "contract", 1500, 10 * MINUTE) == (0, 1500)


def test_a_prefix_under_the_minimum_is_not_cached() -> None:
    cache = PromptCache()
    assert [cache.used(OPUS, "short", 1000, at) for at in (0, 1)] == [(0, 0), (0, 0)]
