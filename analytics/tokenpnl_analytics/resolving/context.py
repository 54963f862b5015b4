"""Where a span stands: the run it belongs to, its step, its owners, and whether its work is evaluation."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from tokenpnl.model import Operation, StepKind
from tokenpnl_analytics.resolving.bill import MODEL_OPERATIONS
from tokenpnl_analytics.resolving.forest import Forest, Mask, Rows

OWNERS = ("customer_id", "feature", "environment", "release", "service_name", "user_id", "session_id")
_JUDGING = (Operation.GUARDRAIL.value, Operation.EVALUATION.value)
_STEP_OPERATIONS = (Operation.TOOL.value, Operation.RETRIEVAL.value, *_JUDGING)
_JUDGING_KINDS = (StepKind.GUARDRAIL.value, StepKind.EVALUATION.value)


@dataclass(frozen=True)
class Standing:
    """Rows by which spans find their run, root and step; one entry per span, `size` for none.

    Args:
        run: the nearest span that is a run by its own word: a workflow span, or one that carries a run id.
        root: the top of the span's tree.
        step: the nearest step span.
    """

    run: Rows
    root: Rows
    step: Rows


def standing(trees: Forest) -> Standing:
    """Return where each span stands.

    A workflow span inside a run is a step of it, unless it carries a run id of its own. A span that repeats the run id
    of the span that it lies in only says where it belongs.
    """
    workflow = trees.mask((pl.col("operation") == Operation.WORKFLOW.value) & (pl.col("signal") == "span"))
    enclosing = trees.inherited(trees.parent[: trees.size], "run_id")["run_id"]
    identified = trees.mask(pl.col("run_id").is_not_null() & pl.col("run_id").ne_missing(enclosing))
    inside = trees.above(workflow | identified)[: trees.size] != trees.size
    marked = identified | (workflow & ~inside)
    named = pl.col("step_name").is_not_null() | pl.col("step_kind").is_in(_JUDGING_KINDS).fill_null(value=False)
    structural = pl.col("operation").is_in(_STEP_OPERATIONS) | pl.col("step_kind").is_not_null()
    step = trees.mask(named | (structural & ~pl.col("operation").is_in(MODEL_OPERATIONS)))
    run = trees.nearest(marked)
    nested = workflow & ~marked & (run[: trees.size] != trees.size)
    top = trees.parent[: trees.size] == trees.size
    return Standing(run=run, root=trees.nearest(top), step=_within(trees, trees.nearest(step | nested), run))


def _within(trees: Forest, step: Rows, run: Rows) -> Rows:
    """Return the steps that lie in the span's own run; one above the run span says nothing about its inside."""
    return np.where(run[step] == run, step, trees.size)


def places(trees: Forest, stands: Standing, rows: Rows) -> pl.DataFrame:
    """Return step, agent, owners and judging of the given spans.

    Returns:
        One row per entry of `rows`, in order: `row`, `step`, `agent_name`, `judging` (below an evaluation or
        guardrail step), `orphan` (its tree hangs on a span that never came), and the owner columns.
    """
    step = trees.at(stands.step[rows], "step_name", "step_kind", "tool_name", "workflow_name", "name", "operation")
    own = trees.at(rows, "name", "operation", "request_model", "response_model")
    root = trees.at(stands.root[rows], "parent_span_id", "signal")
    told = trees.inherited(rows, "agent_name", *OWNERS)
    named = step.select(
        step=pl.coalesce("step_name", "tool_name", "workflow_name", "name"),
        judging=(pl.col("operation").is_in(_JUDGING) | pl.col("step_kind").is_in(_JUDGING_KINDS)).fill_null(
            value=False
        ),
    )
    frame = told.with_columns(row=pl.Series(rows), _own=_without_model(own)).with_columns(
        judging=named["judging"],
        step=named["step"],
        orphan=root.select(pl.col("parent_span_id").is_not_null() & (pl.col("signal") == "span"))["parent_span_id"],
    )
    return frame.with_columns(step=pl.coalesce("step", "agent_name", "_own")).drop("_own")


def _without_model(own: pl.DataFrame) -> pl.Series:
    bare = pl.col("name").str.strip_suffix(pl.col("response_model").fill_null(""))
    bare = bare.str.strip_suffix(pl.col("request_model").fill_null("")).str.strip_chars(" :/-")
    return own.select(bare=pl.when(bare != "").then(bare).otherwise("operation"))["bare"]


def derived_runs(trees: Forest, stands: Standing, carriers: Rows) -> Mask:
    """Return the spans that are runs only because a model call lies below them.

    That is the root of a tree without any run of its own word, unless its work is judging, or it is an orphan; and
    the first log record of a trace that holds no span at all.

    Args:
        trees: the spans.
        stands: where they stand.
        carriers: rows that carry a bill or a cached answer.
    """
    claimed = np.zeros(trees.size + 1, dtype=bool)
    claimed[stands.root[: trees.size][stands.run[: trees.size] != trees.size]] = True
    plain = trees.mask(
        (pl.col("signal") == "span") & pl.col("parent_span_id").is_null() & ~pl.col("operation").is_in(_JUDGING)
    )
    holds = np.zeros(trees.size + 1, dtype=bool)
    holds[stands.root[carriers]] = True
    return plain & holds[: trees.size] & ~claimed[: trees.size] | _log_only(trees, holds)


def _log_only(trees: Forest, holds: Mask) -> Mask:
    log = pl.col("signal") == "log"
    frame = trees.spans.select("row", "trace", "signal", holds=pl.Series(holds[: trees.size]))
    lone = frame.filter(log.any().over("trace")).filter(log.all().over("trace") & pl.col("holds"))
    mask = np.zeros(trees.size, dtype=bool)
    mask[lone.group_by("trace").agg(pl.col("row").min())["row"].to_numpy()] = True
    return mask
