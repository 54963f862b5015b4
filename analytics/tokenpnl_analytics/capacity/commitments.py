"""Reserved throughput: the hourly fee, allocated by the tokens that used it; the unused part is idle."""

from collections.abc import Iterator

import polars as pl

from tokenpnl.model import CostSource
from tokenpnl_analytics.capacity.gpu_parts import PARTS
from tokenpnl_analytics.capacity.gpu_time import first_taker
from tokenpnl_analytics.capacity.supply import HOUR_NS, Tariff, buckets, nanoseconds
from tokenpnl_analytics.rules.commitments import Commitment, CommitmentsFile
from tokenpnl_analytics.shares import split_exactly

_ATTEMPT = ["tenant", "attempt_id"]


def commitment_parts(
    attempts: pl.DataFrame, lines: pl.DataFrame | None, rules: CommitmentsFile, since_ns: int, until_ns: int
) -> pl.DataFrame:
    """Return what the commitments cost between two moments, by request and hour, the unused part included: `PARTS`.

    The used share of an hour's fee is its weighted tokens over the capacity, at most all of it; a commitment whose
    capacity is not stated is used wholly in every hour with a token. An attempt belongs to the hour of its start.

    Args:
        attempts: sorted by tenant and id, which break ties.
        lines: line items; the attempts on whose lines the rate card put a commitment belong to it. None: the matches
            of the file decide alone.
        rules: commitments.
        since_ns: UTC nanoseconds.
        until_ns: likewise, not included.
    """
    paid = fees(rules, since_ns, until_ns)
    if paid.is_empty():
        return PARTS.to_frame()
    used = hourly_use(attempts, lines, rules, paid)
    by_bucket = used.group_by("bucket").agg(pl.col("tokens").sum().alias("total"))
    shares = paid.join(by_bucket, on="bucket", how="left", maintain_order="left").with_columns(used_share())
    claims = pl.concat(
        [
            used.join(shares.select("bucket", "total", "used_share"), on="bucket", maintain_order="left").select(
                "row", "bucket", (pl.col("tokens") / pl.col("total") * pl.col("used_share")).alias("weight")
            ),
            shares.select("bucket", (1.0 - pl.col("used_share")).alias("weight")),
        ],
        how="diagonal",
    )
    claims = claims.with_columns(pl.col("row").fill_null(attempts.height).alias("ties")).join(
        shares.select("bucket", "pool", pl.max_horizontal("hour_ns", since_ns).alias("at_ns"), "paid", "us"),
        on="bucket",
        maintain_order="left",
    )
    money = split_exactly(claims, "paid", "weight", of="bucket", ties="ties")
    time = split_exactly(claims, "us", "weight", of="bucket", ties="ties")
    parts = claims.select("row", "pool", "at_ns", money.alias("pico"), time.cast(pl.Int64).alias("quantity"))
    return (
        parts.filter((pl.col("pico") > 0) | (pl.col("quantity") > 0))
        .group_by("row", "pool", "at_ns")
        .agg(pl.col("pico").sum(), pl.col("quantity").sum())
        .sort("pool", "at_ns", "row", nulls_last=True)
    )


def fees(rules: CommitmentsFile, since_ns: int, until_ns: int) -> pl.DataFrame:
    """Return the paid hours: `BUCKETS`, `bucket`, `entry`, `us` (unit time), `capacity_tokens` (NULL: unknown)."""
    tariffs = list(_tariffs(rules))
    capacity = {entry: each.tokens_per_hour for entry, each in enumerate(rules.commitments)}
    rows = [
        buckets([tariff], since_ns=since_ns, until_ns=until_ns).with_columns(
            pl.lit(capacity[entry], pl.Int64).alias("tokens_per_hour"), pl.lit(entry, pl.Int64).alias("entry")
        )
        for entry, tariff in enumerate(tariffs)
    ]
    if not rows:
        return buckets([], since_ns=since_ns, until_ns=until_ns)
    held = pl.col("until_ns") - pl.col("from_ns")
    return (
        pl.concat(rows)
        .with_row_index("bucket")
        .with_columns(
            pl.col("bucket").cast(pl.Int64),
            ((pl.col("until_ns") // 1_000 - pl.col("from_ns") // 1_000) * pl.col("units")).alias("us"),
            (pl.col("tokens_per_hour") * pl.col("units") * (held / HOUR_NS)).alias("capacity_tokens"),
        )
    )


def hourly_use(
    attempts: pl.DataFrame, lines: pl.DataFrame | None, rules: CommitmentsFile, paid: pl.DataFrame
) -> pl.DataFrame:
    """Return `row, bucket, tokens` (weighted, float64, above 0) of the attempts that a commitment served."""
    weights = [(float(each.output_weight), float(each.cache_read_weight)) for each in rules.commitments]
    output, read = (
        pl.col("entry").replace_strict(dict(enumerate(values)), return_dtype=pl.Float64)
        for values in zip(*weights, strict=True)
    )
    known = [
        pl.col(name).fill_null(0) for name in ("input_total_tokens", "input_cache_read_tokens", "output_total_tokens")
    ]
    served = attempts.select(
        pl.int_range(pl.len(), dtype=pl.Int64).alias("row"),
        pl.col("started_at").dt.epoch("ns").alias("at"),
        _entry(attempts, lines, rules).alias("entry"),
        *known,
    ).drop_nulls("entry")
    served = served.with_columns(_exact(known[0] + (read - 1.0) * known[1] + output * known[2]).alias("tokens"))
    return (
        served.filter(pl.col("tokens") > 0)
        .sort("at", "row")
        .join_asof(
            paid.select("entry", "from_ns", "until_ns", "bucket").sort("from_ns"),
            left_on="at",
            right_on="from_ns",
            by="entry",
            check_sortedness=False,
        )
        .filter(pl.col("at") < pl.col("until_ns"))
        .select("row", "bucket", "tokens")
        .sort("row")
    )


def _exact(tokens: pl.Expr) -> pl.Expr:
    # Multiples of 1/1024 add up to the same sum in every order.
    return (tokens * 1024.0).round() / 1024.0


def used_share() -> pl.Expr:
    """Return the used share of an hour of capacity: 1 where the capacity is unknown and anything used it."""
    total = pl.col("total").fill_null(0.0)
    of_capacity = (total / pl.col("capacity_tokens")).clip(upper_bound=1.0)
    return pl.coalesce(of_capacity, (total > 0).cast(pl.Float64)).alias("used_share")


def _entry(attempts: pl.DataFrame, lines: pl.DataFrame | None, rules: CommitmentsFile) -> pl.Series:
    """Return the place of the commitment that served each attempt."""
    matched = tuple(each for each in rules.commitments if each.match.given)
    places = [place for place, each in enumerate(rules.commitments) if each.match.given]
    by_match = first_taker(attempts, matched).replace_strict(dict(enumerate(places)), return_dtype=pl.Int64)
    if lines is None:
        return by_match
    on_commitment = lines.filter(
        pl.col("cost_source") == CostSource.COMMITMENT.value, pl.col("attempt_id").is_not_null()
    )
    named = (
        on_commitment.group_by(_ATTEMPT).agg(pl.col("pool").drop_nulls().first()).with_columns(on=pl.lit(value=True))
    )
    told = attempts.select(*_ATTEMPT, "started_at", pl.lit(by_match).alias("by_match")).join(
        named, on=_ATTEMPT, how="left", maintain_order="left"
    )
    by_name = pl.coalesce(
        *(
            pl.when(pl.col("pool") == each.name, _holds(each)).then(pl.lit(place, pl.Int64))
            for place, each in enumerate(rules.commitments)
        ),
        pl.lit(None, pl.Int64),
    )
    unnamed = pl.when(pl.col("pool").is_null()).then("by_match")
    return told.select(pl.when("on").then(pl.coalesce(by_name, unnamed)).alias("entry"))["entry"]


def _holds(commitment: Commitment) -> pl.Expr:
    started = pl.col("started_at")
    since = pl.lit(value=True) if commitment.since is None else started >= commitment.since
    return since if commitment.until is None else since & (started < commitment.until)


def _tariffs(rules: CommitmentsFile) -> Iterator[Tariff]:
    for each in rules.commitments:
        begin = None if each.since is None else nanoseconds(each.since)
        end = None if each.until is None else nanoseconds(each.until)
        yield Tariff(
            pool=each.name,
            from_ns=begin,
            until_ns=end,
            units=each.count,
            usd_per_hour=each.in_usd(each.per_hour),
            upfront_usd=each.in_usd(each.upfront),
            term_ns=(begin, end) if each.upfront and begin is not None and end is not None else None,
        )
