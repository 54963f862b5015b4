"""`deployment`: the five options side by side on the same calls; the cheapest that may serve is what is replayed."""

import polars as pl

from tokenpnl_analytics.rules.scenario_families import Api, Deployment, Devices, Servers
from tokenpnl_analytics.whatif.baseline import Baseline
from tokenpnl_analytics.whatif.families.self_host import moved, pool_words
from tokenpnl_analytics.whatif.families.served_by import TOKENS_KNOWN
from tokenpnl_analytics.whatif.hosting.options import on_api, option_rows
from tokenpnl_analytics.whatif.hosting.plan import Plan, latency_frame
from tokenpnl_analytics.whatif.replay import Replayed, freed_pools, given_back, refused, repriced, touched
from tokenpnl_analytics.whatif.result import Evidence

PRESENT = "present"


def replay(baseline: Baseline, frame: pl.DataFrame, scenario: Deployment) -> Replayed:
    """Return the calls as the cheapest option that may serve them would; the present one stays where none is cheaper.

    Calls with unknown tokens are not part of the comparison.
    """
    numbered = frame.with_row_index("number")
    meant = numbered.filter(touched(scenario.where))
    rows = meant.filter(TOKENS_KNOWN)
    if rows.is_empty():
        return refused(frame, "no call with known tokens matches the scenario; widen `where`")
    freed = freed_pools(baseline, meant)
    table, fleets = option_rows(baseline, repriced(rows, baseline.card, baseline.cards), scenario, freed)
    if table.height == 1:
        return refused(frame, "no option is stated; give one of managed_api, cloud, self_host, optimized, edge")
    best = _cheapest(table)
    moving = frame if best == PRESENT else _served_by(numbered, rows, scenario, best, fleets.get(best))
    latency = [latency_frame(name, found.sized) for name, found in fleets.items()]
    return Replayed(
        moving if best == PRESENT else given_back(moving, freed),
        Evidence.ASSUMED,
        Evidence.NOT_IDENTIFIABLE,
        assumptions=(
            "The same tokens at each option; throughput and speed as the file states them.",
            f"Replayed is {_named(best)}: the cheapest option that may serve all of these calls.",
        ),
        falsified_by=("A pilot whose bill or latency differs from its row.",),
        to_log=("Shadow traffic to the option that you prefer, and score both answers.",),
        caveats=(
            "Whether the answers are as good is not part of this comparison.",
            *(() if best == PRESENT else pool_words(meant, freed)),
            *(["Users' devices and their power are not priced."] if scenario.edge else []),
        ),
        measured={"options": table, **({"latency": pl.concat(latency)} if latency else {})},
    )


def _cheapest(table: pl.DataFrame) -> str:
    possible = table.filter(pl.col("not_possible_because").is_null() & pl.col("usd").is_not_null())
    return PRESENT if possible.is_empty() else str(possible.sort("usd", maintain_order=True)["option"][0])


def _named(option: str) -> str:
    return "the present deployment" if option == PRESENT else f"the option {option.replace('_', ' ')}"


def _served_by(
    frame: pl.DataFrame, rows: pl.DataFrame, scenario: Deployment, best: str, fleet: Plan | None
) -> pl.DataFrame:
    option = getattr(scenario, best)
    if isinstance(option, Servers):
        assert fleet is not None
        return moved(frame, rows, option, fleet, (scenario.name, best))
    assert isinstance(option, (Api, Devices))
    served = on_api(rows, option) if isinstance(option, Api) else _on_devices(rows, option)
    served = served.with_columns(pl.lit(scenario.name).alias("touched_by"))
    return frame.update(served, on="number", how="left", include_nulls=True).drop("number")


def _on_devices(rows: pl.DataFrame, option: Devices) -> pl.DataFrame:
    return rows.with_columns(
        pl.lit(value=True).alias("changed"),
        pl.lit(option.model).alias("model"),
        pl.lit("edge").alias("deployment"),
        pl.lit(None, pl.String).alias("service_tier"),
    )
