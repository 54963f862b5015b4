"""Invoices for the sample traces: what two providers would bill for a month, with five discrepancies hidden in them.

Anthropic comes as its cost report and usage report, OpenAI as a FOCUS 1.2 file. The same line items and seed give the
same bytes. `python sample_traces/invoices.py LINE_ITEMS.parquet --month 2026-10 --out FOLDER` writes them.
"""

import argparse
import csv
import io
import json
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

DRIFTED, DRIFT = "claude-opus-5", Decimal("1.08")
SHIFTED, SHIFTED_FROM_HOUR = "claude-sonnet-5", 15
UNTRACED = "gpt-5.4-mini"
UNTRACED_TOKENS = {"input_uncached": 2_400_000, "output": 90_000}
TAX, CREDIT = Decimal("12.40"), Decimal("-3.75")
_MILLION = Decimal(1_000_000)
_ANTHROPIC_TYPES = {
    "input_uncached": "uncached_input_tokens",
    "input_cache_read": "cache_read_input_tokens",
    "input_cache_write_5m": "cache_creation.ephemeral_5m_input_tokens",
    "input_cache_write_1h": "cache_creation.ephemeral_1h_input_tokens",
    "output": "output_tokens",
}
_METERS = {"input_uncached": "Input tokens", "input_cache_read": "Cached input tokens", "output": "Output tokens"}
_FOCUS = (
    "BilledCost", "BillingAccountId", "BillingCurrency", "ChargeCategory", "ChargeDescription", "ChargePeriodStart",
    "ChargePeriodEnd", "ConsumedQuantity", "ConsumedUnit", "InvoiceId", "ProviderName", "ResourceName",
    "ServiceCategory", "SkuMeter", "SubAccountId",
)  # fmt: skip


@dataclass(frozen=True)
class Planted:
    """One hidden discrepancy: step of the waterfall, where it lies, what it adds to the bill and how large it is."""

    step: str
    provider: str
    model: str | None
    first_day: date
    last_day: date
    amount_usd: Decimal
    size_usd: Decimal


@dataclass
class Bucket:
    """Tokens and dollars of one day, model and kind."""

    tokens: int = 0
    usd: Decimal = Decimal(0)


Bill = dict[tuple[date, str, str], Bucket]


def invoices(line_items: pl.DataFrame, month: str, *, seed: int = 7) -> tuple[dict[str, bytes], list[Planted]]:
    """Return the files of a month by name, and what is hidden in them.

    Args:
        line_items: priced lines: `provider, model, usage_kind, started_at, quantity, cost_usd`.
        month: YYYY-MM.
        seed: chooses the days.
    """
    chance = random.Random(seed)
    days = _days(month)
    anthropic, openai = (_bill(_of(line_items, provider, days)) for provider in ("anthropic", "openai"))
    planted = [
        _untraced(openai, days, chance),
        _shifted(anthropic, _of(line_items, "anthropic", days), chance),
        _drifted(anthropic, days, chance),
        Planted("fees_and_tax", "openai", None, days[-1], days[-1], TAX, TAX),
        Planted("credits", "openai", None, days[0], days[0], CREDIT, -CREDIT),
    ]
    files = {
        "anthropic_cost.json": _pages(anthropic, _anthropic_costs),
        "anthropic_usage.json": _pages(anthropic, _anthropic_usage),
        "openai_focus.csv": _focus(openai, days),
    }
    return files, planted


def _days(month: str) -> list[date]:
    first = date.fromisoformat(f"{month}-01")
    return [day for n in range(31) if (day := first + timedelta(days=n)).month == first.month]


def _of(line_items: pl.DataFrame, provider: str, days: list[date]) -> list[dict[str, Any]]:
    day = pl.col("started_at").dt.date()
    ours = line_items.filter(pl.col("provider") == provider, day.is_between(days[0], days[-1]))
    return ours.sort("started_at", "model", "usage_kind").to_dicts()


def _bill(rows: Iterable[dict[str, Any]]) -> Bill:
    bill: Bill = defaultdict(Bucket)
    for row in rows:
        bucket = bill[_key(row)]
        bucket.tokens += row["quantity"]
        bucket.usd += row["cost_usd"]
    return bill


def _key(row: dict[str, Any]) -> tuple[date, str, str]:
    kind = "output" if row["usage_kind"] in ("output_text", "output_reasoning") else row["usage_kind"]
    return row["started_at"].date(), row["model"], kind


def _untraced(bill: Bill, days: list[date], chance: random.Random) -> Planted:
    """Bill calls of one day that no trace holds."""
    day = chance.choice([day for day in days if (day, UNTRACED, "output") in bill])
    total = Decimal(0)
    for kind, tokens in UNTRACED_TOKENS.items():
        bucket = bill[day, UNTRACED, kind]
        usd = bucket.usd * tokens / bucket.tokens
        bucket.tokens, bucket.usd, total = bucket.tokens + tokens, bucket.usd + usd, total + usd
    return Planted("coverage", "openai", UNTRACED, day, day, total, total)


def _shifted(bill: Bill, rows: list[dict[str, Any]], chance: random.Random) -> Planted:
    """Bill the late calls of one day on the next."""
    late = [row for row in rows if row["model"] == SHIFTED and row["started_at"].hour >= SHIFTED_FROM_HOUR]
    inside = [day for day in sorted({row["started_at"].date() for row in late}) if day < rows[-1]["started_at"].date()]
    day = chance.choice(inside)
    moved = Decimal(0)
    for row in late:
        here, model, kind = _key(row)
        if here != day:
            continue
        for at, sign in ((day, -1), (day + timedelta(days=1), 1)):
            bill[at, model, kind].tokens += sign * row["quantity"]
            bill[at, model, kind].usd += sign * row["cost_usd"]
        moved += row["cost_usd"]
    return Planted("timing", "anthropic", SHIFTED, day, day + timedelta(days=1), Decimal(0), moved)


def _drifted(bill: Bill, days: list[date], chance: random.Random) -> Planted:
    """Bill one model dearer from a day on."""
    since = chance.choice([day for day in days if (day, DRIFTED, "output") in bill and 12 <= day.day <= 24])
    dearer = {key: bucket for key, bucket in bill.items() if key[1] == DRIFTED and key[0] >= since}
    before = sum((bucket.usd for bucket in dearer.values()), Decimal(0))
    for bucket in dearer.values():
        bucket.usd *= DRIFT
    amount = before * (DRIFT - 1)
    return Planted("price", "anthropic", DRIFTED, since, max(day for day, *_ in dearer), amount, amount)


def _pages(bill: Bill, results: Any) -> bytes:
    """Return one page with a bucket for each day, as Anthropic's reports have it."""
    data = []
    for day in sorted({day for day, *_ in bill}):
        since = datetime(day.year, day.month, day.day, tzinfo=UTC)
        of_day = {key: bucket for key, bucket in sorted(bill.items()) if key[0] == day and bucket.tokens}
        ends = {
            "starting_at": f"{since:%Y-%m-%dT%H:%M:%SZ}",
            "ending_at": f"{since + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
        }
        data.append({**ends, "results": results(of_day)})
    return json.dumps({"data": data, "has_more": False, "next_page": None}, indent=1).encode()


def _anthropic_costs(of_day: Bill) -> list[dict[str, Any]]:
    return [
        {
            "amount": f"{bucket.usd * 100:f}",
            "context_window": "0-200k",
            "cost_type": "tokens",
            "currency": "USD",
            "description": f"{model} usage, {_ANTHROPIC_TYPES[kind]}",
            "inference_geo": None,
            "model": model,
            "service_tier": "standard",
            "token_type": _ANTHROPIC_TYPES[kind],
            "workspace_id": None,
        }
        for (_, model, kind), bucket in of_day.items()
    ]


def _anthropic_usage(of_day: Bill) -> list[dict[str, Any]]:
    models = sorted({model for _, model, _ in of_day})
    tokens: dict[str, dict[str, int]] = {model: defaultdict(int) for model in models}
    for (_, model, kind), bucket in of_day.items():
        tokens[model][kind] = bucket.tokens
    return [
        {
            "uncached_input_tokens": counts["input_uncached"],
            "cache_read_input_tokens": counts["input_cache_read"],
            "cache_creation": {
                "ephemeral_5m_input_tokens": counts["input_cache_write_5m"],
                "ephemeral_1h_input_tokens": counts["input_cache_write_1h"],
            },
            "output_tokens": counts["output"],
            "server_tool_use": {"web_search_requests": 0},
            "api_key_id": None,
            "workspace_id": None,
            "model": model,
            "service_tier": "standard",
            "context_window": "0-200k",
        }
        for model, counts in tokens.items()
    ]


def _focus(bill: Bill, days: list[date]) -> bytes:
    rows = [
        _charge(day, bucket.usd, "Usage", f"{model}, {_METERS[kind].lower()}")
        | {
            "ConsumedQuantity": bucket.tokens,
            "ConsumedUnit": "Tokens",
            "ResourceName": model,
            "SkuMeter": _METERS[kind],
        }
        for (day, model, kind), bucket in sorted(bill.items())
    ]
    rows.append(_charge(days[0], CREDIT, "Credit", "Promotional credit"))
    rows.append(_charge(days[-1], TAX, "Tax", "Sales tax"))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, _FOCUS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _charge(day: date, usd: Decimal, category: str, description: str) -> dict[str, Any]:
    return {
        "BilledCost": f"{usd:f}",
        "BillingAccountId": "org-sample",
        "BillingCurrency": "USD",
        "ChargeCategory": category,
        "ChargeDescription": description,
        "ChargePeriodStart": f"{day}T00:00:00Z",
        "ChargePeriodEnd": f"{day + timedelta(days=1)}T00:00:00Z",
        "InvoiceId": f"INV-{day:%Y%m}",
        "ProviderName": "OpenAI",
        "ServiceCategory": "AI and Machine Learning",
        "SubAccountId": "proj_sample",
    }


def main() -> None:
    """Write the files of a month."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("line_items", type=Path, help="Line items of the samples, Parquet.")
    parser.add_argument("--month", default="2026-10")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    files, _ = invoices(pl.read_parquet(asked.line_items), asked.month)
    asked.out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (asked.out / name).write_bytes(content)


if __name__ == "__main__":
    main()
