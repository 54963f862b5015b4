"""`gpus.yaml`: what holds, and what is wrong where."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tokenpnl.errors import ConfigurationError
from tokenpnl_analytics.rules.gpus import GPUS


def test_an_empty_file_states_no_capacity() -> None:
    assert GPUS.parse("").pools == ()


def test_days_are_whole_and_the_last_one_is_included() -> None:
    pool = GPUS.parse("pools: [{name: a, usd_per_hour: 1, from: 2026-11-01, to: 2026-11-30}]").pools[0]
    assert (pool.since, pool.until) == (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))


def test_a_day_in_quotes_is_a_day() -> None:
    text = '{"pools": [{"name": "a", "usd_per_hour": "1", "from": "2026-11-01", "to": "2026-11-30"}]}'
    pool = GPUS.parse(text).pools[0]
    assert (pool.since, pool.until) == (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))


def test_the_price_is_the_pool_s_own_or_its_sku_s_in_dollars() -> None:
    rules = GPUS.parse(
        """
        skus: {h100: {usd_per_hour: 2.49}}
        pools:
          - {name: listed, gpu: h100, match: {model: a}}
          - {name: own, gpu: h100, usd_per_hour: 2, currency: EUR, usd_rate: 1.08}
        """
    )
    assert [rules.usd_per_gpu_hour(pool) for pool in rules.pools] == [Decimal("2.49"), Decimal("2.16")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pools:\n  - name: a\n", "gpus.yaml:2: pools.0: pool a has no price"),
        ("pools:\n  - {name: a, usd_per_hour: -1}\n", "gpus.yaml:2: pools.0.usd_per_hour"),
        ("pools:\n  - {name: a, usd_per_hour: 1, gpu_count: 8}\n", "gpus.yaml:2: pools.0.gpu_count: Extra inputs"),
        ("pools:\n  - {name: a, usd_per_hour: 1}\n  - {name: a, usd_per_hour: 2}\n", "gpus.yaml:3: pools.1: entries 1"),
        (
            (
                "pools:\n  - {name: a, usd_per_hour: 1, match: {model: x}}\n"
                "  - {name: b, usd_per_hour: 2, match: {model: x}}\n"
            ),
            "have the same match at the same time",
        ),
        (
            "pools:\n  - name: a\n    usd_per_hour: 1\n    replicas:\n      - {count: 1}\n      - {count: 2}\n",
            "gpus.yaml:6: pools.0.replicas.1: entries 1 and 2 have two numbers",
        ),
        ("pools:\n  - {name: a, usd_per_hour: 1, from: 2026-11-02, to: 2026-11-01}\n", "lies before the beginning"),
        ("pools:\n  - {name: a, usd_per_hour: 1, from: 2026-11-01T00:00:00}\n", "the time has no zone; add Z"),
        ("pools:\n  - {name: a, upfront: 5, replicas: 1}\n", "an upfront payment needs its term"),
        ("pools:\n  - {name: a, upfront: 5, from: 2026-11-01, to: 2026-11-02}\n", "needs its replicas"),
        ("pools:\n  - {name: a, usd_per_hour: 1, billing: used, replicas: 2}\n", "billed by use has neither"),
        ("pools:\n  - {name: a, usd_per_hour: 1, currency: EUR}\n", "give usd_rate: what one unit of EUR"),
    ],
)
def test_what_is_wrong_in_the_pools_is_named_with_its_line(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        GPUS.parse(text)
    assert said in str(error.value)


def test_a_pool_may_follow_itself() -> None:
    rules = GPUS.parse(
        """
        pools:
          - {name: a, usd_per_hour: 3, to: 2026-11-30}
          - {name: a, usd_per_hour: 2, from: 2026-12-01}
        """
    )
    assert len(rules.pools) == 2
