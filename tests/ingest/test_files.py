"""Files of telemetry, told by their first bytes."""

import gzip
import json
from pathlib import Path

import pytest

from tokenpnl.errors import RefusedInputError
from tokenpnl_ingest.files import requests_in
from tokenpnl_ingest.signals import Signal

TRACES = b'{"resourceSpans": []}'
LOGS = b'{"resourceLogs": []}'


def written(folder: Path, content: bytes, name: str = "f") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def frame(signal: bytes, body: bytes) -> bytes:
    return signal + len(body).to_bytes(4, "big") + body


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_json_lines_are_one_request_each(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    path = written(tmp_path, pack(TRACES + b"\n\n" + LOGS + b"\n"))
    assert [(request.signal, request.body.strip()) for request in requests_in(path)] == [
        (Signal.TRACES, TRACES),
        (Signal.LOGS, LOGS),
    ]


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_frames_are_one_request_each(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    path = written(tmp_path, pack(frame(b"T", b"abc") + frame(b"M", b"") + frame(b"L", b"x")))
    assert [(request.signal, request.body) for request in requests_in(path)] == [
        (Signal.TRACES, b"abc"),
        (Signal.METRICS, b""),
        (Signal.LOGS, b"x"),
    ]


def test_an_indented_document_with_a_byte_order_mark_is_one_request(tmp_path: Path) -> None:
    path = written(tmp_path, b"\xef\xbb\xbf" + json.dumps({"resourceSpans": [], "resourceLogs": []}, indent=1).encode())
    assert [request.signal for request in requests_in(path)] == [Signal.TRACES, Signal.LOGS]


def test_a_list_of_documents_is_one_request_each(tmp_path: Path) -> None:
    path = written(tmp_path, b"[" + TRACES + b"," + LOGS + b"]")
    assert [json.loads(request.body) for request in requests_in(path)] == [{"resourceSpans": []}, {"resourceLogs": []}]


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    assert list(requests_in(written(tmp_path, b""))) == []
    assert list(requests_in(written(tmp_path, b" \n\n"))) == []


@pytest.mark.parametrize(
    "content",
    [
        b"hello",
        b"{broken",
        b'{"other": 1}',
        frame(b"T", b"abc")[:-1],
        b"T\xff\xff\xff\xff",
        gzip.compress(TRACES, mtime=0)[:-9],
        b"T\x00",
    ],
)
def test_a_damaged_or_foreign_file_is_refused_with_its_path(tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path, content)
    with pytest.raises(RefusedInputError, match=path.name):
        list(requests_in(path))
