"""A closed month: what is frozen, the manifest that lists it, and the one hash over all of it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl

from tokenpnl.model import CostSource, OutcomeStatus
from tokenpnl.tables import LINE_ITEMS
from tokenpnl_analytics.closing.digest import digest
from tokenpnl_analytics.frames import conform, known_sum, schema_of
from tokenpnl_analytics.summary import usd_text

FORMAT = 1
ORIGIN = "origin_period"
CLOSED_LINES = pl.Schema({**schema_of(LINE_ITEMS), ORIGIN: pl.String()})
_MONEY = ("list_cost_usd", "contracted_cost_usd", "cost_usd")


@dataclass(frozen=True)
class Frozen:
    """Everything that a close freezes.

    Args:
        line_items: table `line_items` of the month, adjustments of earlier months included; `origin_period` is theirs.
        runs: table `runs`: the runs that started in the month, with the outcomes known at the close.
        rules: texts of the rule files by name.
        fx: USD for one unit of a currency, the month's average.
        prices: SHA-256 of the content of every price version that the line items name; NULL where it is not stored.
    """

    line_items: pl.DataFrame
    runs: pl.DataFrame
    rules: Mapping[str, str]
    fx: Mapping[str, Decimal]
    prices: Mapping[str, str | None]


def with_origin(lines: pl.DataFrame) -> pl.DataFrame:
    """Return line items in the columns of a close: `origin_period` is NULL but for adjustments."""
    told = lines if ORIGIN in lines.columns else lines.with_columns(pl.lit(None, pl.String).alias(ORIGIN))
    return conform(lines, LINE_ITEMS).with_columns(told[ORIGIN])


def manifest(frozen: Frozen, *, month: str, since: datetime, until: datetime, zone: str) -> dict[str, Any]:
    """Return what the snapshot holds: rows, tokens, money as decimal strings, and a SHA-256 of each part.

    It says nothing of when and by whom, so that the same content has the same `sha256`, which covers all the rest. The
    frames are hashed in the columns that they have: a month stays what it was when later releases know more columns.
    """
    listed: dict[str, Any] = {
        "format": FORMAT,
        "month": month,
        "since": _iso(since),
        "until": _iso(until),
        "zone": zone,
        "line_items": _part(frozen.line_items) | _totals(frozen.line_items),
        "runs": _part(frozen.runs) | _outcomes(frozen.runs),
        "rules": {name: sha256_of(frozen.rules[name].encode()) for name in sorted(frozen.rules)},
        "fx": {currency: usd_text(frozen.fx[currency]) for currency in sorted(frozen.fx)},
        "prices": {version: frozen.prices[version] for version in sorted(frozen.prices)},
    }
    return {**listed, "sha256": overall_sha256(listed)}


def overall_sha256(listed: Mapping[str, Any]) -> str:
    """Return the hash of a manifest: of its JSON with sorted keys, without its own `sha256`."""
    content = {name: value for name, value in listed.items() if name != "sha256"}
    return sha256_of(json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())


def differences(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Return where two manifests differ, a sentence for each part; empty: they are one."""
    return [
        f"{name} is {_short(found.get(name))}, but {_short(expected.get(name))} was closed"
        for name in sorted({*expected, *found})
        if expected.get(name) != found.get(name)
    ]


def sha256_of(content: bytes) -> str:
    """Return the SHA-256 of bytes, as hex."""
    return hashlib.sha256(content).hexdigest()


def _part(frame: pl.DataFrame) -> dict[str, Any]:
    return {"rows": frame.height, "sha256": digest(frame)}


def _totals(lines: pl.DataFrame) -> dict[str, Any]:
    tokens = lines.filter(pl.col("usage_kind").str.contains("^(?:input|output)_"))["quantity"].sum()
    unpriced = (lines["cost_source"] == CostSource.UNPRICED.value).sum()
    return {"tokens": tokens, "unpriced_rows": unpriced} | {name: _money(lines, name) for name in _MONEY}


def _money(lines: pl.DataFrame, name: str) -> str | None:
    return usd_text(lines.select(known_sum(pl.col(name))).item())


def _outcomes(runs: pl.DataFrame) -> dict[str, Any]:
    counted = {status.value: (runs["outcome"] == status.value).sum() for status in OutcomeStatus}
    return {"outcomes": counted | {"none": runs["outcome"].null_count()}}


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _short(value: object) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= 200 else f"{text[:200]}..."


def empty_lines() -> pl.DataFrame:
    """Return line items of a close without rows."""
    return pl.DataFrame(schema=CLOSED_LINES)
