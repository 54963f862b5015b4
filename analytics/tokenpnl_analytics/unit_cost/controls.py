"""Controls against gaming: what must stand beside every unit cost, because a cheap success is easy to declare."""

from collections.abc import Sequence

import polars as pl

from tokenpnl.model import OutcomeSource

_SUCCEEDED = pl.col("succeeded")


def controls(
    runs: pl.DataFrame, by: Sequence[str] = ("workflow",), *, untraced_share: float | None = None
) -> pl.DataFrame:
    """Return who declared the successes, and whether cases were split into many runs.

    Args:
        runs: result of `cohort`.
        by: run-level dimensions.
        untraced_share: share of the invoices that no trace explains, 0 to 1; None: no invoice was reconciled.

    Returns:
        The dimensions, `successes`; `<source>_share` of the successes for each `OutcomeSource`, which sum to 1 with
        `unnamed_share` (NULL: no success); `self_declared` (every success is the program's own claim);
        `n_business_ids`, `runs_per_business_id` (of the runs that carry one; NULL: none does),
        `most_runs_of_a_business_id`, `business_id_share` (runs that carry one), `untraced_share`; sorted.
    """
    n = pl.col("successes").replace(0, None)
    sources = [source.value for source in OutcomeSource]
    named = [_won(pl.col("outcome_source") == source).alias(f"{source}_share") for source in sources]
    case = pl.col("business_id")
    counted = runs.group_by(list(by)).agg(
        pl.len().cast(pl.Int64).alias("n_runs"),
        _SUCCEEDED.sum().cast(pl.Int64).alias("successes"),
        *named,
        _won(pl.col("outcome_source").is_null()).alias("unnamed_share"),
        case.drop_nulls().n_unique().cast(pl.Int64).alias("n_business_ids"),
        case.count().cast(pl.Int64).alias("n_with_business_id"),
        case.drop_nulls().unique_counts().max().cast(pl.Int64).alias("most_runs_of_a_business_id"),
    )
    shares = [f"{source}_share" for source in (*sources, "unnamed")]
    return (
        counted.with_columns(pl.col(name) / n for name in shares)
        .with_columns(
            (pl.col("program_share") == 1).fill_null(value=False).alias("self_declared"),
            (pl.col("n_with_business_id") / pl.col("n_business_ids").replace(0, None)).alias("runs_per_business_id"),
            (pl.col("n_with_business_id") / pl.col("n_runs")).alias("business_id_share"),
            pl.lit(untraced_share, pl.Float64).alias("untraced_share"),
        )
        .drop("n_with_business_id", "n_runs")
        .sort(list(by), nulls_last=True)
    )


def untraced_share(invoices: pl.DataFrame) -> float | None:
    """Return the share of the invoiced amount that no trace explains; NULL where nothing was reconciled.

    Args:
        invoices: `billed_usd`, `traced_usd`, one row per reconciled provider, account and month; a row that lacks one
            of them is left out. Traces beyond the invoice of a row do not make up for another's lack.
    """
    known = invoices.filter(pl.col("billed_usd").is_not_null() & pl.col("traced_usd").is_not_null())
    billed = known["billed_usd"].sum()
    if not billed or billed <= 0:
        return None
    lack = known.select((pl.col("billed_usd") - pl.col("traced_usd")).clip(0).sum()).item()
    return float(lack) / float(billed)


def outcomes_without_run(outcomes: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """Return the outcomes that speak of no run we know: of sampled traces most do. They stay outside of unit costs.

    Args:
        outcomes: table `outcomes`.
        runs: `tenant, run_id, trace_id, business_id` of every run that outcomes may speak of.

    Returns:
        `status`, `n` (subjects, by their newest statement), sorted by status.
    """
    subject = pl.coalesce("run_id", "trace_id", "business_id")
    known = pl.concat(
        [runs.select("tenant", pl.col(name).alias("subject")).drop_nulls() for name in
         ("run_id", "trace_id", "business_id")]
    ).unique()  # fmt: skip
    newest = (
        outcomes.with_columns(subject.alias("subject"))
        .sort("effective_at", "outcome_id", "content_hash")
        .unique(["tenant", "subject"], keep="last", maintain_order=True)
    )
    lost = newest.join(known, on=["tenant", "subject"], how="anti")
    return lost.group_by("status").agg(pl.len().cast(pl.Int64).alias("n")).sort("status")


def _won(condition: pl.Expr) -> pl.Expr:
    return (_SUCCEEDED & condition.fill_null(value=False)).sum()
