"""The prices of a home and the verb over them; each of its calls costs $0.021 at list price."""

import io
import json
import urllib.error
import urllib.request
from datetime import UTC, datetime
from decimal import Decimal
from http.client import HTTPMessage
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result
from tests.dashboard.months import OCTOBER_5, close, closing_of, load, run

from tokenpnl.errors import ConfigurationError, RefusedInputError, TokenpnlError
from tokenpnl_analytics.closing.close import sha256_of
from tokenpnl_dashboard.book import open_book
from tokenpnl_dashboard.cli import tokenpnl as program
from tokenpnl_dashboard.closing.months import faults
from tokenpnl_dashboard.rules.pricing import (
    MOST_BYTES,
    HttpsOnly,
    Span,
    card_in_force,
    fetched,
    open_spans,
    stored_card,
)
from tokenpnl_ingest.control import ControlStore
from tokenpnl_ingest.home import Home

OVERRIDE = "rules: [{match: {model: gpt-4o-mini}, prices: {input_uncached: 0.3}}]\n"


def prices(home: Home, *words: str) -> Result:
    return CliRunner().invoke(program, ["prices", *words, "--home", str(home.path)], standalone_mode=False)


def rows_of(result: Result) -> list[dict[str, Any]]:
    assert result.exception is None, result.exception
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    return rows


def cost(home: Home) -> Decimal:
    with open_book(home) as book:
        total: Decimal = book.query("line_item_sums")["cost_usd"].sum()
        return total


def test_a_table_of_dated_prices_joins_kinds_of_one_price_and_leaves_out_what_says_nothing(home: Home) -> None:
    result = prices(home, "show", "gpt-4o-mini", "--provider", "openai")
    assert "input_cache_read" in result.output
    assert "contracted" not in result.output
    assert "day_from" not in result.output
    assert "no room" not in result.output


def test_the_list_shows_what_is_in_force(home: Home) -> None:
    listed = rows_of(prices(home, "list", "--provider", "openai", "--at", "2026-11-24", "--json"))
    (mini,) = (row for row in listed if row["model"] == "gpt-4o-mini")
    assert (mini["input_usd"], mini["output_usd"], mini["price_source"]) == ("0.15", "0.6", "genai-prices")


def test_an_unknown_provider_has_no_list(home: Home) -> None:
    result = prices(home, "list", "--provider", "nobody")
    assert (result.return_value, "no prices of nobody" in result.stderr) == (1, True)


def test_every_dated_price_of_a_model_is_shown(home: Home) -> None:
    shown = rows_of(prices(home, "show", "claude-sonnet-4-5", "--provider", "anthropic", "--json"))
    standard = [row for row in shown if row["tier"] == "standard" and row["usage_kind"] == "input_uncached"]
    assert [(row["input_above"], row["list_usd"]) for row in standard] == [(None, "3"), (200_000, "6")]


def test_a_model_without_a_price_names_what_is_near(home: Home) -> None:
    result = prices(home, "show", "gpt-4o-minni")
    assert isinstance(result.exception, TokenpnlError)
    assert "nearest: gpt-4o-mini" in str(result.exception)


def test_files_that_changed_differ_from_what_is_in_force(home: Home) -> None:
    assert prices(home, "diff").return_value == 0
    (home.config / "override.yaml").write_text(OVERRIDE)
    result = prices(home, "diff", "--json")
    assert result.return_value == 1
    (row,) = rows_of(result)
    assert (row["what"], row["old"]) == ("override", None)
    assert '"input_uncached":"0.3"' in row["new"]


def test_a_dry_run_says_what_would_change_and_changes_nothing(home: Home) -> None:
    (home.config / "override.yaml").write_text(OVERRIDE)
    (october, november) = rows_of(prices(home, "reprice", "--json"))
    # 100,000 uncached tokens a call, 15 cents dearer per million; three calls in October, one in November.
    assert (october["month"], october["n_calls"], october["difference_usd"]) == ("2026-10", 3, "0.045")
    assert (november["month"], november["n_calls"], november["difference_usd"]) == ("2026-11", 1, "0.015")
    with ControlStore.of(home) as control:
        assert control.open_rebooks() == []
    assert cost(home) == Decimal("0.084")


def test_repricing_books_its_span_again_and_no_other(home: Home) -> None:
    (home.config / "override.yaml").write_text(OVERRIDE)
    result = prices(home, "reprice", "--from", "2026-11-01", "--apply", "--by", "ann", "--json")
    assert [row["month"] for row in rows_of(result)] == ["2026-11"]
    assert "booking again: #1" in result.stderr
    assert cost(home) == Decimal("0.099")  # 0.084 and 0.015 for the call of November


def test_repricing_leaves_closed_months_alone(home: Home) -> None:
    with closing_of(home) as closing:
        close(closing)
    (home.config / "override.yaml").write_text(OVERRIDE)
    result = prices(home, "reprice", "--apply", "--by", "ann", "--json")
    assert [row["month"] for row in rows_of(result)] == ["2026-11"]
    with ControlStore.of(home) as control:
        assert open_spans(control, Span(None, None)) == [
            Span(None, datetime(2026, 10, 1, tzinfo=UTC)),
            Span(datetime(2026, 11, 1, tzinfo=UTC), None),
        ]
    assert cost(home) == Decimal("0.099")


def test_a_correction_into_closed_months_is_read_beside_them_and_posted_once_in_the_open_one(home: Home) -> None:
    with closing_of(home) as closing:
        close(closing)
        before = digests(home.closed)
    (home.config / "override.yaml").write_text(OVERRIDE)
    dry = prices(home, "reprice", "--into-closed", "--json")
    # 15 cents more per million, 100,000 tokens a call: one call of November, three of the closed October.
    told = [(row["books"], row["month"], row["difference_usd"]) for row in rows_of(dry)]
    assert told == [("open", "2026-11", "0.015"), ("closed", "2026-10", "0.045")]
    assert "closed months: 1 rows would change: $0.045 to $0.09, a difference of 0.045 USD" in dry.stderr
    assert cost(home) == Decimal("0.084")
    for _ in range(2):  # to correct twice corrects once
        rows_of(prices(home, "reprice", "--into-closed", "--apply", "--by", "ann", "--json"))
    assert cost(home) == Decimal("0.144")
    assert digests(home.closed) == before
    with closing_of(home) as closing:
        assert closing.restated("2026-10", ()).select("as_closed_usd", "now_usd", "difference_usd").rows() == [
            (Decimal("0.063"), Decimal("0.108"), Decimal("0.045"))
        ]
        carried = closing.adjustments_into(closing.span("2026-11"))
        assert (set(carried["origin_period"]), carried["cost_usd"].sum()) == ({"2026-10"}, Decimal("0.045"))
    november = [(None, Decimal("0.036")), ("2026-10", Decimal("0.045"))]
    assert [posted(home, month) for month in ("2026-10", "2026-11")] == [[(None, Decimal("0.063"))], november]
    with closing_of(home) as closing:
        close(closing, "2026-11")
        assert faults(home, closing.control) == []
        assert closing.adjustments_into(closing.span("2026-12")).is_empty()
    assert [posted(home, month) for month in ("2026-11", "2026-12")] == [november, []]


def digests(folder: Path) -> dict[str, str]:
    return {str(path): sha256_of(path.read_bytes()) for path in sorted(folder.rglob("*")) if path.is_file()}


def posted(home: Home, month: str) -> list[tuple[str | None, Decimal]]:
    """Return what the general ledger has as expense in a month, by origin period."""
    asked = ["export", "gl", "--period", month, "--home", str(home.path), "-o", "-"]
    told = CliRunner().invoke(program, asked, standalone_mode=False)
    assert told.exit_code == 0, told.output
    journal = pl.read_csv(told.stdout.encode(), infer_schema=False).filter(entry="expense")
    sums = journal.group_by("origin_period").agg(pl.col("debit_usd").cast(pl.Decimal(38, 12)).sum())
    return sums.sort("origin_period", nulls_last=False).rows()


def test_a_stored_version_can_be_used_again_by_a_part_of_its_name(home: Home) -> None:
    with ControlStore.of(home) as control:
        first = card_in_force(control)
        assert first is not None
        assert stored_card(control, first.version[-12:]).version == first.version
        with pytest.raises(RefusedInputError, match="0 price versions fit 'nothing'"):
            stored_card(control, "nothing")


def test_a_home_without_prices_yet_has_none_in_force(tmp_path: Path) -> None:
    with ControlStore.of(Home.at(tmp_path / "new")) as control:
        assert card_in_force(control) is None


def test_the_check_lists_models_without_a_price_and_the_rule_to_write(home: Home) -> None:
    assert prices(home, "check").return_value == 0
    load(home, *run(9, OCTOBER_5, 2, model="house-7b"))
    result = prices(home, "check", "--json")
    assert result.return_value == 1
    (row,) = rows_of(result)
    assert (row["provider"], row["model"], row["tokens"]) == ("openai", "house-7b", 110_000)
    assert '- match: {"provider": "openai", "model": "house-7b"}' in result.stderr


def test_the_check_names_file_and_line_of_a_mistake_and_missing_rates(home: Home) -> None:
    (home.config / "override.yaml").write_text("rules:\n- prices: {output: 1}\n")
    result = prices(home, "check")
    assert result.return_value == 1
    assert "override.yaml:2: rules.0.prices: unknown usage kinds output" in result.stderr
    (home.config / "override.yaml").write_text("rules: [{prices: {output_text: 1}, currency: EUR}]\n")
    assert "EUR has no average for 2026-10 in fx.yaml" in prices(home, "check").stderr


def test_reported_costs_are_set_beside_ours(home: Home) -> None:
    spans = run(9, OCTOBER_5, 2)
    spans[1]["attributes"].append({"key": "llm.cost.total", "value": {"doubleValue": 0.02}})
    load(home, *spans)
    (row,) = rows_of(prices(home, "check", "--costs", "--json"))
    assert (row["reported_usd"], row["computed_usd"], row["difference_usd"]) == ("0.02", "0.021", "0.001")


def test_a_litellm_list_is_kept_and_prices_what_had_no_price(home: Home, tmp_path: Path) -> None:
    load(home, *run(9, OCTOBER_5, 2, model="house-7b"))
    listing = tmp_path / "prices.json"
    entry = {"litellm_provider": "openai", "input_cost_per_token": 1e-06, "input_cost_per_pixel": 1}
    listing.write_text(json.dumps({"house-7b": entry}))
    result = prices(home, "import", str(listing), "--format", "litellm")
    assert result.exception is None, result.exception
    assert "1 prices of 1 models taken over" in result.stderr
    assert "input_cost_per_pixel (1)" in result.stderr
    (row,) = rows_of(prices(home, "reprice", "--json"))
    assert (row["model"], row["old_usd"], row["new_usd"]) == ("house-7b", None, "0.1")
    again = prices(home, "import", str(listing), "--format", "litellm")
    assert isinstance(again.exception, ConfigurationError)
    assert "give --replace" in str(again.exception)


def test_a_rule_file_that_does_not_hold_is_not_imported(home: Home, tmp_path: Path) -> None:
    wrong = tmp_path / "mine.yaml"
    wrong.write_text("rules: [{discount_pct: 120}]\n")
    result = prices(home, "import", str(wrong), "--format", "contract")
    assert isinstance(result.exception, ConfigurationError)
    assert not (home.config / "contract.yaml").exists()
    wrong.write_text("rules: [{discount_pct: 12}]\n")
    assert prices(home, "import", str(wrong), "--format", "contract").exception is None
    assert (home.config / "contract.yaml").read_text() == "rules: [{discount_pct: 12}]\n"


def test_a_newer_edition_of_the_published_prices_is_taken_only_when_asked(home: Home, tmp_path: Path) -> None:
    edition = tmp_path / "data.json"
    models = [
        {"id": "gpt-4o-mini", "match": {"equals": "gpt-4o-mini"}, "prices": {"input_mtok": "0.2", "output_mtok": 1}}
    ]
    edition.write_text(json.dumps([{"id": "openai", "name": "O", "api_pattern": "https://o", "models": models}]))
    dry = prices(home, "update", str(edition), "--dry-run", "--json")
    changed = {(row["model"], row["usage_kind"]): (row["old"], row["new"]) for row in rows_of(dry)}
    assert changed["gpt-4o-mini", "output_text"] == ("0.600000000000", "1.000000000000")
    assert not (home.config / "genai-prices.json").exists()
    assert prices(home, "update", str(edition), "--json").exception is None
    (row, *_) = rows_of(prices(home, "reprice", "--from", "2026-11-01", "--json"))
    assert (row["old_usd"], row["new_usd"]) == ("0.015", "0.02")


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        fetched(str(tmp_path / "none.json"))


def test_a_file_beyond_any_price_list_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "endless.json"
    with file.open("wb") as sink:
        sink.truncate(MOST_BYTES + 1)
    with pytest.raises(ConfigurationError, match="larger than 32 MiB"):
        fetched(str(file))


@pytest.mark.parametrize("newurl", ["http://127.0.0.1/prices.json", "ftp://127.0.0.1/prices.json"])
def test_prices_are_not_followed_away_from_https(newurl: str) -> None:
    asked = urllib.request.Request("https://127.0.0.1/prices.json")
    with pytest.raises(urllib.error.URLError, match="not https"):
        HttpsOnly().redirect_request(asked, io.BytesIO(), 302, "Found", HTTPMessage(), newurl)
