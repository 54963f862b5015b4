"""Attempts: every wire request of a call that some record tells of, with how it ended and whether it was billed."""

import polars as pl

from tokenpnl.model import SERVER_TOOLS, AttemptSource, AttemptStatus, Flag, Operation
from tokenpnl_analytics.flags import with_flags
from tokenpnl_analytics.resolving.usage import disjoint_usage, has_usage
from tokenpnl_ingest.dialects.endings import CANCELLED_PATTERN, TIMEOUT_PATTERN


def ended(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with how each record ended for the program.

    A stream that was left open, with neither a status nor a reason to finish, was cancelled by the client; the count
    that it began with is no usage. A client that times out writes 408 itself: no server said so.

    Returns:
        The frame plus `status` (AttemptStatus); `http_status`, and the usage columns of cancelled streams, corrected.
    """
    fault = pl.col("error_type").fill_null("")
    timed_out = pl.col("timed_out").fill_null(value=False) | fault.str.contains(TIMEOUT_PATTERN)
    left_open = (
        pl.col("streamed").fill_null(value=False)
        & (pl.col("status_code").fill_null("unset") == "unset")
        & (pl.col("finish_reason").fill_null("error") == "error")
        & (fault == "")
        & (pl.col("output_tokens").fill_null(0) <= 1)
    )
    cancelled = pl.col("cancelled").fill_null(value=False) | fault.str.contains(CANCELLED_PATTERN) | left_open
    bad = (pl.col("status_code") == "error") | (fault != "") | (pl.col("http_status") >= 400)
    status = (
        pl.when(timed_out)
        .then(pl.lit(AttemptStatus.TIMEOUT.value))
        .when(cancelled)
        .then(pl.lit(AttemptStatus.CANCELLED.value))
        .when(bad.fill_null(value=False))
        .then(pl.lit(AttemptStatus.ERROR.value))
        .otherwise(pl.lit(AttemptStatus.OK.value))
    )
    frame = frame.with_columns(status=status)
    # `message_start` of a stream carries the input and a first output token: a beginning, not a bill.
    provisional = (pl.col("status") == AttemptStatus.CANCELLED.value) & (pl.col("output_tokens").fill_null(0) <= 1)
    provisional = provisional & pl.col("attempt_number").is_null()
    nothing = (pl.col("status") == AttemptStatus.OK.value) & ~has_usage()
    by_client = (pl.col("status") == AttemptStatus.TIMEOUT.value) & (pl.col("http_status") == 408)
    return frame.with_columns(
        *(
            pl.when(~(provisional | nothing)).then(name).alias(name)
            for name in frame.columns
            if name in {"input_tokens", "output_tokens"}
        ),
        http_status=pl.when(~by_client.fill_null(value=False)).then("http_status"),
    )


def wire_attempts(units: pl.DataFrame, requests: pl.DataFrame) -> pl.DataFrame:
    """Return one row per attempt: the records themselves, and before each the requests that it covers.

    Args:
        units: one row per record of a model call, with `status` from `ended`.
        requests: HTTP client spans made by these records: `unit`, `started_at`, `ended_at`, `http_status`,
            `error_type`, `status_code`, `row`.

    Returns:
        The columns of `units` plus `attempt_id`, `sub` (0 for the record itself, else negative, in order),
        `attempt_source`, `billed`, `usage_missing`.
    """
    requests = requests.join(units.select("unit", "attempt_number"), on="unit").filter(
        pl.col("attempt_number").is_null()
    )
    last = requests.sort("started_at", "row").unique("unit", keep="last", maintain_order=True)
    counted = last.select(
        "unit",
        _http_status="http_status",
        _last_start="started_at",
        _http=pl.lit(value=True),
    ).join(requests.group_by("unit").agg(_n=pl.len()), on="unit")
    main = units.join(counted, on="unit", how="left", maintain_order="left")
    recorded = pl.col("attempt_number").is_not_null() | pl.col("call_id").is_not_null()
    several = pl.col("attempts_reported").fill_null(1) > 1
    main = main.with_columns(
        http_status=pl.coalesce("http_status", "_http_status"),
        started_at=pl.when(pl.col("_n") > 1).then("_last_start").otherwise("started_at"),
        sub=pl.lit(0, pl.Int64),
        attempt_source=pl.when(recorded)
        .then(pl.lit(AttemptSource.RECORDED.value))
        .when(pl.col("_http").is_not_null())
        .then(pl.lit(AttemptSource.HTTP.value))
        .when(several)
        .then(pl.lit(AttemptSource.GATEWAY.value))
        .otherwise(pl.lit(AttemptSource.SPAN.value)),
    )
    earlier = [_reported_before(main)]
    if requests.height > last.height:
        earlier.append(_requests_before(main, requests, last))
    columns = [name for name in main.columns if name not in {"_http_status", "_last_start", "_http", "_n"}]
    every = pl.concat([main.select(columns), *(frame.select(columns) for frame in earlier)])
    return _judged(every)


def _blank(main: pl.DataFrame) -> list[pl.Expr]:
    """Return what an attempt before the last cannot take from the record that covers it."""
    gone = [
        "input_tokens",
        "output_tokens",
        "response_id",
        "response_model",
        "service_tier",
        "finish_reason",
        "ttft_ms",
        *SERVER_TOOLS.values(),
        "queue_ms",
        "inference_ms",
        "gpu_seconds",
    ]
    gone += ["reported_cost_usd", "output_valid", "parse_error", "output_hash", "attempt_billed", "error_type"]
    return [pl.lit(None, main.schema[name]).alias(name) for name in gone]


def _requests_before(main: pl.DataFrame, requests: pl.DataFrame, last: pl.DataFrame) -> pl.DataFrame:
    earlier = requests.join(last, on=["unit", "row"], how="anti").select(
        "unit",
        _sub=pl.struct("started_at", "row").rank("ordinal", descending=True).over("unit").cast(pl.Int64) * -1,
        _started="started_at",
        _ended="ended_at",
        _http_status="http_status",
        _fault="error_type",
        _bad=((pl.col("status_code") == "error") | (pl.col("http_status") >= 400)).fill_null(value=False),
    )
    late = pl.col("_fault").fill_null("").str.contains(TIMEOUT_PATTERN)
    return (
        main.drop("_http_status")
        .join(earlier, on="unit")
        .with_columns(_blank(main))
        .with_columns(
            sub="_sub",
            started_at="_started",
            ended_at="_ended",
            http_status="_http_status",
            error_type="_fault",
            status=pl.when(late)
            .then(pl.lit(AttemptStatus.TIMEOUT.value))
            .when("_bad")
            .then(pl.lit(AttemptStatus.ERROR.value))
            .otherwise(pl.lit(AttemptStatus.OK.value)),
        )
    )


def _reported_before(main: pl.DataFrame) -> pl.DataFrame:
    covers = pl.col("attempts_reported").fill_null(1)
    hidden = main.filter((covers > 1) & pl.col("attempt_number").is_null() & (pl.col("_n").fill_null(1) < 2))
    if hidden.is_empty():
        return hidden
    subs = pl.int_ranges(1 - covers.clip(upper_bound=100), 0)
    return (
        hidden.with_columns(_blank(main))
        .with_columns(
            sub=subs,
            ended_at=pl.lit(None, main.schema["ended_at"]),
            http_status=pl.lit(None, pl.Int64),
            status=pl.lit(AttemptStatus.ERROR.value),
        )
        .explode("sub")
    )


def _judged(attempts: pl.DataFrame) -> pl.DataFrame:
    # A document model or a reranker that bills by the piece has told its usage without a token.
    pieces = pl.sum_horizontal(list(SERVER_TOOLS.values())) > 0
    told = pieces & pl.col("input_tokens").is_null() & pl.col("output_tokens").is_null()
    used = has_usage().fill_null(value=False) | told
    failed = pl.col("status") == AttemptStatus.ERROR.value
    unbilled = pl.coalesce("attempt_billed", pl.when(failed & ~used).then(pl.lit(value=False)))
    half = pl.col("input_tokens").is_null() | (
        pl.col("output_tokens").is_null() & (pl.col("operation") == Operation.INFERENCE.value)
    )
    silent = ((half & ~told) | ~used) & ~failed & unbilled.fill_null(value=True)
    number = pl.when(pl.col("sub") < 0).then(pl.format("#{}", pl.col("sub") - pl.col("sub").min().over("unit") + 1))
    attempts = attempts.with_columns(
        billed=unbilled,
        usage_missing=silent,
        latency_ms=(pl.col("ended_at") - pl.col("started_at")).dt.total_nanoseconds() / 1e6,
        attempt_id=pl.concat_str("trace_id", pl.lit(":"), "span_id", number.fill_null("")),
    )
    attempts = disjoint_usage(attempts)
    return with_flags(attempts, {Flag.USAGE_MISSING: pl.col("usage_missing")})
