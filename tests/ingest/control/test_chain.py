import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl_ingest.control.chain import GENESIS, AuditRow, Head, canonical, faults, signed

KEY = b"k" * 32
FIELDS = ("at", "actor", "action", "detail", "prev", "mac")


def chain(length: int, key: bytes = KEY) -> list[AuditRow]:
    rows: list[AuditRow] = []
    for seq in range(1, length + 1):
        told = (seq, f"2026-11-03T09:00:{seq % 60:02d}.000000Z", "ann", "close", canonical({"n": seq}))
        unsigned = AuditRow(*told, prev=rows[-1].mac if rows else GENESIS, mac="")
        rows.append(replace(unsigned, mac=signed(unsigned, key)))
    return rows


def head_of(rows: list[AuditRow]) -> Head:
    return Head(rows[-1].seq, rows[-1].mac)


ROWS = chain(20)


def test_an_untouched_chain_has_no_fault() -> None:
    assert faults(ROWS, KEY, head_of(ROWS)) == []
    assert faults([], KEY, Head(0, GENESIS)) == []


def test_the_spelling_that_is_signed_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical({"b": 1, "a": "é"}) == canonical({"a": "é", "b": 1}) == '{"a":"é","b":1}'


@given(st.integers(0, 19), st.sampled_from(FIELDS), st.data())
def test_any_flip_is_found(place: int, field: str, data: st.DataObject) -> None:
    old = getattr(ROWS[place], field)
    at = data.draw(st.integers(0, len(old) - 1))
    new = data.draw(st.characters(exclude_characters=old[at], exclude_categories=["Cs"]))
    edited = replace(ROWS[place], **{field: old[:at] + new + old[at + 1 :]})
    assert faults([*ROWS[:place], edited, *ROWS[place + 1 :]], KEY, head_of(ROWS))


@given(st.integers(0, 19), st.integers(1, 20))
def test_any_deletion_is_found(place: int, how_many: int) -> None:
    assert faults([*ROWS[:place], *ROWS[place + how_many :]], KEY, head_of(ROWS))


@given(st.permutations(range(20)).filter(lambda order: list(order) != list(range(20))))
def test_any_other_order_is_found(order: list[int]) -> None:
    moved = [ROWS[place] for place in order]
    assert faults(moved, KEY, head_of(ROWS))
    # Also where the rows were numbered again to look right.
    assert faults([replace(row, seq=seq) for seq, row in enumerate(moved, start=1)], KEY, head_of(ROWS))


@given(st.integers(0, 19))
def test_an_end_that_was_cut_off_is_found_by_the_head(kept: int) -> None:
    assert faults(ROWS[:kept], KEY, None if kept == 0 else head_of(ROWS[:kept])) == []
    assert faults(ROWS[:kept], KEY, head_of(ROWS)) == [
        f"the chain ends at row {kept}, but row 20 was written: its end was cut off"
    ]


def test_a_chain_made_anew_without_the_key_is_found() -> None:
    forged = chain(20, key=b"another")
    assert len(faults(forged, KEY, head_of(forged))) == 20


def test_a_chain_made_anew_with_the_key_is_not_the_one_that_was_noted() -> None:
    unsigned = replace(ROWS[-1], actor="eve")
    forged = [*ROWS[:-1], replace(unsigned, mac=signed(unsigned, KEY))]
    assert faults(forged, KEY, head_of(ROWS)) == ["row 20 is not the one that was noted outside"]


def test_a_missing_note_is_a_fault_as_soon_as_there_are_rows() -> None:
    assert faults(ROWS, KEY, None) == ["the note of the last row is missing, though there are 20 rows"]


def test_rows_after_the_note_are_taken_when_they_are_genuine() -> None:
    assert faults(ROWS, KEY, head_of(ROWS[:18])) == []
    edited = [*ROWS[:19], replace(ROWS[19], actor="eve")]
    assert faults(edited, KEY, head_of(ROWS[:18])) == ["row 20 was changed, or written without the key of this home"]


@pytest.mark.parametrize("seed", range(5))
def test_a_thousand_random_edits_are_found(seed: int) -> None:
    chance, missed = random.Random(seed), 0
    for _ in range(200):
        rows = list(ROWS)
        place, field = chance.randrange(20), chance.choice(FIELDS)
        old = getattr(rows[place], field)
        at = chance.randrange(len(old))
        rows[place] = replace(
            rows[place], **{field: old[:at] + chr(ord(old[at]) ^ 1 << chance.randrange(5)) + old[at + 1 :]}
        )
        missed += not faults(rows, KEY, head_of(ROWS))
    assert missed == 0
