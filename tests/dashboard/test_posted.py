"""Closed months in the files that leave the house: as closed, under their hash, or not at all."""

import io
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import openpyxl
import polars as pl
from click.testing import CliRunner
from tests.dashboard.months import OCTOBER_5, close, closing_of, load, run

from tokenpnl.errors import StoreError
from tokenpnl_dashboard.cli import tokenpnl as program
from tokenpnl_ingest.home import Home

CALL = Decimal("0.021")  # 100,000 tokens in at $0.15 and 10,000 out at $0.60 a million


def test_every_file_of_a_closed_month_can_be_had_as_closed_under_its_hash(home: Home, tmp_path: Path) -> None:
    with closing_of(home) as closing:
        close(closing)
        (sha256,) = [step.snapshot_sha256 for step in closing.control.closes()]
    load(home, *run(2, OCTOBER_5, 2, 3))

    def exported(form: str, *words: str, period: str = "2026-10") -> tuple[bytes, str]:
        file = tmp_path / f"books.{form}"
        asked = ["export", form, "--period", period, "--home", str(home.path), "-o", str(file), *words]
        told = CliRunner().invoke(program, asked, standalone_mode=False)
        assert told.exception is None, told.output
        return file.read_bytes(), told.stderr

    def cost(form: str, column: str, *words: str, period: str = "2026-10") -> Decimal:
        text = pl.read_csv(exported(form, *words, period=period)[0], infer_schema=False)[column]
        return sum((Decimal(cell) for cell in text), Decimal(0))

    for form, column in (("csv", "cost_usd"), ("focus", "EffectiveCost")):
        assert (cost(form, column), cost(form, column, "--posted")) == (4 * CALL, 3 * CALL)
        assert cost(form, column, "--posted", period="2026-11") == 2 * CALL
        assert cost(form, column, "--posted", period="all") == cost(form, column, period="all")
    posted = pl.read_parquet(exported("parquet", "--posted")[0])
    assert (posted["cost_usd"].sum(), posted["origin_period"].null_count()) == (3 * CALL, posted.height)
    disclosed = openpyxl.load_workbook(io.BytesIO(exported("xlsx", "--posted")[0]))["Disclosure"]
    (told,) = [words for what, words in disclosed.iter_rows(values_only=True) if what == "Closed months"]
    assert "2026-10 as closed on" in told
    assert sha256 in told
    assert sha256 in exported("pdf", "--posted")[1]
    assert "2026-10 is closed; these are the books of today" in exported("csv")[1]


def test_no_file_is_made_of_a_closed_month_that_was_tampered_with(home: Home) -> None:
    with closing_of(home) as closing:
        close(closing)
    file = home.closed / "2026-10" / "runs.parquet"
    file.chmod(0o600)
    pl.read_parquet(file).head(1).write_parquet(file)
    for form in ("csv", "gl", "pdf"):
        asked = ["export", form, "--period", "2026-10", "--home", str(home.path), *["--posted"][: form != "gl"]]
        told = CliRunner().invoke(program, asked, standalone_mode=False)
        assert isinstance(told.exception, StoreError)
        assert "nothing is made of it" in str(told.exception)


def test_months_that_are_closed_in_a_zone_are_posted_in_it(home: Home) -> None:
    # The last hour of October in UTC is November in Rome, where clocks were turned back on the 25th.
    load(home, *run(4, datetime(2026, 10, 31, 23, 30, tzinfo=UTC), 2))
    (home.config / "close.yaml").write_text("zone: Europe/Rome")
    with closing_of(home) as closing:
        span = closing.span("2026-10")
        assert (span.since.hour, span.until.hour) == (22, 23)
        close(closing)
        assert closing.snapshot("2026-10").line_items()["cost_usd"].sum() == 3 * CALL
    asked = ["export", "gl", "--period", "2026-10", "--home", str(home.path), "-o", "-"]
    told = CliRunner().invoke(program, asked, standalone_mode=False)
    (expense,) = pl.read_csv(told.stdout.encode(), infer_schema=False).filter(entry="expense").rows(named=True)
    assert (expense["period"], expense["date"], Decimal(expense["debit_usd"])) == ("2026-10", "2026-10-31", 3 * CALL)


def test_the_ledger_has_closed_months_as_closed_and_what_changed_in_the_open_one(home: Home) -> None:
    with closing_of(home) as closing:
        close(closing)
    load(home, *run(2, OCTOBER_5, 2, 3))
    (home.config / "accounts.yaml").write_text("{accounts: [{account: '1'}], payables: [{account: '2'}]}")

    def posted(period: str) -> list[tuple[str, str, str]]:
        asked = ["export", "gl", "--period", period, "--home", str(home.path), "-o", "-"]
        told = CliRunner().invoke(program, asked, standalone_mode=False)
        assert told.exit_code == 0, told.output
        journal = pl.read_csv(told.stdout.encode(), infer_schema=False).filter(entry="expense")
        return journal.select("account", "origin_period", pl.col("debit_usd").str.strip_chars_end("0")).rows()

    # October by its own map, whatever accounts.yaml says today; November with the late call of October.
    assert posted("2026-10") == [("5100", None, "0.063")]
    assert posted("2026-11") == [("1", "2026-10", "0.021"), ("1", None, "0.021")]
