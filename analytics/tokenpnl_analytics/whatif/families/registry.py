"""Which module replays which family. A family is imported when it is asked for: some bring compiled kernels."""

from importlib import import_module
from typing import cast

import polars as pl

from tokenpnl_analytics.rules.scenarios import Family, Scenario
from tokenpnl_analytics.whatif.baseline import Baseline
from tokenpnl_analytics.whatif.replay import Replay, Replayed


def family_of(scenario: Scenario) -> Replay:
    """Return the replay of a scenario's family: `replay` in the module of the family's name beside this one."""
    module = import_module(f"{__package__}.{Family(scenario.family).value}")
    return cast("Replay", module.replay)


def replayed(baseline: Baseline, frame: pl.DataFrame, scenario: Scenario) -> Replayed:
    """Return the frame as the scenario leaves it.

    Args:
        baseline: the frozen traffic; for what was recorded, never for the rows to start from.
        frame: a replayed frame, of the baseline or of another scenario.
        scenario: what to change.
    """
    return family_of(scenario)(baseline, frame, scenario)
