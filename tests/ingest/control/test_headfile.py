from pathlib import Path

import pytest

from tokenpnl.errors import StoreError
from tokenpnl_ingest.control.chain import Head
from tokenpnl_ingest.control.headfile import HeadFile


def test_a_note_is_read_as_it_was_written(tmp_path: Path) -> None:
    note = HeadFile(tmp_path / "audit.head")
    assert note.read() is None
    note.write(Head(7, "ab"))
    note.write(Head(8, "cd"))
    assert note.read() == Head(8, "cd")
    assert [path.name for path in tmp_path.iterdir()] == ["audit.head"]
    assert (tmp_path / "audit.head").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "[]", '{"seq": 1}', '{"seq": "x", "mac": ""}'])
def test_a_note_that_says_nothing_is_no_empty_chain(tmp_path: Path, text: str) -> None:
    (tmp_path / "audit.head").write_text(text)
    with pytest.raises(StoreError, match="holds no note of the audit chain"):
        HeadFile(tmp_path / "audit.head").read()
