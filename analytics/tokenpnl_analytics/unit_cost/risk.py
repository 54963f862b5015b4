"""Risk: what a success costs when some claimed successes are none. Estimates, in float64.

Of successes that somebody claimed, a random sample was checked. A false one must be paid for twice: the money bought no
result, and somebody cleans up.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from tokenpnl_analytics.unit_cost.intervals import CONFIDENCE

_AUDIT = pl.Schema(
    {"workflow": pl.String(), "n_audited": pl.Int64(), "n_false": pl.Int64(), "clean_up_usd": pl.Decimal(38, 12)}
)


def wilson_interval(n_false: int, n: int) -> tuple[float, float]:
    """Return the 95% interval of a share found in a random sample. Wilson 1927.

    Args:
        n_false: how many of the sample were false, 0 to `n`.
        n: size of the sample, above 0.
    """
    z = float(stats.norm.ppf(0.5 + CONFIDENCE / 2))
    share, spread = n_false / n, z**2 / n
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * np.sqrt(share * (1 - share) / n + spread / (4 * n))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def risk_adjusted_usd(usd_per_success: float, false_share: float, clean_up_usd: float) -> float | None:
    """Return what one true success costs: (cost per success + f k) / (1 - f); None where no success is true.

    Args:
        usd_per_success: cost per claimed success.
        false_share: f, share of claimed successes that are none, 0 to 1.
        clean_up_usd: k, what it costs to clean up one of them.
    """
    if false_share >= 1:
        return None
    return (usd_per_success + false_share * clean_up_usd) / (1 - false_share)


def risk_adjusted(units: pl.DataFrame, audits: pl.DataFrame) -> pl.DataFrame:
    """Return the risk-adjusted cost per success of each workflow.

    Args:
        units: result of `unit_costs` by workflow.
        audits: `workflow, n_audited, n_false, clean_up_usd`, at most one row a workflow.

    Returns:
        `workflow, settled_usd, n_audited, false_share, false_low, false_high` (Wilson), `clean_up_usd`, `estimate, low,
        high` (float64; of the false share alone, the settled figure taken as it is), `method`, `refused_because`; in
        the order of `units`.
    """
    joined = units.select("workflow", "settled_usd", "settled_successes").join(
        audits.select(_AUDIT.names()).cast(_AUDIT), on="workflow", how="left", maintain_order="left"
    )
    rows = [_adjusted(row) for row in joined.iter_rows(named=True)]
    names = ("false_share", "false_low", "false_high", "estimate", "low", "high")
    schema = dict.fromkeys(names, pl.Float64()) | {"method": pl.String(), "refused_because": pl.String()}
    found = pl.DataFrame(rows, schema=schema, orient="row")
    return pl.concat([joined.drop("settled_successes", "n_false"), found], how="horizontal")


def break_even_clean_up_usd(one: tuple[float, float], other: tuple[float, float]) -> float | None:
    """Return the clean-up cost at which two models cost the same per true success; None: one is cheaper at every cost.

    Args:
        one: cost per success (USD) and false share of the first.
        other: the same of the second.
    """
    (usd, false), (other_usd, other_false) = one, other
    if max(false, other_false) >= 1:
        return None
    odds, other_odds = false / (1 - false), other_false / (1 - other_false)
    if odds == other_odds:
        return None
    clean_up = (other_usd / (1 - other_false) - usd / (1 - false)) / (odds - other_odds)
    return clean_up if clean_up >= 0 else None


def _adjusted(row: Mapping[str, Any]) -> tuple[float | str | None, ...]:
    reason = _refusal(row)
    share = low = high = None
    if row["n_audited"]:
        share, (low, high) = row["n_false"] / row["n_audited"], wilson_interval(row["n_false"], row["n_audited"])
    if reason or share is None or low is None or high is None:
        return (share, low, high, None, None, None, None, reason)
    cost, clean_up = float(row["settled_usd"]), float(row["clean_up_usd"])
    figures = [risk_adjusted_usd(cost, false, clean_up) for false in (share, low, high)]
    if figures[0] is None:
        return (share, low, high, None, None, None, None, "every audited success was false")
    return (share, low, high, *figures, "Wilson interval of the audit sample", None)


def _refusal(row: Mapping[str, Any]) -> str | None:
    if row["settled_usd"] is None:
        return "no settled cost per success"
    if not row["n_audited"]:
        return "no audit sample"
    return "no clean-up cost given" if row["clean_up_usd"] is None else None
