"""The five deployment options on the same calls: cost, latency, residency, limits; a row each."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.rules.scenario_families import Api, Deployment, Devices, Servers
from tokenpnl_analytics.whatif.baseline import Baseline
from tokenpnl_analytics.whatif.families.served_by import SELF_HOSTED
from tokenpnl_analytics.whatif.hosting.plan import Plan, plan, promise_of, traffic_of_attempts
from tokenpnl_analytics.whatif.replay import repriced

OPTIONS = ("managed_api", "cloud", "self_host", "optimized", "edge")
TOO_LONG = pl.col("input_total_tokens") + pl.col("output_total_tokens")
SCHEMA: dict[str, type[pl.DataType] | pl.DataType] = {
    "option": pl.String,
    "model": pl.String,
    "usd": MONEY,
    "n": pl.Int64,
    "priced_share": pl.Float64,
    "replicas": pl.Int64,
    "latency_p50_ms": pl.Float64,
    "latency_p95_ms": pl.Float64,
    "latency_source": pl.String,
    "region": pl.String,
    "too_long": pl.Int64,
    "not_possible_because": pl.String,
}
Row = dict[str, Any]
_UNSOLD = "these calls run on your own servers; say who sells it"


def option_rows(
    baseline: Baseline, rows: pl.DataFrame, scenario: Deployment, freed: Sequence[str] = ()
) -> tuple[pl.DataFrame, dict[str, Plan]]:
    """Return what each stated option would cost these calls, the present one first, and the fleets behind them.

    Args:
        baseline: gives prices and the length of the window.
        rows: of a replayed frame, tokens known, with what they cost now (`repriced`); at least one.
        scenario: the options.
        freed: pools of today that are given back; what others cost these calls stays paid with every option.

    Returns:
        `option` (`present` or one of `OPTIONS`), `model`, `usd` (Decimal over the window; NULL: a part of the calls has
        no price there), `n` calls, `priced_share` (0 to 1), `replicas` (NULL: not counted in replicas), latency
        (milliseconds; NULL: unknown), `latency_source` (observed: of calls that this model served for this seller in
        the window; simulated; unknown), `region`, `too_long` (calls beyond its longest context),
        `not_possible_because` (NULL: it may serve). And the fleet of each option that has one.
    """
    fleets: dict[str, Plan] = {}
    found = [_present(rows)]
    paid = pl.col("pool").is_in(list(freed)).fill_null(value=False) | pl.col("added")
    stays = rows.select(pl.col("capacity_usd").filter(~paid).sum() + pl.col("extra_usd").sum()).item()
    for name in OPTIONS:
        option = getattr(scenario, name)
        if isinstance(option, Api):
            row = _by_token(baseline, rows, option)
        elif isinstance(option, Servers):
            fleets[name] = plan(option, rows, hours=baseline.days * 24, token_usd=_usd(rows))
            row = _by_hour(option, fleets[name])
        elif isinstance(option, Devices):
            row = _on_devices(rows, option)
        else:
            continue
        if row["usd"] is not None:
            row["usd"] += stays
        row["too_long"] = too_long(rows, option.context_tokens)
        row["region"] = option.region
        row["not_possible_because"] = _why_not(row, scenario.residency) or row.get("not_possible_because")
        found.append({"option": name, "n": rows.height, **row})
    return pl.DataFrame(found, schema=SCHEMA, orient="row"), fleets


def on_api(rows: pl.DataFrame, option: Api) -> pl.DataFrame:
    """Return the rows as an API would serve them: the same tokens, its model, seller, region and tier."""
    return rows.with_columns(
        pl.lit(value=True).alias("changed"),
        pl.lit(option.model).alias("model"),
        pl.col("provider") if option.provider is None else pl.lit(option.provider).alias("provider"),
        pl.lit(option.region, pl.String).alias("region"),
        pl.lit(option.service_tier, pl.String).alias("service_tier"),
        pl.lit(None, pl.String).alias("deployment"),
    )


def too_long(rows: pl.DataFrame, context_tokens: int | None) -> int:
    """Return how many calls do not fit the longest context."""
    return 0 if context_tokens is None else rows.filter(context_tokens < TOO_LONG).height


def _present(rows: pl.DataFrame) -> Row:
    timed = rows["latency_ms"].drop_nulls()
    return {
        "option": "present",
        "model": ", ".join(rows["model"].drop_nulls().unique().sort().to_list()[:3]),
        "usd": None if rows["cost_usd"].null_count() else rows["cost_usd"].sum(),
        "n": rows.height,
        "priced_share": 1 - rows["cost_usd"].null_count() / rows.height,
        **_observed(timed),
    }


def _by_token(baseline: Baseline, rows: pl.DataFrame, option: Api) -> Row:
    costs = repriced(on_api(rows, option), baseline.card, baseline.cards)["token_usd"]
    unsold = option.provider is None and rows.select(SELF_HOSTED.any()).item()
    if unsold:
        costs = pl.repeat(None, rows.height, dtype=MONEY, eager=True)
    why = f"no price of {option.model} is known" if costs.null_count() else None
    served = baseline.attempts.filter(
        pl.col("model") == option.model,
        pl.lit(value=True) if option.provider is None else pl.col("provider") == option.provider,
    )
    return {
        "model": option.model,
        "usd": None if costs.null_count() else costs.sum(),
        "priced_share": 1 - costs.null_count() / rows.height,
        **_observed(served["latency_ms"].drop_nulls()),
        "not_possible_because": _UNSOLD if unsold else why,
    }


def _by_hour(option: Servers, found: Plan) -> Row:
    served, promise = found.sized.served, promise_of(option)
    late = promise.latency_s is not None and not found.sized.promise_kept
    return {
        "model": option.model,
        "usd": found.usd,
        "priced_share": 1.0,
        "replicas": found.sized.replicas,
        "latency_p50_ms": 1000 * served.latency_s(50),
        "latency_p95_ms": 1000 * served.latency_s(95),
        "latency_source": "simulated",
        "not_possible_because": f"no fleet keeps {option.slo_ms:,.0f} ms" if late else None,
    }


def _on_devices(rows: pl.DataFrame, option: Devices) -> Row:
    traffic = traffic_of_attempts(rows, option.tokens)
    took = pl.Series(1000 * (traffic.read / option.prefill_tokens_per_s + traffic.written / option.decode_tokens_per_s))
    return {
        "model": option.model,
        "usd": 0,
        "priced_share": 1.0,
        "latency_p50_ms": took.quantile(0.5, "linear"),
        "latency_p95_ms": took.quantile(0.95, "linear"),
        "latency_source": "simulated",
    }


def _observed(latency_ms: pl.Series) -> Row:
    return {
        "latency_p50_ms": latency_ms.quantile(0.5, "linear"),
        "latency_p95_ms": latency_ms.quantile(0.95, "linear"),
        "latency_source": "observed" if len(latency_ms) else "unknown",
    }


def _why_not(row: Row, residency: Sequence[str]) -> str | None:
    if residency and row["region"] not in residency:
        where = "its region is not stated" if row["region"] is None else f"it handles data in {row['region']}"
        return f"{where}; allowed: {', '.join(residency)}"
    if row["too_long"]:
        return f"{row['too_long']:,} calls are longer than its context"
    return None


def _usd(rows: pl.DataFrame) -> float:
    return float(rows["token_usd"].sum() or 0)
