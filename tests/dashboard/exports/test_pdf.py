"""The one-pager: one page, with the figures and what they rest on, in letters that every reader has."""

import re
import zlib

import pytest
from tests.analytics.line_rows import START, lines_of
from tests.dashboard.frames import NOW, book_of, packed

from tokenpnl_analytics.unit_cost.units import cohort
from tokenpnl_dashboard.exports.pack import Pack
from tokenpnl_dashboard.exports.pdf import one_pager, plain


def text_of(content: bytes) -> str:
    """Return the text that the page shows, in the order in which it was written."""
    streams = re.findall(rb"stream\n(.*?)\nendstream", content, re.DOTALL)
    written = b"".join(zlib.decompress(stream) for stream in streams if stream.startswith(b"x"))
    shown = re.findall(rb"\(((?:\\.|[^\\)])*)\) Tj", written)
    return "\n".join(re.sub(rb"\\(.)", rb"\1", part).decode("cp1252") for part in shown)


def pack(n_runs: int) -> Pack:
    frames = book_of(n_runs).frames
    return packed(frames["line_items"], cohort(frames["runs"], as_of=NOW), period="all time", as_of=NOW)


@pytest.fixture(scope="module")
def content() -> bytes:
    return one_pager(pack(300))


def test_it_is_one_page(content: bytes) -> None:
    assert content.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type /Page\b", content)) == 1


def test_it_says_ladder_categories_unit_costs_and_disclosure(content: bytes) -> None:
    text = text_of(content)
    for words in ("Effective cost", "Negotiated discount", "Timeout", "Cost per success, settled", "contract_review"):
        assert words in text
    assert "Prices: genai-prices 0.2.3" in text.replace("\n", " ")
    assert "Not checked" in text.replace("\n", " ")


def test_the_same_pack_gives_the_same_page() -> None:
    made = pack(20)
    assert one_pager(made) == one_pager(made)


def test_it_fits_with_every_line_and_many_workflows() -> None:
    categories = (
        "evaluation",
        "timeout",
        "schema_violation",
        "retry",
        "escalation",
        "loop",
        "failed_run",
        "abandoned_run",
    )
    rest = ("pending", "fallback", "productive", "idle_capacity", "unattributed")
    lines = lines_of(*({"usd": "1", "cost_category": category} for category in (*categories, *rest)))
    runs = book_of(300).frames["runs"].with_row_index("n")
    runs = runs.with_columns(workflow=runs["workflow"] + runs["n"].cast(str).str.slice(0, 1))
    made = packed(lines, cohort(runs.drop("n"), as_of=NOW), period="all time", as_of=NOW)
    content = one_pager(made)
    assert len(re.findall(rb"/Type /Page\b", content)) == 1
    assert "The 8 dearest of" in text_of(content)
    lowest = min(float(at) for at in re.findall(rb"BT [\d.]+ ([\d.]+) Td", _drawn(content)))
    assert lowest > 20


def test_what_it_rests_on_ends_where_the_page_does_and_says_so() -> None:
    hashes = "; ".join(f"2026-{month:02d} as closed, SHA-256 {'a' * 64}" for month in range(60))
    made = packed(lines_of({"usd": "1"}), period="all time", as_of=NOW, closed=hashes)
    content = one_pager(made)
    assert "... the workbook says the rest, on its sheet Disclosure." in text_of(content)
    assert min(float(at) for at in re.findall(rb"BT [\d.]+ ([-\d.]+) Td", _drawn(content))) > 20


def _drawn(content: bytes) -> bytes:
    streams = re.findall(rb"stream\n(.*?)\nendstream", content, re.DOTALL)
    return b"".join(zlib.decompress(stream) for stream in streams if stream.startswith(b"x"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [("Müller – ≥ 5", "Müller - >= 5"), ("Łódź", "Lódz"), ("čeština", "ceština"), ("東京", "??"), ("€ 5", "€ 5")],
)
def test_letters_that_the_fonts_lack_are_spelled_or_marked(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_a_page_of_nothing_says_so() -> None:
    text = text_of(one_pager(packed(lines_of().clear(), period="now", as_of=START)))
    assert "no success yet" in text
