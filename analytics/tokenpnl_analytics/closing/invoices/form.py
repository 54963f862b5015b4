"""The normal form of an invoice: one frame whatever the file, and the refusal of a file with faults.

A file is taken whole or not at all: an invoice that lost a row without anybody noticing would be reconciled to the
wrong total, so that every fault is listed by row and the file is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.frames import MONEY

DEFAULT_ACCOUNT = "default"
OTHER_SERVICE = "other"  # a charge for something that is no token, search or request; `description` names it
OUTPUT, CACHE_WRITE = "output", "input_cache_write"  # groups of kinds that invoices do not split
_MOST_FAULTS = 5

INVOICE_LINES = pl.Schema(
    {
        "provider": pl.String(),  # id as genai-prices spells it
        "account": pl.String(),  # project, workspace or account of the provider; null: the file does not say
        "day": pl.Date(),  # UTC; null: the charge is for the month
        "model": pl.String(),  # the provider's name for it; null: not of one model, or not told
        "usage_kind": pl.String(),  # UsageKind, ChargeKind, `output`, `input_cache_write`, `other`; null: not told
        "quantity": pl.Int64(),  # tokens, searches; null: not told
        "requests": pl.Int64(),  # null: not told
        "cost": MONEY,  # in `currency`; null: a usage report, which bills nothing
        "currency": pl.String(),  # ISO 4217, upper case
        "charge_category": pl.String(),  # FOCUS: Usage, Purchase, Credit, Tax, Adjustment
        "commitment": pl.Boolean(),  # a Purchase of reserved throughput or spend
        "service_tier": pl.String(),  # batch, flex, priority; null: standard or not told
        "description": pl.String(),  # the provider's words
        "invoice_id": pl.String(),  # null: not told
        "spread": pl.Boolean(),  # a day's part of a row that bills several days in one
        "source": pl.String(),  # name of the format
        "row": pl.String(),  # where it stands in the file
    }
)
_DEFAULTS: dict[str, pl.Expr] = {
    "charge_category": pl.lit("Usage"),
    "commitment": pl.lit(value=False),
    "spread": pl.lit(value=False),
}


@dataclass(frozen=True)
class Invoice:
    """One file in the normal form.

    Attributes:
        lines: schema `INVOICE_LINES`, in the order of the file.
        source: name of the format.
        notes: what a reader must know about the file, as sentences.
    """

    lines: pl.DataFrame
    source: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a file: where, and what was expected and what came."""

    row: str
    reason: str


def invoice_lines(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame in the normal form; absent columns are null, or at their default."""
    return frame.select(
        (pl.col(name) if name in frame.columns else _DEFAULTS.get(name, pl.lit(None))).cast(dtype).alias(name)
        for name, dtype in INVOICE_LINES.items()
    )


def refuse(faults: Sequence[Fault], *, name: str, source: str) -> None:
    """Refuse a file that has faults.

    Raises:
        RefusedInputError: there are faults; the message lists the first by row and counts the rest.
    """
    if not faults:
        return
    told = "; ".join(f"{fault.row}: {fault.reason}" for fault in faults[:_MOST_FAULTS])
    more = len(faults) - _MOST_FAULTS
    rest = f"; and {more} more" if more > 0 else ""
    raise RefusedInputError(f"{name} is not taken as {source}, nothing of it was read: {told}{rest}")
