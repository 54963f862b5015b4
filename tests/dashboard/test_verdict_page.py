"""The page of the verdict in every state, and the banner that leads to it."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from tests.dashboard.frames import FrameBook, book_of, empty_book

import tokenpnl_dashboard
from tokenpnl_dashboard import state

APP = str(Path(tokenpnl_dashboard.__file__).parent / "app.py")
BOOKS = {"none": empty_book(), "one": book_of(1), "many": book_of(300)}


def opened(book: FrameBook, page: str = "views/verdict.py") -> AppTest:
    state.serve(book)
    app = AppTest.from_file(APP, default_timeout=60)
    app.run()
    return app.switch_page(page).run() if page else app


@pytest.mark.parametrize("name", list(BOOKS))
def test_the_page_of_the_verdict_draws_in_every_state(name: str) -> None:
    app = opened(BOOKS[name])
    assert not app.exception
    assert [title.value for title in app.title] == ["High-value reasoning, or expensive glue?"]


def test_the_page_says_the_headline_its_reason_and_the_next_thing() -> None:
    said = " ".join(text.value for text in opened(BOOKS["many"]).markdown)
    assert "Not enough evidence" in said
    assert "Next:" in said


def test_the_overview_begins_with_the_verdict() -> None:
    said = " ".join(text.value for text in opened(BOOKS["many"], "").markdown)
    assert "Not enough evidence" in said
