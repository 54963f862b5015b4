"""What a report says it rests on."""

from dataclasses import replace

from tests.analytics.line_rows import START, lines_of
from tests.dashboard.frames import NOW, book_of, empty_book, packed

from tokenpnl_analytics.periods import Period
from tokenpnl_analytics.unit_cost.units import cohort
from tokenpnl_dashboard.exports.pack import pack_of
from tokenpnl_dashboard.questions.disclosure import Known, Summed, disclosure_of


def test_a_report_says_prices_n_coverage_interval_and_what_was_not_checked() -> None:
    frames = book_of(300).frames
    made = packed(frames["line_items"], cohort(frames["runs"], as_of=NOW), period="all time", as_of=NOW)
    told = dict(made.disclosure)
    assert told["Prices"] == "genai-prices 0.2.3"
    assert told["Lines"] == f"{frames['line_items'].height:,} line items, 100% priced"
    assert told["Runs"] == "300 production runs started in the period"
    assert told["Interval"].startswith("95%, ")
    assert "invoice" in told["Not checked"]
    assert told["Data to"] == "24 Nov 2026 08:41 UTC"


def test_without_runs_there_is_no_unit_cost_and_no_interval() -> None:
    made = packed(lines_of({"usd": "1"}), period="now", as_of=START)
    assert made.units.is_empty()
    assert dict(made.disclosure)["Interval"] == "none: nothing has settled yet"


def test_usage_without_a_price_is_told_with_its_size() -> None:
    made = packed(lines_of({"cost_source": "unpriced", "quantity": 12}), period="now", as_of=START)
    assert dict(made.disclosure)["Without a price"] == "12 units of usage; every sum of dollars is a floor"


def test_what_ran_past_a_limit_is_a_memo_line_of_the_report() -> None:
    lines = lines_of({"usd": "1"}, {"usd": "2"})
    assert "over_limit_usd" not in packed(lines, period="now", as_of=START).total.columns
    made = packed(lines, period="now", as_of=START, over_limit=lines[1:].rename({"cost_usd": "over_limit_usd"}))
    assert made.total.select("effective_usd", "over_limit_usd").row(0) == (3, 2)


def test_a_report_of_books_that_lag_says_that_it_is_unfinished() -> None:
    lines = lines_of({"usd": "1"})
    whole = disclosure_of(Known(empty_book().query, START), Summed(Period("all", None, None), lines=lines))
    made = pack_of(lines, None, replace(whole, batches_behind=2), period="now", as_of=START)
    assert dict(made.disclosure)["Unfinished"] == "Books are 2 batches behind: figures are unfinished"
    assert "Unfinished" not in dict(packed(lines, period="now", as_of=START).disclosure)
