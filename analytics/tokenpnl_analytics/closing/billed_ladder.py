"""The statement's ladder past effective cost: to what was traced of an invoice, and through its steps to the bill.

effective - not invoiced = traced, and traced + coverage + price + commitment + credits and free tier + fees and tax +
FX + timing + unexplained = billed: the waterfall of `reconcile`, every step under its own name.
"""

from collections.abc import Sequence

import polars as pl

from tokenpnl_analytics.closing.reconcile import STEPS, WATERFALL
from tokenpnl_analytics.frames import MONEY

STEP_COLUMNS = {step: f"invoice_{step}_usd" for step in STEPS}
LADDER = ("not_invoiced_usd", "traced_usd", *STEP_COLUMNS.values(), "billed_usd")
STEPS_OF_INVOICES = pl.Schema(
    {"month": pl.String(), "provider": pl.String(), "account": pl.String(), "step": pl.String(), "net_usd": MONEY}
)
"""The waterfalls of reconciled invoices, one row a step."""

_HELD = {"traced": "traced_usd", **STEP_COLUMNS, "billed": "billed_usd"}


def with_billed(rows: pl.DataFrame, steps: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Return the statement with its ladder down to the bill.

    Args:
        rows: result of `statement` by the same dimensions.
        steps: the dimensions, `step, net_usd` of the reconciliations that belong to each row, signed.
        by: the dimensions.

    Returns:
        The rows in order with `LADDER`. `effective_usd - not_invoiced_usd = traced_usd` and `traced_usd` plus the steps
        is `billed_usd`, to the last digit: what is not invoiced are other providers, own capacity, fees that spans
        report, months without an invoice, and what the books learnt since the invoice was reconciled. All NULL where no
        invoice was reconciled: that is not known, and not 0.
    """
    known = steps.filter(pl.col("step").is_in(WATERFALL))
    sums = [
        pl.col("net_usd").filter(pl.col("step") == step).sum().cast(MONEY).alias(name) for step, name in _HELD.items()
    ]
    if by:
        rungs = known.group_by(list(by)).agg(sums)
        joined = rows.join(rungs, on=list(by), how="left", nulls_equal=True, maintain_order="left")
    elif known.is_empty():
        joined = rows.with_columns(pl.lit(None, MONEY).alias(name) for name in _HELD.values())
    else:
        joined = rows.with_columns(known.select(sums))
    beyond = (pl.col("effective_usd") - pl.col("traced_usd")).cast(MONEY).alias("not_invoiced_usd")
    return joined.with_columns(beyond).select(*rows.columns, *LADDER)
