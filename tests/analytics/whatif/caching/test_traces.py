"""Trace files: the public forms, and errors that say which line and what was wanted."""

from pathlib import Path

import pytest

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.whatif.caching.traces import read_trace


def test_a_libcachesim_csv_gives_its_references_in_bytes() -> None:
    trace = read_trace(b"version,time,op,size,lbn\n1,10,2a,512,7\n1,12,2a,1024,8\n", name="t.csv")
    assert (trace.form, trace.unit) == ("libcachesim", "bytes")
    assert trace.references.rows() == [("7", 512, 512, 10_000_000), ("8", 1024, 1024, 12_000_000)]


def test_a_csv_of_keys_alone_counts_objects() -> None:
    trace = read_trace(b"key\na\nb\n", name="t.csv")
    assert trace.unit == "objects"
    assert trace.references["size"].to_list() == [1, 1]


def test_a_csv_of_keys_reads_sizes_and_seconds() -> None:
    trace = read_trace(b"time,key,size\n0.5,a,3\n1,b,4\n", name="t.csv")
    assert trace.references.rows() == [("a", 3, 3, 500_000), ("b", 4, 4, 1_000_000)]


def test_mooncake_lines_give_prompts_in_blocks() -> None:
    line = b'{"timestamp": 1500, "input_length": 700, "output_length": 5, "hash_ids": [3, 4]}\n'
    trace = read_trace(line, name="t.jsonl")
    assert trace.requests is not None
    assert trace.requests.row(0) == (1_500_000, 700, 5, [3, 4], 512)
    assert trace.references["amount"].to_list() == [512, 188]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the file is empty"),
        (b"a,b\n1,2\n", "the first line is 'a,b'"),
        (b"key,size\na,1\nb,x\n", "line 3: a number as size was expected, 'x' came"),
        (b"key,size\na,-1\n", "line 2: a number as size was expected, '-1' came"),
        (b"key,size\n,1\n", "line 2: a key was expected"),
        (b"key,time\na,2\nb,1\n", "line 3: a time that is not before the one above it was expected"),
        (b'{"timestamp": 1}\n', "line 1: a JSON object with timestamp"),
        (b'{"timestamp": 1, "input_length": 9, "hash_ids": [1]}\n{x\n', "line 2: a JSON object with timestamp"),
        (b'{"timestamp": 1, "input_length": 900, "hash_ids": [1]}\n', "one for each 512 tokens of input_length"),
    ],
    ids=["empty", "unknown", "size", "negative", "key", "time", "fields", "json", "blocks"],
)
def test_a_bad_trace_is_refused_with_its_reason(data: bytes, said: str) -> None:
    with pytest.raises(RefusedInputError, match="t: |t, line") as refusal:
        read_trace(data, name="t")
    assert said in str(refusal.value)


@pytest.mark.parametrize("which", ["code", "conv"])
def test_an_azure_trace_lacks_keys_and_the_error_says_so(shared_data: Path, which: str) -> None:
    data = (shared_data / "reference" / "azure_2023" / f"AzureLLMInferenceTrace_{which}.csv").read_bytes()
    with pytest.raises(RefusedInputError, match="but no keys, so nothing tells which prompt came again"):
        read_trace(data, name="azure.csv")
