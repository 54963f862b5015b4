"""Signs of glue: what is measured of a step's answers, against which threshold, and what each is independent of."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class Thresholds:
    """When a measure is a sign; tuned by `benchmarks/verdict_labels.py` on one half of the label set's workflows.

    Attributes:
        least_answers: answers below which a measure says nothing.
        distinct_share: few distinct outputs: at most this share of answers.
        lookup_share: a lookup in disguise: at least this share of answers repeats an input and its answer.
        same_answer_share: and at least this share of repeated inputs gets the answer of the first time.
        answer_tokens: a short answer: the median has at most this many tokens, reasoning included.
        settings_share: share of answers that must be structured, at temperature 0 and without tool choice.
        overlap: near-duplicate or hardly changed: an input shares at least this part with the one before.
        overlap_share: and so do at least this share of inputs.
        copied_share: share of answers that are copied forward unchanged.
        repair_share: share of answers that follow another step's invalid answer.
    """

    least_answers: int = 20
    distinct_share: float = 0.05
    lookup_share: float = 0.3
    same_answer_share: float = 0.95
    answer_tokens: float = 300
    settings_share: float = 0.9
    overlap: float = 0.9
    overlap_share: float = 0.8
    copied_share: float = 0.5
    repair_share: float = 0.5


@dataclass(frozen=True)
class Sign:
    """One sign: two of one family are not independent and count once.

    Attributes:
        name: as in the column `sign`.
        family: what it is about.
        title: on screen.
        meaning: what the number is, in one sentence.
        to_log: what to record so that it can be measured.
    """

    name: str
    family: str
    title: str
    meaning: str
    to_log: str


_OUTPUTS = "tokenpnl.output.hash: call.output(content=answer) in the SDK"
_INPUTS = "tokenpnl.prompt.hash: llm_call(prompt=...) in the SDK"
_BLOCKS = "tokenpnl.prompt.blocks and tokenpnl.prompt.messages: llm_call(prompt=...) in the SDK"
SIGNS = (
    # A label is short and one of few: both say that the answer is a label, so they count once.
    Sign("few_outputs", "form", "Few distinct answers", "distinct answers per answer given", _OUTPUTS),
    Sign(
        "lookup",
        "lookup",
        "A lookup in disguise",
        "share of answers that repeat an earlier input and its answer",
        f"{_INPUTS}; {_OUTPUTS}",
    ),
    Sign(
        "short_structured",
        "form",
        "Short structured answers",
        "share of answers in a schema at temperature 0 without tool choice, where the median is short",
        "gen_ai.request.temperature and tokenpnl.output.schema: call.output(schema=...) in the SDK",
    ),
    Sign(
        "near_duplicates",
        "context",
        "Near-duplicate inputs",
        "share of inputs that begin like the step's input before, or hold most of its messages",
        _BLOCKS,
    ),
    Sign(
        "context_resent",
        "context",
        "Context sent again, hardly changed",
        "share of inputs that begin like the model call before in the run, or hold most of its messages",
        _BLOCKS,
    ),
    Sign(
        "copied_forward",
        "copied",
        "Answers copied forward unchanged",
        "share of answers that another step gave before, or that a later step is handed whole",
        f"{_OUTPUTS}; {_INPUTS}",
    ),
    Sign(
        "repair",
        "repair",
        "Repairs another step's answer",
        "share of answers that follow another step's invalid answer",
        "tokenpnl.output.valid: call.output(valid=...) in the SDK",
    ),
)
SIGN = {sign.name: sign for sign in SIGNS}
AT_MOST = ("few_outputs",)
"""Signs that hold at or below their threshold; all others at or above it."""


def measures(answers: pl.DataFrame, by: Sequence[str], thresholds: Thresholds | None = None) -> pl.DataFrame:
    """Return every sign of every step with its number.

    Args:
        answers: result of `answers`.
        by: `workflow, step`, and `week` for a history.
        thresholds: when a number is a sign.

    Returns:
        The dimensions, `sign`, `family`, `value` (share, 0 to 1; NULL: not logged), `n` (answers that it rests on),
        `threshold`, `holds` (NULL: not logged, or fewer than `least_answers`), in order of the dimensions and `SIGNS`.
    """
    limits = thresholds or Thresholds()
    # A repeat counts in its own week, also where the first time was in an earlier one.
    same_input = ("workflow", "step", "input_key")
    ordered = answers.sort("started_at").with_columns(
        pl.col("output_key").first().over(same_input).alias("first_output"),
        (pl.int_range(pl.len()).over(same_input) > 0).alias("again"),
    )
    wide = ordered.group_by(list(by)).agg(*_values(limits), *_counts(), *_conditions(limits)).sort(list(by))
    rows = [_of_sign(wide, by, sign, limits) for sign in SIGNS]
    order = {sign.name: place for place, sign in enumerate(SIGNS)}
    return pl.concat(rows).sort(*by, pl.col("sign").replace_strict(order, return_dtype=pl.Int64))


def _paired() -> pl.Expr:
    return pl.col("input_key").is_not_null() & pl.col("output_key").is_not_null()


def _values(limits: Thresholds) -> list[pl.Expr]:
    repeated = _paired() & pl.col("again")
    same = (repeated & (pl.col("output_key") == pl.col("first_output"))).sum()
    shaped = pl.col("structured") & (pl.col("temperature") == 0) & ~pl.col("tool_choice")
    outputs = pl.col("output_key").drop_nulls()
    return [
        (outputs.n_unique() / outputs.len()).alias("few_outputs"),
        (same / _paired().sum()).alias("lookup"),
        shaped.mean().alias("short_structured"),
        (pl.col("near_overlap") >= limits.overlap).mean().alias("near_duplicates"),
        (pl.col("context_overlap") >= limits.overlap).mean().alias("context_resent"),
        pl.col("copied").mean().alias("copied_forward"),
        pl.col("repair").mean().alias("repair"),
    ]


def _counts() -> list[pl.Expr]:
    seen = {
        "few_outputs": pl.col("output_key").count(),
        "lookup": _paired().sum(),
        "short_structured": (pl.col("structured") & (pl.col("temperature") == 0)).count(),
        "near_duplicates": pl.col("near_overlap").count(),
        "context_resent": pl.col("context_overlap").count(),
        "copied_forward": pl.col("copied").count(),
        "repair": pl.col("repair").count(),
    }
    return [n.cast(pl.Int64).alias(f"n_{name}") for name, n in seen.items()]


def _conditions(limits: Thresholds) -> list[pl.Expr]:
    """Return what must hold beside the number itself."""
    repeated = _paired() & pl.col("again")
    same = (repeated & (pl.col("output_key") == pl.col("first_output"))).sum()
    return [
        (same >= limits.same_answer_share * repeated.sum()).alias("also_lookup"),
        (pl.col("answer_tokens").median() <= limits.answer_tokens).alias("also_short_structured"),
    ]


def _of_sign(wide: pl.DataFrame, by: Sequence[str], sign: Sign, limits: Thresholds) -> pl.DataFrame:
    limit = _limit(sign.name, limits)
    value, n = pl.col(sign.name).fill_nan(None), pl.col(f"n_{sign.name}")
    reached = value <= limit if sign.name in AT_MOST else value >= limit
    also = pl.col(f"also_{sign.name}") if f"also_{sign.name}" in wide.columns else pl.lit(value=True)
    return wide.select(
        *by,
        pl.lit(sign.name).alias("sign"),
        pl.lit(sign.family).alias("family"),
        pl.when(n > 0).then(value).alias("value"),
        n.alias("n"),
        pl.lit(limit).alias("threshold"),
        pl.when(n >= limits.least_answers).then(reached & also).alias("holds"),
    )


def _limit(name: str, limits: Thresholds) -> float:
    return {
        "few_outputs": limits.distinct_share,
        "lookup": limits.lookup_share,
        "short_structured": limits.settings_share,
        "near_duplicates": limits.overlap_share,
        "context_resent": limits.overlap_share,
        "copied_forward": limits.copied_share,
        "repair": limits.repair_share,
    }[name]
