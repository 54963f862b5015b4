"""The example against `tokenpnl serve`, through gRPC and through HTTP: the books say what the double billed."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from genai_prices import Usage, calc_price

from provider_double import Api, Charge
from staged_double import staged_double
from tokenpnl_dashboard.book import ServedBook
from tokenpnl_ingest.home import Home

EXAMPLE = Path(__file__).parents[2] / "examples" / "support_reply.py"
PROVIDERS = {Api.OPENAI_CHAT: "openai", Api.ANTHROPIC: "anthropic"}
PATIENCE_S = 30.0


@dataclass
class Served:
    """A running collector with its bookkeeper."""

    home: Path
    endpoints: dict[str, str]

    def read(self, table: str, run_ids: list[str], columns: list[str]) -> pl.DataFrame:
        book = ServedBook(Home.at(self.home))
        return book.query("table", name=table, where={"run_id": run_ids}, columns=columns)

    def books_of(self, run_ids: list[str]) -> pl.DataFrame:
        """Return the run rows as soon as all of them have their outcome, or what is there when patience ends."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            runs = self.read("runs", run_ids, ["run_id", "outcome", "n_calls", "n_attempts"])
            if (runs.height == len(run_ids) and not runs["outcome"].has_nulls()) or time.monotonic() > deadline:
                return runs
            time.sleep(0.1)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("home")
    free_ports = ["--http-port", "0", "--grpc-port", "0", "--no-dashboard", "--json"]
    command = [Path(sys.executable).with_name("tokenpnl"), "serve", "--home", home, *free_ports]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            addresses = json.loads(process.stdout.readline())
            grpc = f"http://{addresses['otlp_grpc']}"
            yield Served(home, {"http/protobuf": addresses["otlp_http"], "grpc": grpc})
        finally:
            process.terminate()
            process.wait(30)


@dataclass
class Live:
    """One run of the example, what the double billed for it and what the books say."""

    run_ids: list[str]
    charges: tuple[Charge, ...]
    runs: pl.DataFrame
    line_items: pl.DataFrame


@pytest.fixture(scope="module", params=["http/protobuf", "grpc"])
def live(request: pytest.FixtureRequest, served: Served) -> Live:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TOKENPNL_"))}
    environment |= {
        "OTEL_EXPORTER_OTLP_PROTOCOL": request.param,
        "OTEL_EXPORTER_OTLP_ENDPOINT": served.endpoints[request.param],
    }
    with staged_double() as double:
        environment |= {"OPENAI_API_KEY": "key", "OPENAI_BASE_URL": double.openai_url}
        environment |= {"ANTHROPIC_API_KEY": "key", "ANTHROPIC_BASE_URL": double.url}
        done = subprocess.run(
            [sys.executable, EXAMPLE], env=environment, stdout=subprocess.PIPE, text=True, timeout=90, check=True
        )
    run_ids = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("run ")]
    runs = served.books_of(run_ids)
    columns = ["run_id", "attempt_id", "usage_kind", "quantity", "cost_usd", "cost_category"]
    return Live(run_ids, double.charges, runs, served.read("line_items", run_ids, columns))


def price(charge: Charge) -> Decimal:
    """Return what genai-prices asks for one answer of the double."""
    assert charge.usage is not None
    bill = Usage(
        input_tokens=charge.usage.input_total,
        cache_read_tokens=charge.usage.input_cache_read,
        cache_write_tokens=charge.usage.cache_write,
        output_tokens=charge.usage.output_total,
    )
    at = datetime.fromtimestamp(charge.at_ns / 1e9, UTC)
    priced = calc_price(bill, charge.model, provider_id=PROVIDERS[charge.api], genai_request_timestamp=at)
    return priced.total_price


def test_every_run_and_its_outcome_are_in_the_books(live: Live) -> None:
    assert sorted(live.runs["run_id"]) == sorted(live.run_ids)
    assert sorted(live.runs["outcome"]) == ["failure"] + ["success"] * 4


def test_the_cost_is_what_the_double_billed_to_the_last_digit(live: Live) -> None:
    billed = sum((price(charge) for charge in live.charges if charge.usage), Decimal(0))
    assert billed > 0
    assert live.line_items["cost_usd"].sum() == billed


def test_every_usage_kind_is_what_the_double_billed(live: Live) -> None:
    billed: dict[str, int] = {}
    for charge in live.charges:
        for kind, tokens in (charge.usage.kinds if charge.usage else {}).items():
            billed[kind] = billed.get(kind, 0) + tokens
    booked = live.line_items.filter(pl.col("quantity") > 0).group_by("usage_kind").agg(pl.col("quantity").sum())
    assert dict(booked.iter_rows()) == billed
    assert set(billed) == {"input_uncached", "input_cache_read", "input_cache_write_5m", "output_text"}


def test_every_request_is_an_attempt(live: Live) -> None:
    assert live.runs["n_attempts"].sum() == len(live.charges) == 14
    assert live.runs["n_calls"].sum() == 10


def test_the_check_is_evaluation_and_the_stand_in_a_fallback(live: Live) -> None:
    spent = dict(live.line_items.group_by("cost_category").agg(pl.col("cost_usd").sum()).iter_rows())
    fallback = [charge for charge in live.charges if charge.usage and charge.number == 8]
    assert {category for category, usd in spent.items() if usd} == {
        "evaluation",
        "failed_run",
        "fallback",
        "productive",
    }
    assert spent["fallback"] == sum(map(price, fallback), Decimal(0))
