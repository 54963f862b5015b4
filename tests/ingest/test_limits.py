"""Inflation stops at the limit, takes every legal gzip body, and refuses the others."""

import gzip
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl.errors import RefusedInputError, TooLargeError
from tokenpnl_ingest.limits import inflate


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_members_come_out_as_one_body(members: list[bytes]):
    assert inflate(b"".join(gzip.compress(member) for member in members)) == b"".join(members)


def test_a_bomb_is_refused_before_its_content_is_held():
    bomb = gzip.compress(bytes(200 * 1024 * 1024), 1)
    tracemalloc.start()
    with pytest.raises(TooLargeError):
        inflate(bomb, limit=1024 * 1024)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 1024 * 1024


def test_a_body_of_exactly_the_limit_is_taken():
    assert len(inflate(gzip.compress(bytes(1000)), limit=1000)) == 1000


@pytest.mark.parametrize(
    "body", [b"plain", gzip.compress(b"content", mtime=0)[:-9], gzip.compress(b"a", mtime=0) + b"junk"]
)
def test_what_is_not_whole_gzip_is_refused(body: bytes):
    with pytest.raises(RefusedInputError):
        inflate(body)
