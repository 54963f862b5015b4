"""The checks of a FOCUS export: those of the specification, and that it sums to the P&L."""

import polars as pl

from tokenpnl_analytics.finance.focus_checks import FAILED, PASSED, focus_check
from tokenpnl_analytics.statement import statement

_RUNGS = {"EffectiveCost": "effective_usd", "ListCost": "list_usd", "ContractedCost": "contracted_usd"}


def checked(rows: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Return what `focus_check` says, and for each cost whether it sums to its rung of the ladder, to the last digit.

    Args:
        rows: result of `focus_rows`.
        lines: the line items from which they were made.
    """
    total = statement(lines).row(0, named=True)
    sums = []
    for column, rung in _RUNGS.items():
        equal = rows[column].sum() == (total[rung] or 0)
        sums.append(
            {
                "check": f"{column} sums to the P&L",
                "rule": f"{column} sums to the {rung.removesuffix('_usd')} cost of the statement, to the last digit.",
                "status": PASSED if equal else FAILED,
                "n_rows": rows.height,
                "n_bad": 0 if equal else 1,
                "example": None if equal else f"{rows[column].sum()} in the rows, {total[rung]} in the statement",
            }
        )
    judged = focus_check(rows)
    return pl.concat([judged, pl.DataFrame(sums, schema=judged.schema)])
