"""Whether anybody waits for a step: the evidence without which no step is a candidate for batch processing."""

import polars as pl

from tokenpnl_analytics.whatif.baseline import Baseline

FEWEST_CALLS = 10
REGULAR_SHARE = 0.9
FOLLOWED_SHARE = 0.01
STEP = ["workflow", "step"]
_RUN = ["tenant", "run_id"]
_OFFLINE = pl.col("evaluation").eq_missing("offline")
_HOURS = 24


def waiting(baseline: Baseline, rows: pl.DataFrame, *, slack_h: float) -> pl.DataFrame:
    """Return, a row per workflow and step, whether somebody waits for its calls, with the numbers that say so.

    A call is *read* when the next call of its run begins, or when its run ends, whichever is first: from then on
    something was made of it. Offline evaluations are read by nobody in the run; a call after the end of its run
    neither.

    Args:
        baseline: who else was called in the runs, and when the runs ended.
        rows: the calls in question, of a replayed frame or of the baseline.
        slack_h: hours within which a batch is answered.

    Returns:
        `workflow`, `step`, `n_calls`; `busiest_2h_share` (of starts in the two hours of the UTC day with most: regular
        starts), `followed_share` (calls whose conversation has a later run: a human turn), `read_share` (calls that
        were seen to be read), `unknown_share` (their run is not known, so nobody can tell), `slack_p05_h` (5th
        percentile of hours from the end of a call to its being read; NULL: none was read), `delay_tolerant`, `because`
        (one sentence). Sorted.
    """
    facts = _read_at(baseline, rows).with_columns(_followed(baseline, rows))
    slack = (pl.col("read_at") - pl.col("ended_at")).dt.total_milliseconds() / 3_600_000
    numbers = facts.group_by(STEP).agg(
        pl.len().cast(pl.Int64).alias("n_calls"),
        pl.col("followed").mean().alias("followed_share"),
        pl.col("read_at").is_not_null().mean().alias("read_share"),
        pl.col("unknown").mean().alias("unknown_share"),
        slack.quantile(0.05).alias("slack_p05_h"),
    )
    found = numbers.join(_regularity(rows), on=STEP, how="left", nulls_equal=True)
    checks = {
        f"fewer than {FEWEST_CALLS} calls": pl.col("n_calls") < FEWEST_CALLS,
        "calls start at any hour": pl.col("busiest_2h_share") < REGULAR_SHARE,
        "a person goes on in the same conversation": pl.col("followed_share") > FOLLOWED_SHARE,
        "it is not known when the results are read": pl.col("unknown_share") > FOLLOWED_SHARE,
        "results are read before a batch would be answered": (pl.col("slack_p05_h") < slack_h).fill_null(value=False),
    }
    against = pl.concat_str(
        [pl.when(fails).then(pl.lit(words)) for words, fails in checks.items()], separator=", ", ignore_nulls=True
    )
    return (
        found.with_columns((against == "").alias("delay_tolerant"), against.alias("because"))
        .with_columns(
            pl.when("delay_tolerant")
            .then(pl.lit("regular starts, no human turn after them, nobody reads before a batch is answered"))
            .otherwise("because")
            .alias("because")
        )
        .select(
            *(*STEP, "n_calls", "busiest_2h_share", "followed_share", "read_share", "unknown_share", "slack_p05_h"),
            *("delay_tolerant", "because"),
        )
        .sort(STEP, nulls_last=True)
    )


def _read_at(baseline: Baseline, rows: pl.DataFrame) -> pl.DataFrame:
    """Add `read_at` (NULL: nobody was seen to read it) and `unknown`."""
    readers = (
        baseline.attempts.filter(~_OFFLINE & pl.col("run_id").is_not_null())
        .select(*_RUN, pl.col("started_at").alias("next_at"))
        .sort("next_at")
    )
    ended = rows.select(*STEP, *_RUN, "ended_at", "session_id", "started_at", _OFFLINE.alias("offline"))
    with_next = ended.sort("ended_at", nulls_last=True).join_asof(
        readers, left_on="ended_at", right_on="next_at", by=_RUN, strategy="forward", check_sortedness=False
    )
    runs = baseline.runs.select(*_RUN, pl.col("ended_at").alias("run_ended_at"), pl.lit(value=True).alias("run_known"))
    within = pl.when(pl.col("run_ended_at") >= pl.col("ended_at")).then("run_ended_at")
    return (
        with_next.join(runs, on=_RUN, how="left", maintain_order="left")
        .with_columns(
            pl.when(~pl.col("offline")).then(pl.min_horizontal("next_at", within)).alias("read_at"),
        )
        .with_columns(
            (
                ~pl.col("offline")
                & pl.col("read_at").is_null()
                & (pl.col("run_known").is_null() | pl.col("ended_at").is_null())
            ).alias("unknown")
        )
        .drop("next_at", "run_ended_at", "run_known")
    )


def _followed(baseline: Baseline, rows: pl.DataFrame) -> pl.Expr:
    last = baseline.runs.filter(pl.col("session_id").is_not_null()).group_by("session_id")
    turns = last.agg(pl.col("started_at").max().alias("last_at")).sort("session_id")
    if turns.is_empty() or rows.is_empty():
        return pl.lit(value=False).alias("followed")
    latest = pl.col("session_id").replace_strict(
        turns["session_id"], turns["last_at"], default=None, return_dtype=turns.schema["last_at"]
    )
    return (latest > pl.col("ended_at")).fill_null(value=False).alias("followed")


def _regularity(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the largest share of starts within two hours of the UTC day that follow each other."""
    starts = rows.select(*STEP, pl.col("started_at").dt.hour().cast(pl.Int64).alias("hour"))
    # A start counts for the two hours' window that begins with it and for the one that ends with it.
    windows = pl.concat([starts, starts.with_columns((pl.col("hour") - 1) % _HOURS)])
    counts = windows.group_by(*STEP, "hour").agg(pl.len().alias("n"))
    whole = starts.group_by(STEP).agg(pl.len().alias("whole"))
    return (
        counts.group_by(STEP)
        .agg(pl.col("n").max())
        .join(whole, on=STEP, nulls_equal=True)
        .select(*STEP, (pl.col("n") / pl.col("whole")).alias("busiest_2h_share"))
    )
