"""`context_cap`: a hard cap on input. What is above it is summarised, read in chunks, or refused."""

import polars as pl

from tokenpnl.model import SERVER_TOOLS
from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.resolving.usage import KIND_NAMES
from tokenpnl_analytics.rules.scenario_families import ContextCap
from tokenpnl_analytics.whatif.baseline import Baseline
from tokenpnl_analytics.whatif.families.served_by import SELF_HOSTED, seller_of, sold_by
from tokenpnl_analytics.whatif.replay import Replayed, ends, refused, touched
from tokenpnl_analytics.whatif.result import Evidence

_KINDS = [name for name in KIND_NAMES if name.startswith("input_")]
_OUT = [name for name in KIND_NAMES if name.startswith("output_")]
_PLAIN = "input_uncached_tokens"
_WHOLE = pl.sum_horizontal(pl.col(name).fill_null(0) for name in _KINDS)


def replay(baseline: Baseline, frame: pl.DataFrame, scenario: ContextCap) -> Replayed:
    """Return the calls with input of at most the cap; the tokens that are saved are recomputed.

    - `summarise`: the older part is replaced by a summary, so that summary and rest fill the cap; who writes the
      summary reads that part in a call of its own, which is added.
    - `chunk`: the input is read in chunks of the cap that overlap; each chunk is a call, and writes as much as the
      one call did. That is the dear end; at the other end the chunks write together what the one call wrote.
    - `refuse`: the call is not made.
    """
    over = touched(scenario.where) & (_WHOLE > scenario.max_input_tokens)
    rows = frame.filter(over)
    if frame.filter(touched(scenario.where)).is_empty():
        return refused(frame, "no call matches the scenario; widen `where`")
    make = {"summarise": _summarised, "chunk": _chunked, "refuse": _refused}[scenario.how]
    after = make(baseline, frame, over, scenario, dear=scenario.how == "chunk")
    range_ = None
    if scenario.how != "refuse":
        dear, cheap = (make(baseline, frame, over, scenario, dear=end) for end in (True, False))
        range_ = ends(frame, dear, cheap, baseline.card)
    return Replayed(
        after,
        Evidence.ASSUMED,
        Evidence.NOT_IDENTIFIABLE,
        saving_range=range_,
        saving_by_assumption={} if range_ is None else {_RANGE[scenario.how]: range_},
        assumptions=_ASSUMED[scenario.how],
        falsified_by=("Longer runs, more calls per run, or calls that ask again for what was cut.",),
        to_log=_TO_LOG,
        caveats=(f"{rows.height} of {frame.filter(touched(scenario.where)).height} calls are above the cap.",),
    )


_TO_LOG = (
    "Try it on a random share of the runs, and log prompt version, input tokens and outcome.",
    "What a cap does to success cannot be read from calls that had the whole input.",
)
_ASSUMED = {
    "summarise": (
        "A summary has the stated share of the tokens that it stands for, and is written anew for each call.",
        "The rest of the input is read from the prompt cache in the same proportion as now.",
    ),
    "chunk": ("Every chunk writes as much as the whole call did.",),
    "refuse": ("The run goes on as before without the answer.",),
}
_RANGE = {"summarise": "prompt cache after summarising", "chunk": "output of each chunk"}


def _summarised(
    baseline: Baseline, frame: pl.DataFrame, over: pl.Expr, scenario: ContextCap, *, dear: bool
) -> pl.DataFrame:
    """Dear: a summary moves the beginning of the prompt, so that nothing comes from the cache any more."""
    cap, share = scenario.max_input_tokens, scenario.summary_share
    # kept + share * (whole - kept) = cap, as far as a summary of everything fits the cap.
    kept = ((cap - share * _WHOLE) / (1 - share)).floor().cast(pl.Int64).clip(0) if share < 1 else pl.lit(0, pl.Int64)
    summary = pl.lit(cap, pl.Int64) - kept
    marked = frame.with_columns(over.alias("mine"), _WHOLE.alias("whole"), kept.alias("left"), summary.alias("summary"))
    writer = _writers(baseline, marked, scenario)
    capped = _capped(marked, scenario, uncached=dear)
    return pl.concat([capped, writer.select(capped.columns)])


def _writers(baseline: Baseline, marked: pl.DataFrame, scenario: ContextCap) -> pl.DataFrame:
    """Return the calls that write the summaries, as rows that are added."""
    rows = marked.filter("mine")
    columns: list[pl.Expr] = [
        # Who writes a summary searches nothing and runs nothing.
        *(pl.lit(0, pl.Int64).alias(name) for name in (*_KINDS, *_OUT, *SERVER_TOOLS.values()) if name in rows.columns),
        (pl.col("whole") - pl.col("left")).alias("input_total_tokens"),
        pl.col("summary").alias("output_total_tokens"),
    ]
    if scenario.summary_by is not None:
        seller = seller_of(scenario.summary_by, baseline.attempts)
        columns.append(pl.lit(scenario.summary_by.model).alias("model"))
        columns.append(sold_by(seller).alias("provider"))
        columns.append(pl.when(SELF_HOSTED).then(pl.lit("managed_api")).otherwise("deployment").alias("deployment"))
    filled = rows.with_columns(columns).with_columns(
        pl.col("input_total_tokens").alias(_PLAIN), pl.col("output_total_tokens").alias("output_text_tokens")
    )
    return _as_added(filled, scenario.name)


def _as_added(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    return rows.with_columns(
        pl.lit(None, pl.Int64).alias("position"),
        pl.lit(value=True).alias("added"),
        pl.lit(value=True).alias("changed"),
        pl.lit(0, MONEY).alias("extra_usd"),
        pl.lit(0, MONEY).alias("capacity_usd"),
        pl.lit(name).alias("touched_by"),
    )


def _capped(marked: pl.DataFrame, scenario: ContextCap, *, uncached: bool) -> pl.DataFrame:
    """Return the rows with their input kinds scaled to the cap, the rounding on uncached input."""
    mine, cap = pl.col("mine"), scenario.max_input_tokens
    rest = [name for name in _KINDS if name != _PLAIN]
    parts = {
        name: pl.lit(0, pl.Int64) if uncached else pl.col(name).fill_null(0) * cap // pl.col("whole") for name in rest
    }
    scaled = marked.with_columns(pl.when(mine).then(part).otherwise(name).alias(name) for name, part in parts.items())
    others = pl.sum_horizontal(pl.col(name).fill_null(0) for name in rest)
    return scaled.with_columns(
        pl.when(mine).then(cap - others).otherwise(_PLAIN).alias(_PLAIN),
        pl.when(mine).then(pl.lit(cap, pl.Int64)).otherwise("input_total_tokens").alias("input_total_tokens"),
        (pl.col("changed") | mine).alias("changed"),
        pl.when(mine).then(pl.lit(scenario.name)).otherwise("touched_by").alias("touched_by"),
    ).drop("mine", "whole", "left", "summary", strict=False)


def _chunked(_: Baseline, frame: pl.DataFrame, over: pl.Expr, scenario: ContextCap, *, dear: bool) -> pl.DataFrame:
    cap, overlap = scenario.max_input_tokens, scenario.overlap_tokens
    step = cap - overlap
    n_more = ((_WHOLE - cap + step - 1) // step).cast(pl.Int64)
    marked = frame.with_columns(over.alias("mine"), _WHOLE.alias("whole"), pl.when(over).then(n_more).alias("n_more"))
    rows = marked.filter("mine")
    repeated = rows.select(pl.col("n_more").repeat_by("n_more").alias("copies")).with_row_index("of").explode("copies")
    place = repeated.with_columns(pl.int_range(1, pl.len() + 1).over("of").alias("place"))
    copies = rows[place["of"]].with_columns(place["place"].cast(pl.Int64))
    # The last chunk holds what is left of the input.
    size = pl.min_horizontal(pl.lit(cap, pl.Int64), pl.col("whole") - pl.col("place") * step)
    added = _as_added(
        copies.with_columns(
            *(pl.lit(0, pl.Int64).alias(name) for name in _KINDS if name != _PLAIN),
            size.alias(_PLAIN),
            size.alias("input_total_tokens"),
        ),
        scenario.name,
    )
    first = _capped(marked, scenario, uncached=False)
    both = pl.concat([first, added.select(first.columns)])
    return both.drop("n_more") if dear else _written_together(both)


def _written_together(frame: pl.DataFrame) -> pl.DataFrame:
    """Return chunks that write together what the one call wrote."""
    chunks = pl.col("n_more").is_not_null() & (pl.col("n_more") > 0)
    parts = [
        pl.when(chunks).then(pl.col(n) // (pl.col("n_more") + 1)).otherwise(n).alias(n)
        for n in (*_OUT, "output_total_tokens")
    ]
    return frame.with_columns(parts).drop("n_more")


def _refused(_: Baseline, frame: pl.DataFrame, over: pl.Expr, scenario: ContextCap, *, dear: bool) -> pl.DataFrame:
    del dear  # a call that is not made costs nothing at either end
    return (
        frame.with_columns(over.alias("mine"))
        .with_columns(
            (pl.col("kept") & ~pl.col("mine")).alias("kept"),
            pl.when("mine").then(pl.lit(scenario.name)).otherwise("touched_by").alias("touched_by"),
        )
        .drop("mine")
    )
