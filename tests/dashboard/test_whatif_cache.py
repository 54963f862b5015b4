"""`tokenpnl whatif cache`: tables, JSON for programs, sentences for people, and refusals."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tokenpnl.errors import ConfigurationError, RefusedInputError
from tokenpnl_analytics.rules.scenario_families import Eviction
from tokenpnl_dashboard.commands.whatif_cache import cache
from tokenpnl_dashboard.questions.caching import cache_report

KEYS = b"key,size,time\na,1,0\nb,1,1\na,1,2\nc,1,3\nb,1,4\n"
CHANGING = b"key,size\na,1\na,5\nb,1\n"


def called(*arguments: str) -> tuple[str, str]:
    done = CliRunner().invoke(cache, arguments, standalone_mode=False, catch_exceptions=False)
    return done.stdout, done.stderr


@pytest.fixture
def trace(tmp_path: Path) -> str:
    file = tmp_path / "trace.csv"
    file.write_bytes(KEYS)
    return str(file)


def test_json_holds_every_table_and_the_sentences(trace: str) -> None:
    printed, _ = called("--trace", trace, "--json")
    document = json.loads(printed)
    assert sorted(document) == ["caches", "curve", "lifetimes", "sentences"]
    # abacb in two places: a is hit once, and c has driven b out.
    lru = [row["hits"] for row in document["caches"] if (row["eviction"], row["capacity"]) == ("lru", 3)]
    assert lru == [2]


def test_csv_is_the_replays_asked_for(trace: str) -> None:
    printed, _ = called("--trace", trace, "--csv", "--policy", "fifo", "--policy", "lru", "--capacity", "2")
    lines = printed.splitlines()
    assert lines[0].startswith("eviction,capacity,in_objects,ttl_s,refreshed,n,hits,misses")
    # abacb: under FIFO c drives out a and b is hit again; under LRU c drives out b.
    assert [line.split(",")[:2] + [line.split(",")[6]] for line in lines[1:]] == [["fifo", "2", "2"], ["lru", "2", "1"]]


def test_words_go_beside_the_data(trace: str) -> None:
    printed, told = called("--trace", trace, "--md", "--show", "curve")
    assert printed.startswith("| capacity |")
    assert "every cache began empty" in told


def test_a_table_that_the_trace_cannot_give_is_refused(trace: str) -> None:
    import click

    with pytest.raises(click.UsageError, match="this trace has no prompts"):
        called("--trace", trace, "--show", "prompts")


def test_prompts_in_blocks_are_billed_by_every_rule() -> None:
    line = b'{"timestamp": 0, "input_length": 2048, "hash_ids": [1, 2, 3, 4]}\n'
    report = cache_report(line + line, name="t", policies=[Eviction.LRU])
    assert report.prompts is not None
    # Anthropic, an hour: 2048 written at 2, 2048 read at 0.1, of 4096.
    assert report.prompts.filter(rule="anthropic 1h")["factor"].item() == pytest.approx(1.05)
    assert any("anthropic 1h" in sentence and "costs more by 5.0%" in sentence for sentence in report.sentences)


def test_the_bill_is_told_by_the_ten_minutes_so_that_one_sees_the_cache_warm() -> None:
    first = b'{"timestamp": 0, "input_length": 2048, "hash_ids": [1, 2, 3, 4]}\n'
    report = cache_report(first + first.replace(b": 0,", b": 600000,"), name="t", policies=[Eviction.LRU])
    assert report.warming is not None
    hour = report.warming.filter(rule="anthropic 1h").select("begins_s", "factor").rows()
    # Written at 2 when it is cold; ten minutes later read at 0.1.
    assert hour == [(0, pytest.approx(2.0)), (600, pytest.approx(0.1))]


def test_labelled_pairs_give_what_a_semantic_cache_would_answer_and_get_wrong(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("similarity,same_answer\n0.99,true\n0.97,true\n0.95,false\n0.5,false\n0.98,\n")
    printed, told = called("--pairs", str(pairs), "--json")
    row = next(row for row in json.loads(printed)["semantic"] if row["threshold"] == 0.95)
    # Of four labelled pairs three lie at 0.95 or above; one of them has another answer.
    assert (row["n"], row["hits"], row["wrong"]) == (4, 3, 1)
    assert "hit_share" in told


def test_a_cache_needs_a_trace_or_pairs() -> None:
    import click

    with pytest.raises(click.UsageError, match="--trace or --pairs"):
        called("--json")


def test_frozen_sizes_are_told() -> None:
    frozen = cache_report(CHANGING, name="t", policies=[Eviction.LRU], capacities=[4])
    assert "1 references change the size of an object" in frozen.sentences[1]
    assert "frozen at each object's first appearance" in frozen.sentences[1]
    plain = cache_report(CHANGING, name="t", policies=[Eviction.LRU], capacities=[4], plain_sizes=True)
    assert "as they come in the replay" in plain.sentences[1]


def test_a_bad_trace_and_a_bad_capacity_are_refused() -> None:
    with pytest.raises(RefusedInputError, match="the file is empty"):
        cache_report(b"", name="t")
    with pytest.raises(ConfigurationError, match="at least 1 was expected; 0 came"):
        cache_report(KEYS, name="t", capacities=[0])


def test_a_lifetime_counts_from_the_writing() -> None:
    report = cache_report(KEYS, name="t", policies=[Eviction.LRU], capacities=[3], ttl_s=2)
    assert report.caches["hits"].to_list() == [1]
