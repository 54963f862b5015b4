import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner
from tests.dashboard.months import DECEMBER_3, NOVEMBER_5, OCTOBER_5, close, closing_of, load, run

from tokenpnl.errors import RefusedInputError, StoreError
from tokenpnl_analytics.pricing.card_file import to_bytes
from tokenpnl_dashboard.book import Book, Version
from tokenpnl_dashboard.cli import tokenpnl as program
from tokenpnl_dashboard.closing.months import Closing, close_status, faults, month_span, open_month
from tokenpnl_dashboard.rules.configuration import Configuration
from tokenpnl_dashboard.rules.instructions import card_of_files
from tokenpnl_ingest.control import CloseState, ControlStore
from tokenpnl_ingest.home import Home

CALL = Decimal("0.021")  # 100,000 tokens in at $0.15 and 10,000 out at $0.60 a million


@pytest.fixture
def closing(home: Home) -> Iterator[Closing]:
    with closing_of(home) as opened:
        yield opened


def test_a_closed_month_holds_its_figures_rules_prices_and_hash(closing: Closing) -> None:
    close(closing)
    [closed] = closing.control.closes()
    listed = closing.snapshot("2026-10").listed()
    assert (closed.state, closed.preparer, closed.approver) == (CloseState.CLOSED, "ann", "bob")
    assert closed.snapshot_sha256 == listed["sha256"]
    assert (listed["line_items"]["rows"], listed["line_items"]["cost_usd"]) == (6, "0.063")
    assert (listed["runs"]["rows"], listed["runs"]["outcomes"]["none"]) == (2, 2)
    assert list(listed["rules"]) == ["accounts.yaml"]
    [(version, stored_sha)] = listed["prices"].items()
    assert [(each.version, each.content_sha256) for each in closing.control.versions()] == [(version, stored_sha)]
    assert faults(closing.home, closing.control) == []


def test_nothing_that_comes_later_moves_a_closed_month(home: Home) -> None:
    with closing_of(home) as closing:
        close(closing)
        before = closing.snapshot("2026-10").line_items()
    # Late spans of an October run, a late outcome, and new prices that somebody wants from ever.
    load(home, *run(2, OCTOBER_5, 2, 3))
    told = CliRunner().invoke(program, ["outcome", "run-1", "failure", "--home", str(home.path)], standalone_mode=False)
    assert told.exit_code == 0, told.output
    (home.config / "override.yaml").write_text(
        "rules: [{match: {model: gpt-4o-mini}, prices: {input_uncached: 1, output_text: 10}}]"
    )
    with ControlStore.of(home) as control:
        card = card_of_files(Configuration.of(home))
        control.record_version(card.version, to_bytes(card), {}, actor="ann")
        control.schedule(card.version, None, None, "wrong since ever", actor="ann")
        control.request_rebook(None, None, "wrong since ever", actor="ann")
    with closing_of(home) as closing:
        after = closing.snapshot("2026-10").line_items()
        assert after.equals(before)
        assert faults(home, closing.control) == []
        # October keeps the prices that it was closed with, November has the new ones: 0.1 + 0.1 for its call.
        october, november = (closing.now(closing.span(month)) for month in ("2026-10", "2026-11"))
        assert october["cost_usd"].sum() == 4 * CALL
        assert november["cost_usd"].sum() == Decimal("0.2")
        restated = closing.restated("2026-10").select("cost_category", "as_closed_usd", "now_usd", "difference_usd")
        assert restated.rows() == [
            ("failed_run", 0, 2 * CALL, 2 * CALL),
            ("pending", 3 * CALL, 2 * CALL, -CALL),
        ]
        [known] = closing.restated_outcomes("2026-10").rows(named=True)
        assert (known["as_closed_failure"], known["now_failure"], known["now_pending"]) == (0, 1, 1)
        # The move of run 1 to failed_run is no money; the late call is.
        posted = closing.adjustments_into(closing.span("2026-11"))
        assert set(posted["origin_period"]) == {"2026-10"}
        assert set(posted["started_at"]) == {datetime(2026, 11, 1, tzinfo=UTC)}
        assert set(posted["charge_category"]) == {"Adjustment"}
        assert posted["cost_usd"].sum() == CALL


def test_an_adjustment_is_closed_with_the_month_that_carries_it_and_not_carried_again(home: Home) -> None:
    with closing_of(home) as closing:
        close(closing)
    load(home, *run(2, OCTOBER_5, 2, 3))
    with closing_of(home) as closing:
        close(closing, "2026-11")
        november = closing.snapshot("2026-11").line_items()
        assert november.filter(pl.col("origin_period") == "2026-10")["cost_usd"].sum() == CALL
        assert november["cost_usd"].sum() == 2 * CALL
        assert closing.adjustments_into(closing.span("2026-12")).is_empty()
        # November's own figures are not restated by what it carries for October.
        assert closing.restated("2026-11", ())["difference_usd"].to_list() == [0]
        assert faults(home, closing.control) == []


def test_months_closed_out_of_order_carry_a_correction_once(home: Home) -> None:
    load(home, *run(4, datetime(2026, 9, 5, 12, tzinfo=UTC), 2))
    with closing_of(home) as closing:
        close(closing, "2026-09")
    load(home, *run(4, datetime(2026, 9, 5, 12, tzinfo=UTC), 2, 3))
    with closing_of(home) as closing:
        close(closing, "2026-11")
        close(closing, "2026-10")
        carried = [
            closing.snapshot(month).line_items().filter(origin_period="2026-09")["cost_usd"].sum()
            for month in ("2026-10", "2026-11")
        ]
        assert carried == [0, CALL]
        assert closing.adjustments_into(closing.span("2026-12")).is_empty()
        assert closing.posted(None, None)["cost_usd"].sum() == 6 * CALL


def test_what_was_carried_for_a_month_that_is_reopened_is_taken_back(home: Home) -> None:
    with closing_of(home) as closing:
        close(closing)
    load(home, *run(2, OCTOBER_5, 2, 3))
    with closing_of(home) as closing:
        close(closing, "2026-11")
        closing.reopen("2026-10", actor="cfo", reason="wrong account")
        december = closing.span("2026-12")
        for _ in ("reopened", "closed again"):
            # October has its late call itself now, and November's closed books carry it too.
            assert closing.adjustments_into(december)["cost_usd"].sum() == -CALL
            assert closing.posted(None, None)["cost_usd"].sum() == 5 * CALL
            if closing.control.state_of("2026-10") is CloseState.REOPENED:
                close(closing)
        assert closing.snapshot("2026-10").line_items()["cost_usd"].sum() == 4 * CALL


def test_a_close_is_refused_with_everything_that_stands_in_its_way(closing: Closing) -> None:
    (closing.home.config / "accounts.yaml").unlink()
    closing.soft_close("2026-10", preparer="ann", now=DECEMBER_3)
    with pytest.raises(RefusedInputError) as caught:
        closing.close("2026-10", preparer="ann", approver="bob", now=DECEMBER_3)
    told = str(caught.value)
    assert "mapped: 0.063 USD fit no rule of accounts.yaml: desk (add rules" in told
    assert "reconciled: no invoice was set against openai (set them against the traces" in told
    assert not closing.home.closed.exists()


def test_a_month_that_is_not_over_is_not_even_soft_closed(closing: Closing) -> None:
    with pytest.raises(RefusedInputError, match=r"month_over: 2026-10 ends at 2026-11-01 00:00 UTC \(wait"):
        closing.soft_close("2026-10", preparer="ann", now=datetime(2026, 10, 31, 23, 59, tzinfo=UTC))


def test_a_close_needs_a_soft_close_and_two_persons(closing: Closing) -> None:
    with pytest.raises(RefusedInputError, match="2026-10 is open; soft close it first: `tokenpnl close 2026-10 --soft"):
        closing.close("2026-10", preparer="ann", approver="bob", now=DECEMBER_3)
    closing.soft_close("2026-10", preparer="ann", now=DECEMBER_3)
    with pytest.raises(RefusedInputError, match="must be two persons"):
        closing.close("2026-10", preparer="ann", approver="Ann ", now=DECEMBER_3)


def test_the_soft_close_keeps_its_accrual(closing: Closing) -> None:
    closed = closing.soft_close("2026-10", preparer="ann", now=DECEMBER_3)
    [accrued] = closed.detail["accrual"]
    assert (accrued["provider"], accrued["accrual"], accrued["net_usd"]) == ("openai", "contracted", "0.063")


def test_an_unpriced_month_is_closed_with_a_signature_only(home: Home) -> None:
    load(home, *run(9, OCTOBER_5, 2, model="nobody-knows-9"))
    with closing_of(home) as closing:
        [priced] = [each for each in closing.conditions("2026-10", now=DECEMBER_3) if each.name == "priced"]
        assert (priced.fulfilled, priced.told) == (False, "110,000 of 440,000 tokens have no price: nobody-knows-9")
        closing.control.sign_off("2026-10", "unpriced", "a free preview", actor="cfo")
        [priced] = [each for each in closing.conditions("2026-10", now=DECEMBER_3) if each.name == "priced"]
        assert priced.told.endswith("signed: cfo, a free preview")
        close(closing)


def test_an_open_request_to_book_again_stands_in_the_way(closing: Closing) -> None:
    closing.control.request_rebook(None, None, "new rules", actor="ann")
    told = {each.name: each.fulfilled for each in closing.conditions("2026-10", now=DECEMBER_3)}
    assert [name for name, fulfilled in told.items() if not fulfilled] == ["books_done", "reconciled"]


def test_a_reopened_month_is_closed_again_beside_its_first_snapshot(closing: Closing) -> None:
    close(closing)
    closing.reopen("2026-10", actor="cfo", reason="wrong account")
    assert closing.control.frozen_spans() == []
    with pytest.raises(RefusedInputError, match="2026-10 is reopened, not closed"):
        closing.restated("2026-10")
    close(closing)
    assert sorted(path.name for path in closing.home.closed.iterdir()) == ["2026-10", "2026-10.reopened-1"]
    assert faults(closing.home, closing.control) == []


@pytest.mark.parametrize("name", ["line_items.parquet", "runs.parquet", "rules/accounts.yaml", "manifest.json"])
def test_an_edit_of_a_closed_file_is_found(closing: Closing, name: str) -> None:
    close(closing)
    file = closing.home.closed / "2026-10" / name
    file.chmod(0o600)
    if name.endswith("parquet"):
        pl.read_parquet(file).head(1).write_parquet(file)
    elif name.endswith("json"):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"zone": "Europe/Rome"}))
    else:
        file.write_text(file.read_text() + "\n# a comment")
    told = faults(closing.home, closing.control)
    assert told
    assert all(sentence.startswith("2026-10: ") for sentence in told)


def test_a_missing_or_foreign_file_is_found(closing: Closing) -> None:
    close(closing)
    folder = closing.home.closed / "2026-10"
    folder.chmod(0o700)
    (folder / "note.txt").write_text("hello")
    assert faults(closing.home, closing.control) == ["2026-10: note.txt does not belong here"]
    (folder / "runs.parquet").unlink()
    assert "runs.parquet cannot be read" in faults(closing.home, closing.control)[0]


def test_an_edit_of_the_close_in_the_database_is_found(closing: Closing) -> None:
    close(closing)
    with sqlite3.connect(closing.home.path / "control.sqlite") as database:
        database.execute("UPDATE closes SET snapshot_sha256 = ? WHERE state = 'closed'", ["0" * 64])
    database.close()
    told = faults(closing.home, closing.control)
    assert told == [
        "closes 2: snapshot_sha256 is not what the audit chain tells",
        "2026-10: the control store's manifest is not the one that was signed",
    ]


def test_a_control_store_older_than_the_closed_months_is_found_and_a_cut_close_is_closed_again(home: Home) -> None:
    kept = {path: path.read_bytes() for path in home.path.iterdir() if path.name.startswith(("control", "audit"))}
    with closing_of(home) as closing:
        close(closing)
    for path in home.path.glob("control*"):
        path.unlink()
    for path, content in kept.items():
        path.write_bytes(content)
    with closing_of(home) as closing:
        (told,) = faults(home, closing.control)
        assert "2026-10: its figures are there, but the control store knows no close" in told
        close(closing)
        assert faults(home, closing.control) == []


def test_a_month_is_not_closed_beside_one_that_was_tampered_with(closing: Closing) -> None:
    close(closing)
    file = closing.home.closed / "2026-10" / "line_items.parquet"
    file.chmod(0o600)
    pl.read_parquet(file).with_columns(pl.col("cost_usd") * 2).write_parquet(file)
    with pytest.raises(RefusedInputError, match="audit_chain: 2026-10: line_items is"):
        close(closing, "2026-11")


def test_months_begin_in_the_reporting_zone_and_keep_it(home: Home) -> None:
    (home.config / "close.yaml").write_text("zone: America/New_York")
    with closing_of(home) as closing:
        close(closing)
        (home.config / "close.yaml").write_text("zone: UTC")
        assert closing.span("2026-10").since == datetime(2026, 10, 1, 4, tzinfo=UTC)
        assert closing.span("2026-11").since == datetime(2026, 11, 1, tzinfo=UTC)


def test_months_of_two_zones_neither_overlap_nor_leave_hours_out(home: Home) -> None:
    with closing_of(home) as closing:
        close(closing)
        (home.config / "close.yaml").write_text("zone: Europe/Rome")
        for month in ("2026-09", "2026-11"):
            with pytest.raises(RefusedInputError, match=f"{month} in Europe/Rome and 2026-10, closed in UTC, do not"):
                close(closing, month)
        closing.reopen("2026-10", actor="cfo", reason="the zone changes")
        for month in ("2026-09", "2026-10", "2026-11"):
            close(closing, month)


def test_the_open_month_follows_the_last_closed_one(home: Home) -> None:
    with ControlStore.of(home) as control:
        assert open_month(control, "Europe/Rome", now=NOVEMBER_5).month == "2026-11"
        span = month_span("2026-10", "Europe/Rome")
        control.soft_close(span, preparer="ann", detail={})
        control.close(span, people=("ann", "bob"), snapshot_sha256="0" * 64, detail={})
        assert open_month(control, "Europe/Rome", now=DECEMBER_3).month == "2026-11"
        assert close_status(control).select("month", "state", "approver").rows() == [("2026-10", "closed", "bob")]


def test_volume_terms_are_settled_at_the_close_by_the_contract_of_then(home: Home) -> None:
    contract = home.config / "contract.yaml"
    contract.write_text("rebates: [{name: loyal, steps: [{above: 0, pct: 10}]}]")
    with closing_of(home) as closing:
        close(closing)
        closed = closing.snapshot("2026-10").line_items()
        # 10% of three calls at $0.021.
        assert closed.filter(pl.col("usage_kind") == "true_up")["cost_usd"].to_list() == [Decimal("-0.0063")]
        contract.unlink()
        assert closing.restated("2026-10", ())["difference_usd"].to_list() == [0]
        assert closing.adjustments_into(closing.span("2026-11")).is_empty()


def test_alerts_may_name_secrets_and_are_not_frozen(closing: Closing) -> None:
    (closing.home.config / "alerts.yaml").write_text("{}")
    close(closing)
    assert "alerts.yaml" not in closing.snapshot("2026-10").listed()["rules"]


class ArrivingBook:
    """The book of a store into which a line item comes with every question."""

    def __init__(self, book: Book) -> None:
        self._book, self._asked = book, 0

    def version(self) -> Version:
        return self._book.version()

    def query(self, question: str, /, **params: Any) -> pl.DataFrame:
        answer = self._book.query(question, **params)
        if params.get("name") == "line_items" and not params.get("columns"):
            self._asked += 1
            answer = pl.concat([answer, answer.head(1).with_columns(pl.lit(f"late/{self._asked}").alias("line_id"))])
        return answer


def test_facts_that_keep_arriving_stop_the_close(closing: Closing) -> None:
    arriving = Closing(closing.home, ArrivingBook(closing.book), closing.control)
    with pytest.raises(StoreError, match="facts of 2026-10 keep arriving"):
        close(arriving)
    assert closing.control.state_of("2026-10") is CloseState.SOFT
