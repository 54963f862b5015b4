"""The journal gives back what was synced, cuts off what was torn, and says what is damaged."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenpnl.errors import StoreError
from tokenpnl_ingest import journal as journal_module
from tokenpnl_ingest.journal import Journal


def filled(folder: Path, payloads: list[bytes], **options: int) -> Journal:
    folder.mkdir(exist_ok=True)
    journal = Journal(folder, **options)
    for payload in payloads:
        journal.append(payload)
    journal.sync()
    journal.note_acked()
    return journal


def content(folder: Path, after: int = 0) -> list[tuple[int, bytes]]:
    return Journal(folder).follow(after).take(10**9)


def segment(folder: Path) -> Path:
    return max(folder.glob("*.log"))


def test_synced_batches_come_back_in_order_from_any_number_on(tmp_path: Path):
    filled(tmp_path, [b"a", b"b", b"c"]).close()
    assert content(tmp_path, after=1) == [(2, b"b"), (3, b"c")]


def test_batches_go_on_where_an_earlier_process_stopped(tmp_path: Path):
    filled(tmp_path, [b"a"]).close()
    filled(tmp_path, [b"b"]).close()
    assert content(tmp_path) == [(1, b"a"), (2, b"b")]


def test_a_batch_is_not_read_before_it_is_synced(tmp_path: Path):
    journal = filled(tmp_path, [b"a"])
    journal.append(b"b")
    assert journal.follow(0).take(10**9) == [(1, b"a")]


def test_a_follower_goes_on_across_segments(tmp_path: Path):
    journal = filled(tmp_path, [b"x" * 100] * 3, segment_bytes=100)
    follower = journal.follow(0)
    first = follower.take(1)
    journal.append(b"last")
    journal.sync()
    assert [number for number, _ in first + follower.take(10**9)] == [1, 2, 3, 4]
    assert len(list(tmp_path.glob("*.log"))) == 4


def test_an_unfinished_write_is_cut_off_and_kept_aside_without_a_fault(tmp_path: Path):
    filled(tmp_path, [b"a", b"b"]).close()
    with segment(tmp_path).open("ab") as torn:
        torn.write(b"\x8eTPR\xff\x00\x00\x00half a record")
    reopened = Journal(tmp_path)
    assert reopened.faults == []
    assert reopened.follow(0).take(10**9) == [(1, b"a"), (2, b"b")]
    assert [path.read_bytes()[-6:] for path in tmp_path.glob("*.torn-*")] == [b"record"]


def test_a_lost_end_that_was_acknowledged_is_said(tmp_path: Path):
    filled(tmp_path, [b"a", b"b"]).close()
    os.truncate(segment(tmp_path), segment(tmp_path).stat().st_size - 1)
    reopened = Journal(tmp_path)
    assert "batches 2-2 were acknowledged" in reopened.faults[0]
    assert reopened.append(b"c") == 3


def test_a_deleted_segment_is_said(tmp_path: Path):
    filled(tmp_path, [b"a"]).close()
    segment(tmp_path).unlink()
    assert "batches 1-1 were acknowledged" in Journal(tmp_path).faults[0]


def test_a_damaged_record_in_the_middle_is_said_and_the_others_are_read(tmp_path: Path):
    filled(tmp_path, [b"first" * 9, b"second" * 9, b"third" * 9]).close()
    damaged = bytearray(segment(tmp_path).read_bytes())
    damaged[damaged.index(b"second") + 3] ^= 1
    segment(tmp_path).write_bytes(damaged)
    reopened = Journal(tmp_path)
    assert [number for number, _ in reopened.follow(0).take(10**9)] == [1, 3]
    assert "are damaged" in reopened.faults[0]


@settings(max_examples=40)
@given(st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=6), st.data())
def test_no_flipped_bit_changes_a_batch_silently(tmp_path_factory: pytest.TempPathFactory, payloads, data):
    folder = tmp_path_factory.mktemp("journal")
    filled(folder, payloads).close()
    file = segment(folder)
    bytes_ = bytearray(file.read_bytes())
    position = data.draw(st.integers(8, len(bytes_) - 1))
    bytes_[position] ^= 1 << data.draw(st.integers(0, 7))
    file.write_bytes(bytes_)
    reopened = Journal(folder)
    read = reopened.follow(0).take(10**9)
    assert set(read) < {(number + 1, payload) for number, payload in enumerate(payloads)}
    assert reopened.faults


def test_a_failed_sync_takes_the_batches_back_and_the_next_ones_are_kept(tmp_path: Path, monkeypatch):
    journal = filled(tmp_path, [b"a"])

    def broken(_: int) -> None:
        raise OSError(errno.EIO, "input/output error")

    journal.append(b"lost")
    with monkeypatch.context() as patched:
        patched.setattr(journal_module.os, "fdatasync", broken)
        with pytest.raises(StoreError, match="cannot be synced"):
            journal.sync()
    journal.append(b"kept")
    journal.sync()
    journal.close()
    assert content(tmp_path) == [(1, b"a"), (2, b"kept")]


def test_a_full_disk_refuses_the_batch_and_heals_by_itself(tmp_path: Path, monkeypatch):
    journal = filled(tmp_path, [b"a"])

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(journal_module.os, "pwritev", full)
        with pytest.raises(StoreError, match="no space left"):
            journal.append(b"refused")
    journal.append(b"kept")
    journal.sync()
    assert [payload for _, payload in journal.follow(0).take(10**9)] == [b"a", b"kept"]


def test_a_disk_that_stays_full_costs_no_descriptors(tmp_path: Path, monkeypatch):
    journal = Journal(tmp_path)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "no space left on device")

    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 -- a count of descriptors, not of files
    with monkeypatch.context() as patched:
        patched.setattr(journal_module.os, "pwrite", full)
        for _ in range(20):
            with pytest.raises(StoreError, match="no space left"):
                journal.append(b"refused")
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 -- the same


def test_a_store_that_knows_more_than_the_journal_is_said(tmp_path: Path):
    journal = filled(tmp_path, [b"a"])
    journal.continue_after(7)
    assert "the journal lost its end" in journal.faults[0]
    assert journal.append(b"b") == 8
