"""The What-if lab: pick, build, run, save; every state says what to do next."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from tests.dashboard.frames import book_of, empty_book
from tests.dashboard.test_pages import APP, said

from tokenpnl_dashboard import state
from tokenpnl_dashboard.book import Book, open_book
from tokenpnl_dashboard.commands.ingest import load_files
from tokenpnl_ingest.control import ControlStore
from tokenpnl_ingest.home import Home

SAMPLES = Path(__file__).parents[2] / "sample_traces"
TITLE = "What would a change save, and how sure are we?"
FILE = """name: Mails by subject
where: {workflow: mail_triage}
scenarios:
  - name: disputes to the strong model
    family: route
    rules:
      - {inputs: {intent: dispute}, to: {model: deepseek-v4-pro, provider: deepseek}}
      - {to: {model: deepseek-v4-flash, provider: deepseek}}
  - {name: two attempts, family: retry, max_attempts: 2}
  - {name: prompt cache, family: prompt_cache}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    place = Home.at(tmp_path_factory.mktemp("lab"))
    load_files(place, (SAMPLES / "mail_triage.otlp.jsonl.gz",))
    (place.config / "scenarios").mkdir(parents=True)
    (place.config / "scenarios" / "mails.yaml").write_text(FILE, encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def book(home: Home) -> Iterator[Book]:
    with open_book(home) as book:
        yield book


def opened(book: Book, home: Home | None, **params: str) -> AppTest:
    state.serve(book, home)
    app = AppTest.from_file(APP, default_timeout=120)
    for name, value in params.items():
        app.query_params[name] = value
    app.switch_page("views/whatif.py")
    return app.run()


def press(app: AppTest, label: str) -> AppTest:
    [button] = [button for button in app.button if button.label == label]
    return button.click().run()


def test_the_page_asks_one_question_and_waits_for_run(book: Book, home: Home) -> None:
    app = opened(book, home)
    assert not app.exception
    assert [title.value for title in app.title] == [TITLE]
    assert app.selectbox(key="scenario").value == "mails"
    assert "press Run" in said(app)


def test_run_tells_every_change_with_cost_success_and_what_it_rests_on(book: Book, home: Home) -> None:
    app = press(opened(book, home, scenario="mails"), "Run")
    assert not app.exception
    text = said(app)
    for words in ("disputes to the strong model", "two attempts", "prompt cache", "All of them together"):
        assert words in text
    assert "estimated" in text
    assert text.count("**Success:**") == 4
    headers = [header.value for header in app.header]
    assert {"Saving in 30 days", "All together", "Would it have held, week by week?", "Apply it"} <= set(headers)


def test_a_file_that_breaks_the_model_is_told_with_its_line(book: Book, home: Home) -> None:
    app = opened(book, home)
    app.text_area(key="whatif_text").set_value("name: x\nscenarios:\n  - {name: a, family: magic}\n").run()
    assert "the scenario:3" in said(press(app, "Run")).replace("\\", "")


def test_the_form_adds_a_change_to_the_file(book: Book, home: Home) -> None:
    app = opened(book, home, scenario="mails")
    app.selectbox(key="whatif_family").set_value("retry").run()
    app = press(app, "Add to the file")
    assert not app.exception
    assert "name: fewer attempts" in app.text_area(key="whatif_text").value


def test_save_keeps_the_file_for_everybody(book: Book, home: Home) -> None:
    app = press(opened(book, home, scenario="mails"), "Save")
    assert not app.exception
    with ControlStore.of(home) as control:
        assert control.scenario("Mails by subject").content == FILE


def test_without_data_the_page_says_how_to_begin(home: Home) -> None:
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in said(opened(empty_book(), home))


def test_without_a_home_the_page_says_what_is_missing() -> None:
    assert "tokenpnl serve" in said(opened(book_of(1), None))
