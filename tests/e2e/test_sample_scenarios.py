"""The scenario files of the samples: each runs, says something, and names what is hidden in the samples."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tokenpnl_analytics.whatif.result import Evidence, Result
from tokenpnl_dashboard.book import Book, open_book
from tokenpnl_dashboard.commands.ingest import load_files
from tokenpnl_dashboard.questions.whatif import Report, run_file, scenarios_named
from tokenpnl_ingest.home import Home

SAMPLES = Path(__file__).parents[2] / "sample_traces"
FILES = sorted(path.stem for path in (SAMPLES / "config" / "scenarios").glob("*.yaml"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    place = Home.at(tmp_path_factory.mktemp("scenarios"))
    place.config.mkdir(parents=True)
    for file in (SAMPLES / "config").glob("*.yaml"):
        (place.config / file.name).write_bytes(file.read_bytes())
    load_files(place, tuple(sorted(SAMPLES.glob("*.otlp.jsonl.gz"))))
    return place


@pytest.fixture(scope="module")
def book(home: Home) -> Iterator[Book]:
    with open_book(home) as book:
        yield book


def report(book: Book, home: Home, name: str) -> Report:
    return run_file(book, home, scenarios_named(home, str(SAMPLES / "config" / "scenarios" / f"{name}.yaml")))


def named(found: Report, name: str) -> Result:
    return next(result for result in found.compared.results if result.name == name)


@pytest.mark.parametrize("name", FILES)
def test_every_file_gives_a_figure_and_loses_no_dollar(book: Book, home: Home, name: str) -> None:
    found = report(book, home, name)
    results = found.compared.results
    assert any(result.saving_usd is not None for result in results)
    for result in results:
        assert result.assumptions or result.evidence is not Evidence.ASSUMED
        assert result.saving_usd is None or result.before_usd - result.saving_usd == result.after_usd
    if found.compared.combined is not None:
        saved = sum(found.compared.waterfall["saving_usd"].to_list())
        assert saved == found.compared.combined.saving_usd
        assert saved <= found.compared.combined.before_usd


def test_the_gpu_that_stands_idle_is_found_dear(book: Book, home: Home) -> None:
    best = named(report(book, home, "catalogue"), "where to run the tags")
    assert best.saving_usd is not None
    assert best.saving_usd / best.before_usd > 0.95
    assert any("given back with all its idle time" in sentence for sentence in best.caveats)


def test_a_logged_random_router_lets_another_be_estimated(book: Book, home: Home) -> None:
    better = named(report(book, home, "mails"), "disputes to the strong model")
    assert better.success_evidence is Evidence.ESTIMATED
    # The sample world gives disputes a strong model's chance: about six points over all mails.
    assert better.success.low is not None
    assert 0 < better.success.low < 0.06 < (better.success.high or 0)


def test_a_model_that_was_never_tried_says_nothing_about_success(book: Book, home: Home) -> None:
    small = named(report(book, home, "invoices"), "small model reads fields")
    assert small.success_evidence is Evidence.NOT_IDENTIFIABLE
    assert small.success.value is None
    assert small.to_log
