"""The frozen baseline: what is unknown stays unknown, and the order of rows says nothing."""

from decimal import Decimal

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from tests.analytics.conftest import attempts_of, runs_of
from tests.analytics.whatif.traffic import NO_SPANS, SINCE, UNTIL, USAGE, traffic

from tokenpnl_analytics.pricing.prices import token_lines
from tokenpnl_analytics.pricing.ratecard import default_rate_card
from tokenpnl_analytics.unit_cost.units import cohort
from tokenpnl_analytics.whatif.baseline import frozen
from tokenpnl_analytics.whatif.details import call_details


def test_an_attempt_costs_the_sum_of_its_lines() -> None:
    assert traffic({}).attempts["cost_usd"].to_list() == [Decimal("3.50")]


def test_an_unpriced_attempt_has_no_cost_and_lowers_the_priced_share() -> None:
    baseline = traffic({}, {"provider": "nobody", "model": "nothing"})
    assert sorted(baseline.attempts["cost_usd"].to_list(), key=str) == [Decimal("3.50"), None]
    assert baseline.priced_share == 0.5


def test_unknown_usage_has_no_cost_and_is_no_gap_of_the_price_list() -> None:
    nothing = dict.fromkeys(USAGE, None)
    baseline = traffic({}, {"usage_missing": True} | nothing, {"status": "error"} | nothing)
    assert baseline.attempts["cost_usd"].to_list() == [Decimal("3.50"), None, Decimal(0)]
    assert baseline.priced_share == 1.0


def test_capacity_is_kept_apart_from_tokens() -> None:
    attempts = attempts_of(USAGE)
    lines = token_lines(attempts, default_rate_card()).with_columns(pl.lit(None, pl.String).alias("pool"))
    hour = lines.head(1).with_columns(
        pl.lit("l4").alias("pool"), pl.lit("gpu_time").alias("usage_kind"), pl.lit(Decimal("0.25")).alias("cost_usd")
    )
    both = pl.concat([lines, hour.cast(dict(lines.schema))])
    runs = cohort(runs_of({}), as_of=UNTIL)
    made = frozen(attempts, both, call_details(NO_SPANS), runs, card=default_rate_card(), window=(SINCE, UNTIL))
    row = made.attempts.row(0, named=True)
    assert (row["token_usd"], row["capacity_usd"], row["cost_usd"]) == (
        Decimal("3.5"),
        Decimal("0.25"),
        Decimal("3.75"),
    )


def test_what_a_pool_leaves_idle_is_shared_by_what_it_served() -> None:
    attempts = attempts_of(USAGE, USAGE, USAGE)
    lines = token_lines(attempts, default_rate_card()).with_columns(pl.lit(None, pl.String).alias("pool"))
    one, two = attempts["attempt_id"][:2]
    hours = [(one, 1), (two, 3), (None, 8)]
    gpu = pl.concat(
        lines.head(1).with_columns(
            pl.lit(owner, pl.String).alias("attempt_id"),
            pl.lit("l4").alias("pool"),
            pl.lit("gpu_time").alias("usage_kind"),
            pl.lit(usd).cast(pl.Decimal(38, 12)).alias("cost_usd"),
        )
        for owner, usd in hours
    )
    runs = cohort(runs_of({}), as_of=UNTIL)
    both = pl.concat([lines, gpu.cast(dict(lines.schema))])
    made = frozen(attempts, both, call_details(NO_SPANS), runs, card=default_rate_card(), window=(SINCE, UNTIL))
    assert made.attempts["capacity_usd"].to_list() == [Decimal(3), Decimal(9), Decimal(0)]
    assert made.attempts["pool"].to_list() == ["l4", "l4", None]


def test_customers_are_clusters_where_there_are_two() -> None:
    baseline = traffic({"customer_id": "a"}, {"customer_id": "b"}, {"customer_id": "a"})
    assert baseline.cluster_level == "customer"
    clusters = baseline.attempts["cluster"].to_list()
    assert clusters[0] == clusters[2] != clusters[1]


@given(st.permutations(range(4)))
def test_the_order_of_rows_changes_nothing(order: list[int]) -> None:
    rows = [USAGE | {"attempt_id": f"a{k}", "customer_id": f"c{k % 2}", "output_text_tokens": k} for k in range(4)]
    attempts = attempts_of(*rows)
    lines = token_lines(attempts, default_rate_card()).with_columns(pl.lit(None, pl.String).alias("pool"))
    runs = cohort(runs_of({}), as_of=UNTIL)
    as_given, shuffled = (
        frozen(some, lines, call_details(NO_SPANS), runs, card=default_rate_card(), window=(SINCE, UNTIL)).attempts
        for some in (attempts, attempts[order])
    )
    assert as_given.equals(shuffled)
