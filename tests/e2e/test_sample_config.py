"""The rule files of the samples hold, say what their comments say, and give every cost an owner and an account."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tokenpnl.tables import ATTEMPTS
from tokenpnl_analytics.books import Books, keep_books
from tokenpnl_analytics.capacity.items import capacity_lines
from tokenpnl_analytics.finance.allocation import allocate, unallocated_share
from tokenpnl_analytics.finance.gl import journal
from tokenpnl_analytics.frames import conform
from tokenpnl_analytics.pricing.layered import card_of
from tokenpnl_analytics.resolving.capture import capture_of
from tokenpnl_analytics.rules.accounts import ACCOUNTS
from tokenpnl_analytics.rules.allocation import ALLOCATION
from tokenpnl_analytics.rules.budgets import BUDGETS
from tokenpnl_analytics.rules.commitments import CommitmentsFile
from tokenpnl_analytics.rules.gpus import GPUS
from tokenpnl_analytics.rules.outcomes import OUTCOMES
from tokenpnl_analytics.rules.prices import CONTRACT
from tokenpnl_analytics.rules.reading import RuleFile
from tokenpnl_analytics.rules.registry import RULE_FILES
from tokenpnl_analytics.unit_cost.outcome_rules import definition_changes
from tokenpnl_dashboard.rules.configuration import Configuration
from tokenpnl_ingest.files import requests_in

SAMPLE_TRACES = Path(__file__).parents[2] / "sample_traces"
FOLDER = SAMPLE_TRACES / "config"
FILES = sorted(FOLDER.glob("*.yaml"))
WORKFLOWS = ("catalogue_tagging", "contract_review", "invoice_extraction", "mail_triage", "support_reply")
KNOWN: dict[str, RuleFile[Any]] = {file.name: file for file in RULE_FILES}
RULES = Configuration(FOLDER)
FIRST, UNTIL = datetime(2026, 9, 22, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture(scope="module")
def books() -> list[Books]:
    card, definitions = card_of(contract=RULES.read(CONTRACT)), RULES.read(OUTCOMES)
    kept = []
    for workflow in WORKFLOWS:
        capture = capture_of(requests_in(SAMPLE_TRACES / f"{workflow}.otlp.jsonl.gz"))
        kept.append(keep_books(capture.spans, capture.outcomes, card, outcome_rules=definitions))
    return kept


@pytest.fixture(scope="module")
def lines(books: list[Books]) -> pl.DataFrame:
    """Every line item of the sixty days, what the GPU cost among them."""
    tokens = pl.concat(each.line_items for each in books)
    attempts = pl.concat(conform(each.attempts, ATTEMPTS) for each in books)
    capacity = capacity_lines(attempts, RULES.read(GPUS), CommitmentsFile(), since=FIRST, until=UNTIL, lines=tokens)
    return pl.concat([tokens, capacity])


def cost_usd(lines: pl.DataFrame) -> Decimal:
    total: Decimal = lines.select(pl.col("cost_usd").sum()).item()
    return total


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_rule_file_of_the_samples_holds_and_says_something(file: Path) -> None:
    rules = RULES.read(KNOWN[file.name])
    assert file.name == "close.yaml" or rules != KNOWN[file.name].model()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_rule_file_of_the_samples_is_explained_in_its_first_line(file: Path) -> None:
    assert file.read_text(encoding="utf-8").startswith("# ")


def test_the_contract_takes_eight_percent_off_one_provider_from_october_on(lines: pl.DataFrame) -> None:
    anthropic = lines.filter(
        pl.col("provider") == "anthropic", pl.col("started_at") >= datetime(2026, 10, 1, tzinfo=UTC)
    )
    others = lines.join(anthropic, on="line_id", how="anti")
    discounted = anthropic.select(
        (pl.col("list_cost_usd") * Decimal("0.92") - pl.col("contracted_cost_usd")).abs().max()
    )
    assert anthropic["list_cost_usd"].sum() > 100
    assert discounted.item() <= Decimal("1E-12")
    assert others["list_cost_usd"].sum() == others["contracted_cost_usd"].sum()


def test_the_gpu_costs_its_eleven_days_and_stands_idle_nearly_always(lines: pl.DataFrame) -> None:
    pool = lines.filter(pl.col("pool") == "tagger")
    idle = pool.filter(pl.col("cost_category") == "idle_capacity")
    # 11 days of 24 hours at $0.35.
    assert cost_usd(pool) == Decimal("92.40")
    assert round(1 - float(cost_usd(idle) / cost_usd(pool)), 2) == 0.06


def test_at_this_load_a_success_costs_far_less_at_the_provider(books: list[Books], lines: pl.DataFrame) -> None:
    tagging = books[0]
    where = tagging.attempts.group_by("run_id").agg(pl.col("deployment").unique().str.join("+"))
    successes = tagging.runs.filter(pl.col("outcome") == "success").join(where, on="run_id")
    n_own, n_hosted = (successes.filter(pl.col("deployment") == place).height for place in ("self_host", "managed_api"))
    hosted = lines.filter(pl.col("provider") == "groq")
    assert n_hosted >= 30
    assert cost_usd(hosted) / n_hosted < Decimal("0.01")
    assert Decimal("92.40") / n_own > Decimal("0.25")


def test_every_cost_has_an_owner(lines: pl.DataFrame) -> None:
    allocated = allocate(lines, RULES.read(ALLOCATION))
    assert unallocated_share(allocated)[0] == 0
    assert cost_usd(allocated) == cost_usd(lines)


def test_every_cost_has_an_account_and_the_entries_balance(lines: pl.DataFrame) -> None:
    entries = journal(lines, RULES.read(ACCOUNTS))
    assert entries["debit_usd"].sum() == entries["credit_usd"].sum() == cost_usd(lines)
    assert set(entries["account"]) == {"5100", "5110", "5120", "6100", "6110", "6200", "2150", "2160", "2310"}


@pytest.mark.parametrize(
    ("name", "overrun"),
    [
        ("Contract review", {"2026-10"}),
        ("Support replies", set()),
        ("Invoice extraction", set()),
        ("Catalogue tagging", set()),
        ("Mail triage", set()),
        ("Staging", set()),
        ("All model cost", set()),
    ],
)
def test_contract_review_alone_has_overrun_its_month(lines: pl.DataFrame, name: str, overrun: set[str]) -> None:
    file = RULES.read(BUDGETS)
    budget = next(budget for budget in file.budgets if budget.name == name)
    wanted = [pl.col(column).is_in(values) for column, values in file.selection(budget).columns().items()]
    month = pl.col("started_at").dt.strftime("%Y-%m").alias("month")
    spent = lines.filter(*wanted).group_by(month).agg(pl.col("cost_usd").sum())
    assert set(spent.filter(pl.col("cost_usd") > budget.amount_usd)["month"]) == overrun


def test_every_workflow_has_a_definition_and_one_of_them_changed(books: list[Books]) -> None:
    definitions = RULES.read(OUTCOMES)
    runs = pl.concat(each.runs.select("workflow", "started_at") for each in books)
    assert all(definitions.definition_of(*run) is not None for run in runs.iter_rows())
    assert definition_changes(definitions, FIRST, UNTIL)["workflow"].to_list() == ["support_reply"]
