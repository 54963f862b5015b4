"""`tokenpnl budgets` and `tokenpnl alerts` on a home of the sample traces."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.dashboard.alerts.receiver import receiver

from tokenpnl_dashboard.cli import tokenpnl

SAMPLES = Path(__file__).parents[2] / "sample_traces"
BUDGETS = """
budgets:
  - {name: extraction, amount_usd: 9, where: {workflow: invoice_extraction, environment: production}, owner: Ana}
"""
ALERTS = """
channels:
  - {name: hook, kind: webhook, url: "URL", secret_from: HOOK_SECRET}
rules:
  - {name: budgets, watch: budget, channels: [hook]}
  - {name: ends, watch: forecast, channels: [hook]}
"""


def ran(home: Path, *words: str) -> Result:
    return CliRunner().invoke(tokenpnl, [*words, "--home", str(home)], standalone_mode=False, catch_exceptions=False)


def document(result: Result) -> list[dict[str, object]]:
    return json.loads(result.stdout)


def rows_of(result: Result) -> list[dict[str, object]]:
    """Return the rows of a report, which never goes without what it rests on."""
    told = json.loads(result.stdout)
    assert told["disclosure"]["priced_share"] == 1
    assert told["disclosure"]["n"] > 0
    return told["rows"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("home")
    (place / "config").mkdir()
    (place / "config" / "budgets.yaml").write_text(BUDGETS)
    ran(place, "ingest", str(SAMPLES / "invoice_extraction.otlp.jsonl.gz"))
    return place


def test_budgets_say_how_they_stand(home: Path):
    (row,) = rows_of(ran(home, "budgets", "--json"))
    assert (row["budget"], row["period"], row["standing"], row["next_percent"]) == (
        "extraction", "2026-11", "will_overrun", 100,
    )  # fmt: skip
    assert float(str(row["low"])) < float(str(row["forecast_usd"])) < float(str(row["high"]))
    assert row["n_days"] == 59


def test_a_month_that_is_over_ends_where_it_was_spent(home: Path):
    (row,) = rows_of(ran(home, "budgets", "--month", "2026-10", "--json"))
    assert row["period"] == "2026-10"
    assert row["days_left"] == 0
    assert float(str(row["spent_usd"])) == pytest.approx(float(str(row["forecast_usd"])))


def test_a_check_fails_when_a_budget_will_not_hold(home: Path):
    assert ran(home, "budgets", "--check").return_value == 1
    assert ran(home, "budgets").return_value == 0


def test_a_table_is_for_eyes(home: Path):
    assert "will_overrun" in ran(home, "budgets").stdout


def test_variance_names_the_release_s_larger_model_as_mix(home: Path):
    # From 12 October a larger model reads the fields (sample_traces/README.md).
    rows = rows_of(
        ran(
            home,
            "budgets",
            "variance",
            "--period",
            "2026-10-12..2026-10-25",
            "--against",
            "2026-09-28..2026-10-11",
            "--json",
        )
    )
    row = next(row for row in rows if row["workflow"] == "invoice_extraction")
    bars = [float(str(row[name])) for name in ("volume_usd", "mix_usd", "rate_usd", "waste_usd")]
    assert max(bars) == float(str(row["mix_usd"])) > 0.5 * float(str(row["change_usd"])) > 0
    assert ran(home, "budgets", "variance", "--period", "last-7d").return_value == 0


def test_anomalies_say_how_many_series_were_judged(home: Path):
    result = ran(home, "budgets", "anomalies", "--json")
    assert rows_of(result) == []
    assert "series judged over 24 h" in result.stderr
    assert len(rows_of(ran(home, "budgets", "anomalies", "--hours", "--json"))) % 24 == 0


def test_a_backtest_gives_wape_coverage_and_n(home: Path):
    rows = rows_of(ran(home, "budgets", "backtest", "--json"))
    assert [row["horizon"] for row in rows] == [1, 7, 14, 28]
    assert all(0 <= float(str(row["coverage"])) <= 1 for row in rows)
    assert len(rows_of(ran(home, "budgets", "backtest", "--origins", "--json"))) == sum(
        int(str(row["n_origins"])) for row in rows
    )


def test_alerts_are_told_once_listed_and_taken_note_of(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOOK_SECRET", "s")
    with receiver() as got:
        (home / "config" / "alerts.yaml").write_text(ALERTS.replace("URL", got.url))
        assert {row["state"] for row in document(ran(home, "alerts", "run", "--dry-run", "--json"))} == {"found"}
        assert got.requests == []
        assert {row["state"] for row in document(ran(home, "alerts", "run", "--json"))} == {"sent"}
        assert {row["state"] for row in document(ran(home, "alerts", "run", "--json"))} == {"cooling"}
        ran(home, "alerts", "ack", "budget/extraction/2026-11/80", "--by", "Ana", "--reason", "known")
    assert len(got.requests) == 1
    noted = {row["key"]: row["note"] for row in document(ran(home, "alerts", "list", "--json"))}
    assert noted == {"budget/extraction/2026-11/80": "Ana: known", "forecast/extraction/2026-11/100": None}
    assert len(document(ran(home, "alerts", "list", "--open", "--json"))) == 1


def test_a_test_message_reaches_every_channel_or_fails(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOOK_SECRET", "s")
    with receiver() as got:
        (home / "config" / "alerts.yaml").write_text(ALERTS.replace("URL", got.url))
        assert ran(home, "alerts", "test").return_value == 0
        assert got.bodies()[0]["alerts"][0]["headline"] == "1 test message of tokenpnl arrived."
    monkeypatch.delenv("HOOK_SECRET")
    failed = ran(home, "alerts", "test")
    assert failed.return_value == 1
    assert "$HOOK_SECRET is not set" in failed.stderr
