"""What GPUs and commitments cost, by request and by hour."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analytics.conftest import attempts_of

from tokenpnl.tables import LINE_ITEMS
from tokenpnl_analytics.capacity.items import capacity_lines, capacity_shares
from tokenpnl_analytics.frames import schema_of
from tokenpnl_analytics.rules.commitments import COMMITMENTS, CommitmentsFile
from tokenpnl_analytics.rules.gpus import GPUS, GpusFile
from tokenpnl_analytics.statement import in_periods

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NONE = CommitmentsFile()
CATEGORY = {"cost_category": "productive", "category_rule": "the rest of a successful run", "cause": None,
            "cause_provider": None, "reversed_category": "productive"}  # fmt: skip
ONE_GPU = GPUS.parse("pools: [{name: chat, usd_per_hour: 2.49, replicas: 1}]")


def served(*rows: dict[str, Any], **usual: Any) -> pl.DataFrame:
    """Return classified attempts on a server of our own; `at` and `took` are in hours from noon."""
    made = []
    for number, row in enumerate(rows):
        begun = NOON + row.pop("at", 0) * HOUR
        made.append(
            {
                "attempt_id": f"a{number}",
                "provider": "vllm",
                "model": "llama-3.3-70b",
                "deployment": "self_host",
                "started_at": begun,
                "ended_at": begun + row.pop("took", 1) * HOUR,
                **usual,
                **row,
            }
        )
    frame = attempts_of(*made)
    return frame.with_columns(pl.lit(value, pl.String).alias(name) for name, value in CATEGORY.items())


def lines_of(
    attempts: pl.DataFrame, gpus: GpusFile, commitments: CommitmentsFile = NONE, *, hours: float = 1, since: float = 0
) -> pl.DataFrame:
    return capacity_lines(attempts, gpus, commitments, since=NOON + since * HOUR, until=NOON + (since + hours) * HOUR)


def idle_of(lines: pl.DataFrame) -> Decimal:
    return lines.filter(pl.col("cost_category") == "idle_capacity")["cost_usd"].sum()  # type: ignore[return-value]


def test_four_requests_each_on_a_quarter_of_a_gpu_for_an_hour_cost_one_gpu_hour() -> None:
    lines = lines_of(served({}, {}, {}, {}), ONE_GPU)
    assert lines["cost_usd"].to_list() == [Decimal("0.6225")] * 4
    assert lines["quantity"].to_list() == [900_000_000] * 4


def test_what_no_request_covers_is_an_idle_line_of_the_pool_and_hour() -> None:
    lines = lines_of(served({"took": 0.25}), ONE_GPU)
    used, idle = lines.sort("cost_usd").iter_rows(named=True)
    assert (used["cost_usd"], used["run_id"], used["cost_category"]) == (Decimal("0.6225"), "r1", "productive")
    assert (idle["cost_usd"], idle["run_id"], idle["pool"]) == (Decimal("1.8675"), None, "chat")
    assert (idle["cost_category"], idle["started_at"], idle["usage_kind"]) == ("idle_capacity", NOON, "gpu_time")
    assert idle["quantity"] == 2_700_000_000


def test_a_third_of_a_price_that_thirds_do_not_divide_is_given_out_to_the_last_picodollar() -> None:
    lines = lines_of(served({}, {}, {}), GPUS.parse("pools: [{name: chat, usd_per_hour: 1, replicas: 1}]"))
    assert lines["cost_usd"].to_list() == [Decimal("0.333333333334"), *[Decimal("0.333333333333")] * 2]


def test_the_queue_is_no_work_the_reported_inference_time_lies_at_the_end_of_the_span() -> None:
    attempts = served({"took": 1, "inference_ms": 0.5 * 3_600_000}, {"took": 0.5})
    first, second = lines_of(attempts, ONE_GPU)["cost_usd"]
    assert (first, second) == (Decimal("1.245"), Decimal("1.245"))


def test_a_request_on_one_of_two_replicas_pays_for_its_replica_alone() -> None:
    two = GPUS.parse("pools: [{name: chat, usd_per_hour: 2, gpus_per_replica: 4, replicas: 2}]")
    lines = lines_of(served({"gpu_replica": "pod-1"}), two)
    assert sorted(lines["cost_usd"]) == [Decimal(8), Decimal(8)]
    assert idle_of(lines) == Decimal(8)
    assert lines["quantity"].to_list() == [4 * 3_600_000_000] * 2


def test_requests_of_unknown_replicas_share_the_whole_pool() -> None:
    two = GPUS.parse("pools: [{name: chat, usd_per_hour: 3, replicas: 2}]")
    assert lines_of(served({}, {}), two)["cost_usd"].to_list() == [Decimal(3), Decimal(3)]


def test_more_busy_replicas_than_are_paid_for_share_what_is_paid() -> None:
    lines = lines_of(served({"gpu_replica": "old"}, {"gpu_replica": "new"}), ONE_GPU)
    assert lines["cost_usd"].to_list() == [Decimal("1.245")] * 2


def test_an_attempt_over_the_hour_has_a_line_in_each_hour() -> None:
    lines = lines_of(served({"at": 0.5, "took": 1}), ONE_GPU, hours=2)
    assert lines.filter(pl.col("attempt_id") == "a0")["started_at"].to_list() == [NOON, NOON + HOUR]
    assert lines["cost_usd"].to_list() == [Decimal("1.245")] * 4


def test_an_attempt_that_began_before_the_period_pays_for_its_part_of_it() -> None:
    lines = lines_of(served({"at": -1, "took": 1.5}), ONE_GPU)
    assert lines["cost_usd"].to_list() == [Decimal("1.245")] * 2


def test_replicas_change_by_schedule_within_an_hour() -> None:
    gpus = GPUS.parse(
        """
        pools:
          - name: chat
            usd_per_hour: 2
            replicas:
              - {to: 2026-11-01T12:30:00Z, count: 1}
              - {from: 2026-11-01T12:30:00Z, count: 3}
        """
    )
    lines = lines_of(served({"gpu_replica": "pod-1"}), gpus)
    assert lines.filter(pl.col("attempt_id") == "a0")["cost_usd"].to_list() == [Decimal(2)]
    assert idle_of(lines) == Decimal(2)


def test_without_a_stated_number_each_replica_that_served_is_up_in_the_hours_in_which_it_did() -> None:
    gpus = GPUS.parse("pools: [{name: chat, usd_per_hour: 2}]")
    attempts = served(
        {"gpu_replica": "a", "took": 0.5}, {"gpu_replica": "b", "took": 0.5}, {"at": 2, "gpu_replica": "a"}
    )
    by_hour = lines_of(attempts, gpus, hours=4).group_by("started_at").agg(pl.col("cost_usd").sum()).sort("started_at")
    assert by_hour["cost_usd"].to_list() == [Decimal(4), Decimal(2)]


def test_an_upfront_payment_is_spread_over_its_term_to_the_last_picodollar() -> None:
    gpus = GPUS.parse(
        "pools: [{name: own, usd_per_hour: 0, upfront: 100, replicas: 1, from: 2026-11-01, to: 2026-11-07}]"
    )
    lines = capacity_lines(
        served({"took": 7.123}),
        gpus,
        NONE,
        since=datetime(2026, 10, 1, tzinfo=UTC),
        until=datetime(2026, 12, 1, tzinfo=UTC),
    )
    assert lines["cost_usd"].sum() == Decimal(100)
    assert lines["started_at"].dt.date().n_unique() == 7


def test_a_term_without_a_replica_is_paid_and_idle() -> None:
    gpus = GPUS.parse(
        """
        pools:
          - name: own
            usd_per_hour: 0
            upfront: 48
            from: 2026-11-01
            to: 2026-11-02
            replicas: [{from: 2026-11-02, count: 1}]
        """
    )
    lines = capacity_lines(served(), gpus, NONE, since=datetime(2026, 11, 1, tzinfo=UTC), until=NOON + 48 * HOUR)
    assert (idle_of(lines), lines.height) == (Decimal(48), 48)


def test_devices_cost_only_their_time_at_work_and_are_never_idle() -> None:
    gpus = GPUS.parse("pools: [{name: phones, usd_per_hour: 0.36, billing: used, match: {deployment: edge}}]")
    attempts = served({"took": 0.5}, {"took": 1.5}, {"gpu_seconds": 10.0}, deployment="edge", provider=None)
    lines = lines_of(attempts, gpus, hours=2)
    by_attempt = lines.group_by("attempt_id").agg(pl.col("cost_usd").sum()).sort("attempt_id")
    assert by_attempt["cost_usd"].to_list() == [Decimal("0.18"), Decimal("0.54"), Decimal("0.001")]
    assert idle_of(lines) == 0


def test_requests_of_a_hosted_api_are_on_no_pool() -> None:
    lines = lines_of(served({}, provider="openai", deployment="managed_api"), ONE_GPU)
    assert lines["attempt_id"].to_list() == [None]


def test_a_pool_takes_what_its_match_names_and_the_first_of_several_wins() -> None:
    gpus = GPUS.parse(
        """
        pools:
          - {name: big, usd_per_hour: 4, replicas: 1, match: {model: "llama-3*", replica: "a-*"}}
          - {name: rest, usd_per_hour: 1, replicas: 1}
        """
    )
    lines = lines_of(served({"gpu_replica": "a-1"}, {"gpu_replica": "b-1"}, {}), gpus)
    assert dict(lines.select("attempt_id", "pool").iter_rows()) == {"a0": "big", "a1": "rest", "a2": "rest"}


def test_lines_carry_owner_category_and_a_key_of_their_own() -> None:
    lines = lines_of(served({"customer_id": "acme"}, {"took": 2}), ONE_GPU, hours=2)
    assert lines.schema == schema_of(LINE_ITEMS)
    assert lines["line_id"].n_unique() == lines.height
    first = lines.row(0, named=True)
    assert (first["customer_id"], first["category_rule"]) == ("acme", "the rest of a successful run")
    assert first["line_id"] == "a0/gpu_time/2026-11-01T12:00:00"
    assert first["cost_source"] == "gpu"


def test_the_category_may_come_from_token_lines() -> None:
    attempts = served({}).drop(CATEGORY)
    tokens = pl.DataFrame(
        {
            "tenant": ["default"],
            "attempt_id": ["a0"],
            "cost_category": ["retry"],
            "category_rule": ["r"],
            "cause": [None],
            "cause_provider": [None],
            "reversed_category": ["pending"],
            "cost_source": ["gpu"],
            "pool": [None],
        },
        schema_overrides=dict.fromkeys(["cause", "cause_provider", "pool"], pl.String),
    )
    lines = capacity_lines(attempts, ONE_GPU, NONE, since=NOON, until=NOON + HOUR, lines=tokens)
    assert lines["cost_category"].to_list() == ["retry"]
    with pytest.raises(ValueError, match="classify the attempts"):
        capacity_lines(attempts, ONE_GPU, NONE, since=NOON, until=NOON + HOUR)


def test_without_pools_and_commitments_there_are_no_lines() -> None:
    assert lines_of(served({}), GpusFile()).is_empty()
    assert capacity_lines(served(), GpusFile(), NONE).is_empty()


def test_an_open_period_is_closed_by_what_is_known() -> None:
    lines = capacity_lines(served({"at": 0.5, "took": 1}), ONE_GPU, NONE)
    assert lines["cost_usd"].sum() == Decimal("2.49") * 3 / 2


def test_idle_capacity_is_spread_over_the_workflows_of_its_pool_by_allocated_time() -> None:
    attempts = served({"took": 0.25, "workflow": "a"}, {"at": 0.5, "took": 0.125, "workflow": "b"}, {"at": 24 * 31})
    lines = lines_of(attempts, ONE_GPU)
    shares = capacity_shares(lines)
    # 0.375 of the hour was used: 1.55625 of 2.49 is idle, two thirds of it a's.
    assert shares.select("workflow", "allocated_usd", "capacity_usd").rows() == [
        ("a", Decimal("0.6225"), Decimal("1.0375")),
        ("b", Decimal("0.31125"), Decimal("0.51875")),
    ]
    assert shares["capacity_usd"].sum() == idle_of(lines)


def test_idle_capacity_of_a_month_without_use_belongs_to_no_workflow() -> None:
    shares = capacity_shares(lines_of(served(), ONE_GPU))
    assert shares.select("pool", "workflow", "capacity_usd").rows() == [("chat", None, Decimal("2.49"))]


pieces = st.lists(
    st.tuples(
        st.integers(0, 3 * 3_600_000),
        st.integers(1, 2 * 3_600_000),
        st.sampled_from([None, "pod-1", "pod-2", "pod-3"]),
    ),
    max_size=12,
)


def flying(times: Sequence[tuple[int, int, str | None]]) -> pl.DataFrame:
    ms = timedelta(milliseconds=1)
    rows = [
        {
            "attempt_id": f"a{n}",
            "started_at": NOON + at * ms,
            "ended_at": NOON + (at + took) * ms,
            "gpu_replica": replica,
        }
        for n, (at, took, replica) in enumerate(times)
    ]
    frame = attempts_of(*({"provider": "vllm", "deployment": "self_host"} | row for row in rows))
    return frame.with_columns(pl.lit(value, pl.String).alias(name) for name, value in CATEGORY.items())


TWO_GPUS = GPUS.parse("pools: [{name: chat, usd_per_hour: 2.49, gpus_per_replica: 2, replicas: 2}]")


@settings(max_examples=40)
@given(pieces)
def test_allocated_and_idle_are_what_was_paid_in_every_hour(times: Sequence[tuple[int, int, str | None]]) -> None:
    lines = lines_of(flying(times), TWO_GPUS, hours=5)
    by_hour = lines.group_by("started_at").agg(pl.col("cost_usd").sum(), pl.col("quantity").sum())
    assert by_hour["cost_usd"].to_list() == [Decimal("9.96")] * 5
    assert by_hour["quantity"].to_list() == [4 * 3_600_000_000] * 5
    assert lines["cost_usd"].min() is None or lines["cost_usd"].min() >= 0  # type: ignore[operator]


@settings(max_examples=40)
@given(pieces, st.randoms())
def test_the_order_of_attempts_decides_nothing(times: Sequence[tuple[int, int, str | None]], chance: Any) -> None:
    attempts = flying(times)
    order = list(range(attempts.height))
    chance.shuffle(order)
    assert lines_of(attempts[order], TWO_GPUS, hours=5).equals(lines_of(attempts, TWO_GPUS, hours=5))


@settings(max_examples=40)
@given(pieces, st.integers(1, 5 * 3_600_000 - 1))
def test_what_was_paid_adds_up_over_any_split_of_the_period(
    times: Sequence[tuple[int, int, str | None]], cut: int
) -> None:
    attempts, middle = flying(times), NOON + timedelta(milliseconds=cut)
    parts = [
        capacity_lines(attempts, TWO_GPUS, NONE, since=begin, until=end)
        for begin, end in ((NOON, middle), (middle, NOON + 5 * HOUR))
    ]
    assert pl.concat(parts)["cost_usd"].sum() == Decimal("49.8")


@settings(max_examples=40)
@given(pieces, st.integers(1, 4))
def test_hours_are_independent_of_the_period_that_holds_them(
    times: Sequence[tuple[int, int, str | None]], hour: int
) -> None:
    attempts = flying(times)
    whole = lines_of(attempts, TWO_GPUS, hours=5)
    parts = [lines_of(attempts, TWO_GPUS, hours=hour), lines_of(attempts, TWO_GPUS, since=hour, hours=5 - hour)]
    assert pl.concat(parts).equals(whole)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Pacific/Auckland"])
def test_days_add_up_in_every_time_zone(zone: str) -> None:
    attempts = flying([(n * 5_000_000, 3_000_000, None) for n in range(40)])
    lines = lines_of(attempts, TWO_GPUS, hours=72)
    days = in_periods(lines, "day", zone).group_by("period").agg(pl.col("cost_usd").sum()).sort("period")
    assert days["cost_usd"].sum() == Decimal("9.96") * 72
    assert set(days["cost_usd"][1:-1]) == {Decimal("9.96") * 24}


def test_a_commitment_is_used_by_the_share_of_its_capacity() -> None:
    rules = COMMITMENTS.parse(
        """
        commitments:
          - name: ptu
            usd_per_hour: 1
            count: 100
            tokens_per_hour: 1000
            output_weight: 4
            match: {provider: azure}
        """
    )
    usage = {"input_total_tokens": 6_000, "input_cache_read_tokens": 0, "output_total_tokens": 1_000}
    attempts = served(usage, {"at": 0.9, **usage, "input_total_tokens": 26_000}, provider="azure", deployment="cloud")
    lines = lines_of(attempts, GpusFile(), rules)
    # 6,000 + 4 x 1,000 = 10,000 and 30,000 weighted tokens of 100,000: 0.1, 0.3 and 0.6 of $100.
    assert lines.select("attempt_id", "cost_usd", "usage_kind", "pool").rows() == [
        ("a0", Decimal(10), "commitment", "ptu"),
        ("a1", Decimal(30), "commitment", "ptu"),
        (None, Decimal(60), "commitment", "ptu"),
    ]
    assert lines["contracted_cost_usd"].sum() == 0


def test_use_beyond_the_capacity_takes_all_of_it_and_no_more() -> None:
    rules = COMMITMENTS.parse("commitments: [{name: p, usd_per_hour: 5, tokens_per_hour: 10, match: {provider: aws}}]")
    tokens = {"input_total_tokens": 30}
    lines = lines_of(served(tokens, tokens, provider="aws", deployment="cloud"), GpusFile(), rules)
    assert lines["cost_usd"].to_list() == [Decimal("2.5")] * 2


def test_a_commitment_of_unknown_capacity_is_allocated_wholly_in_hours_with_use() -> None:
    rules = COMMITMENTS.parse("commitments: [{name: p, usd_per_hour: 5, match: {provider: aws}}]")
    lines = lines_of(served({"input_total_tokens": 30}, provider="aws", deployment="cloud"), GpusFile(), rules, hours=2)
    assert lines.select("attempt_id", "cost_usd").rows() == [("a0", Decimal(5)), (None, Decimal(5))]


def test_the_rate_card_says_which_attempts_a_commitment_served() -> None:
    rules = COMMITMENTS.parse("commitments: [{name: p, usd_per_hour: 5}]")
    attempts = served({"input_total_tokens": 30}, {"input_total_tokens": 30}, provider="aws", deployment="cloud")
    lines = pl.DataFrame(
        {
            "tenant": ["default"] * 2,
            "attempt_id": ["a0", "a1"],
            "cost_source": ["commitment", "computed"],
            "pool": ["p", None],
        }
    ).with_columns(pl.lit(value, pl.String).alias(name) for name, value in CATEGORY.items())
    made = capacity_lines(attempts, GpusFile(), rules, since=NOON, until=NOON + HOUR, lines=lines)
    assert made.select("attempt_id", "cost_usd").rows() == [("a0", Decimal(5))]


def test_the_term_of_a_commitment_costs_its_fee_and_its_upfront() -> None:
    rules = COMMITMENTS.parse(
        "commitments: [{name: p, usd_per_hour: 1.5, upfront: 7, from: 2026-11-01, to: 2026-11-01, "
        "currency: EUR, usd_rate: 1.1}]"
    )
    lines = capacity_lines(served(), GpusFile(), rules)
    assert lines.is_empty()
    lines = capacity_lines(served(), GpusFile(), rules, until=NOON + 24 * HOUR)
    assert lines["cost_usd"].sum() == (Decimal("1.5") * 24 + 7) * Decimal("1.1")
