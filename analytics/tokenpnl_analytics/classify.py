"""Cost categories: a partition of the traced cost. One reason per attempt and fee; the first match wins."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from tokenpnl.model import WITHOUT_DIRECT_RESULT, AttemptStatus, CostCategory, OutcomeStatus, ServedReason
from tokenpnl_analytics.frames import known_sum


@dataclass(frozen=True)
class Rule:
    """One rule of the partition: when it holds, what it is called, and what caused the cost."""

    category: CostCategory
    phrase: str
    holds: pl.Expr
    cause: pl.Expr


_TIMEOUT = "timeout"
_INVALID = "invalid_output"
_PROVIDER = "provider_error"
_REFUSAL = "refusal"
_LIMIT = "limit"
_REFUSED = ("content_filter", "refusal", "safety", "recitation", "blocklist", "prohibited_content")
_CUT = ("length", "max_tokens", "max_output_tokens")

_NO_CAUSE = pl.lit(None, pl.String)
_FAILURE_CAUSE = (
    pl.when(pl.col("finish_reason").str.to_lowercase().is_in(_REFUSED))
    .then(pl.lit(_REFUSAL))
    .when(pl.col("finish_reason").str.to_lowercase().is_in(_CUT))
    .then(pl.lit(_LIMIT))
    .when(pl.col("status") == AttemptStatus.ERROR.value)
    .then(pl.lit(_PROVIDER))
)
_INVALID_OUTPUT = pl.col("output_valid").eq_missing(False)  # noqa: FBT003 - a value to compare with
_FAILED = pl.col("status").is_in([AttemptStatus.ERROR.value])
# Code repaired invalid output only where something came of it; what nobody asked again in a lost run was given up.
_LOST_RUN = pl.col("outcome").is_in([OutcomeStatus.FAILURE.value, OutcomeStatus.ABANDONED.value]).fill_null(value=False)

RULES = (
    Rule(
        CostCategory.EVALUATION,
        "below an evaluation or guardrail step",
        pl.col("evaluation").is_not_null(),
        _NO_CAUSE,
    ),
    Rule(
        CostCategory.TIMEOUT,
        "ended by a timeout or cancellation",
        pl.col("status").is_in([AttemptStatus.TIMEOUT.value, AttemptStatus.CANCELLED.value]),
        pl.lit(_TIMEOUT),
    ),
    Rule(
        CostCategory.SCHEMA_VIOLATION,
        "invalid output, asked again or given up",
        _INVALID_OUTPUT & (pl.col("superseded") | pl.col("gave_up") | _LOST_RUN),
        pl.lit(_INVALID),
    ),
    Rule(
        CostCategory.RETRY,
        "failed, and superseded or given up",
        (pl.col("superseded") & (_FAILED | ~pl.col("rejected"))) | pl.col("gave_up"),
        _FAILURE_CAUSE,
    ),
    Rule(CostCategory.ESCALATION, "answer replaced by a stronger model's", pl.col("rejected"), _NO_CAUSE),
    Rule(CostCategory.LOOP, "repeats the identical call before it", pl.col("looped"), _NO_CAUSE),
    Rule(
        CostCategory.FAILED_RUN,
        "rest of a run that failed",
        pl.col("outcome") == OutcomeStatus.FAILURE.value,
        _NO_CAUSE,
    ),
    Rule(
        CostCategory.ABANDONED_RUN,
        "rest of a run that was abandoned",
        pl.col("outcome") == OutcomeStatus.ABANDONED.value,
        _NO_CAUSE,
    ),
    Rule(CostCategory.PENDING, "run without an outcome yet", pl.col("outcome").is_null(), _NO_CAUSE),
    Rule(
        CostCategory.FALLBACK,
        "served by a fallback model",
        pl.col("served_reason") == ServedReason.FALLBACK.value,
        _NO_CAUSE,
    ),
)
# Stopping a repeat changes no other call; fewer attempts might lose answers, so their cost is a ceiling.
_ADDRESSABLE = {
    CostCategory.LOOP.value: "recomputed",
    CostCategory.RETRY.value: "assumed",
    CostCategory.TIMEOUT.value: "assumed",
}
# Usage without a run can be an evaluation; nothing else is known about it, in whatever order the rules are read.
_OUTSIDE = Rule(CostCategory.UNATTRIBUTED, "belongs to no run", pl.col("run_id").is_null(), _NO_CAUSE)
_REST = Rule(CostCategory.PRODUCTIVE, "the rest of a successful run", pl.lit(True), _NO_CAUSE)  # noqa: FBT003 - a constant

_FEE_EVIDENCE = {
    "status": pl.lit(AttemptStatus.OK.value),
    "output_valid": pl.lit(None, pl.Boolean),
    "superseded": pl.lit(False),  # noqa: FBT003 - a column of a constant
    "gave_up": pl.lit(False),  # noqa: FBT003 - the same
    "rejected": pl.lit(False),  # noqa: FBT003 - the same
    "finish_reason": _NO_CAUSE,
    "served_reason": pl.lit(ServedReason.PRIMARY.value),
}


def classify(rows: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """Return the attempts or fees with the reason for their cost.

    Args:
        rows: table `attempts` or `fees`.
        runs: table `runs` with outcomes attached.

    Returns:
        The rows in order, with `cost_category`, `category_rule`, `cause` (NULL where none is known), `cause_provider`
        (whatever the category: who failed at this attempt, or at the primary that it stood in for; NULL where nothing
        went wrong) and `reversed_category`: the same rules read from the last to the first.
    """
    outcomes = runs.select("tenant", "run_id", "outcome")
    judged = rows.with_columns(
        *(value.alias(name) for name, value in _FEE_EVIDENCE.items() if name not in rows.columns)
    ).join(outcomes, on=["tenant", "run_id"], how="left", maintain_order="left")
    unowned = pl.col("run_id").is_null() & pl.col("evaluation").is_null()
    outside = Rule(_OUTSIDE.category, _OUTSIDE.phrase, unowned, _NO_CAUSE)
    rules = [outside, *RULES]
    turned = [outside, *reversed(RULES)]
    return rows.with_columns(
        judged.select(
            _first_match(rules, [pl.lit(rule.category.value) for rule in rules], _REST.category.value).alias(
                "cost_category"
            ),
            _first_match(rules, [pl.lit(rule.phrase) for rule in rules], _REST.phrase).alias("category_rule"),
            _first_match(rules, [rule.cause for rule in rules], None).alias("cause"),
            _first_match(turned, [pl.lit(rule.category.value) for rule in turned], _REST.category.value).alias(
                "reversed_category"
            ),
            _cause_provider(rows).alias("cause_provider"),
        )
    )


def _cause_provider(rows: pl.DataFrame) -> pl.Expr:
    """Return who failed: the attempt's own provider, or that of the first attempt of the call that it stands in for."""
    if "provider" not in rows.columns:  # a fee has none
        return _NO_CAUSE
    went_wrong = (pl.col("status") != AttemptStatus.OK.value) | _INVALID_OUTPUT | pl.col("rejected")
    own = pl.when(went_wrong).then("provider")
    primary = pl.col("served_reason") == ServedReason.PRIMARY.value
    if rows.select(primary.all()).item():  # nearly always, and calls need not be told apart then
        return own
    replaced = pl.when(primary).then("provider").sort_by("attempt_number").drop_nulls().first()
    return pl.coalesce(own, pl.when(~primary).then(replaced.over("tenant", "call_key")))


def _first_match(rules: list[Rule], values: list[pl.Expr], rest: str | None) -> pl.Expr:
    result = pl.lit(rest, pl.String)
    for rule, value in reversed(list(zip(rules, values, strict=True))):
        result = pl.when(rule.holds).then(value).otherwise(result)
    return result


def totals_in_both_orders(lines: pl.DataFrame) -> pl.DataFrame:
    """Return each category's cost as booked and under the reverse order of rules: precedence is not truth.

    Args:
        lines: line items, or sums of them, by `cost_category` and `reversed_category` at least.

    Returns:
        `cost_category, cost_usd, reversed_cost_usd` in the order of the rules, every category that either order uses;
        both columns sum to the traced cost. A line that knows no reversed category keeps its own.
    """
    cost = known_sum(pl.col("cost_usd"))
    reason = pl.coalesce("reversed_category", "cost_category").alias("cost_category")
    booked = lines.group_by("cost_category").agg(cost)
    turned = lines.group_by(reason).agg(cost.alias("reversed_cost_usd"))
    order = {category.value: place for place, category in enumerate(CostCategory)}
    return booked.join(turned, on="cost_category", how="full", coalesce=True).sort(
        pl.col("cost_category").replace_strict(order)
    )


def causes(lines: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Return cost without direct result by category and cause: gross, and what is known to be avoidable.

    Args:
        lines: line items, or sums of them, by `cost_category`, `cause` and the dimensions at least.
        by: more dimensions to tell apart.

    Returns:
        The dimensions, `cost_category, cause` (NULL: none known), `gross_usd` (this rule), `share` (of all cost in the
        lines), `addressable_usd` (NULL: unknown), `addressable_evidence` (`recomputed`;
        `assumed`: a ceiling), `n_lines`; by order of the rules, then the dearest cause.
    """
    order = {category.value: place for place, category in enumerate(CostCategory)}
    whole = lines.select(pl.col("cost_usd").sum().cast(pl.Float64)).item()
    n_lines = pl.col("n_lines").sum() if "n_lines" in lines.columns else pl.len().cast(pl.Int64).alias("n_lines")
    keys = [*by, "cost_category", "cause"]
    return (
        lines.filter(pl.col("cost_category").is_in([category.value for category in WITHOUT_DIRECT_RESULT]))
        .group_by(keys)
        .agg(known_sum(pl.col("cost_usd")).alias("gross_usd"), n_lines)
        .with_columns(
            (pl.col("gross_usd").cast(pl.Float64) / (whole or None)).alias("share"),
            pl.when(pl.col("cost_category").is_in(list(_ADDRESSABLE))).then("gross_usd").alias("addressable_usd"),
            pl.col("cost_category")
            .replace_strict(_ADDRESSABLE, default=None, return_dtype=pl.String)
            .alias("addressable_evidence"),
        )
        .sort(pl.col("cost_category").replace_strict(order), "gross_usd", descending=[False, True], nulls_last=True)
        .select(*keys, "gross_usd", "share", "addressable_usd", "addressable_evidence", "n_lines")
    )
