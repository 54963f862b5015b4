"""Which spans of a trace speak of a model call, and which of them say it twice.

The lowest model spans carry the bill. A model span above another one of the same operation describes the same call;
a tool, agent, workflow, retrieval, guardrail or evaluation between the two starts work of its own.
"""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

from tokenpnl.model import BILLABLE_OPERATIONS, Operation
from tokenpnl_analytics.resolving.forest import Forest, Mask, Rows
from tokenpnl_analytics.resolving.usage import has_usage

MODEL_OPERATIONS = [operation.value for operation in BILLABLE_OPERATIONS]
_BOUNDARIES = [
    operation.value
    for operation in (
        Operation.WORKFLOW,
        Operation.AGENT,
        Operation.TOOL,
        Operation.RETRIEVAL,
        Operation.GUARDRAIL,
        Operation.EVALUATION,
    )
]


# An agent's loop asks again at once with what a tool found.
_NEXT_TURN = timedelta(seconds=1)


def billed_operation() -> pl.Expr:
    """Return the operation under which a record with usage is billed: its own, or inference where it is no model's."""
    own = pl.when(pl.col("operation").is_in(MODEL_OPERATIONS)).then("operation")
    return own.fill_null(Operation.INFERENCE.value)


@dataclass(frozen=True)
class Bearers:
    """The parts that spans play in the bill; masks and row numbers have one entry per span.

    Args:
        members: spans and log records that describe a model call and are not superfluous.
        wrapped: `lower`, `upper`: pairs of rows where the upper span describes the call of the lower one.
        superfluous: wrappers of several calls: row -> the row below that carries (the last) bill, else `size`.
        aggregate: spans that are no model call but report usage: an agent, a chain, a workflow.
        http_owner: for an HTTP request made by a model span, the row of that span, else `size`.
        partial: model spans whose library ran a tool and asked again inside them: their usage is the last answer's.
    """

    members: Mask
    wrapped: pl.DataFrame
    superfluous: Rows
    aggregate: Mask
    http_owner: Rows
    partial: Mask


def bearers(trees: Forest) -> Bearers:
    """Return who speaks of which model call, within each trace."""
    span = trees.mask(pl.col("signal") == "span")
    model = trees.mask(pl.col("operation").is_in(MODEL_OPERATIONS))
    used = trees.mask(has_usage())
    bound = trees.mask(pl.col("operation").is_in(_BOUNDARIES))
    http = trees.mask(pl.col("operation") == Operation.HTTP.value) & span
    speaking = (model | used) & span
    owner = trees.above(speaking | (bound & span) | http)[: trees.size]
    # A usage-bearing span of another kind directly below a model span repeats that span's call.
    is_model = np.append(model & span, False)
    member = model | (used & ~span) | (used & is_model[owner])
    aggregate = used & span & ~member
    upper = trees.above(speaking | (bound & span))[: trees.size]
    wrapped, superfluous = _wrappers(trees, member & span, upper, is_model)
    return Bearers(
        members=member & (superfluous[: trees.size] == trees.size),
        wrapped=wrapped,
        superfluous=superfluous,
        aggregate=aggregate,
        http_owner=np.where(http & is_model[owner], owner, trees.size),
        partial=_asking_again(trees, owner, is_model),
    )


def _asking_again(trees: Forest, owner: Rows, is_model: Mask) -> Mask:
    """Return the model spans inside which their own library executed a tool, and no model span follows to use it."""
    tools = np.flatnonzero(trees.mask(pl.col("operation") == Operation.TOOL.value) & is_model[owner])
    mask = np.zeros(trees.size, dtype=bool)
    if not tools.size:
        return mask
    facts = trees.spans.select(
        "row", "scope_name", "started_at", "ended_at", up=pl.Series(trees.parent[:-1]), model=pl.Series(is_model[:-1])
    )
    ran = pl.DataFrame({"row": owner[tools], "scope_name": trees.at(tools, "scope_name")["scope_name"]}).unique()
    hosts = facts.join(ran, on=["row", "scope_name"], how="semi")
    later = hosts.filter(pl.col("up") != trees.size).join(
        facts.filter("model"), on=["up", "scope_name"], suffix="_next"
    )
    pause = pl.col("started_at_next") - pl.col("ended_at")
    used = later.filter(pause.is_between(pl.duration(), _NEXT_TURN))
    mask[hosts.join(used, on="row", how="anti")["row"].to_numpy()] = True
    return mask


def _wrappers(trees: Forest, member: Mask, upper: Rows, is_model: Mask) -> tuple[pl.DataFrame, Rows]:
    facts = trees.spans.select(
        "row",
        "operation",
        "started_at",
        used=has_usage(),
        ok=pl.col("status_code") != "error",
    )
    below = facts.filter(pl.Series(member & is_model[upper])).with_columns(
        upper=pl.Series(upper[member & is_model[upper]])
    )
    above = facts.select(upper="row", upper_operation="operation", upper_used="used")
    same = (pl.col("operation") == pl.col("upper_operation")) | ~pl.col("operation").is_in(MODEL_OPERATIONS)
    below = below.join(above, on="upper", how="inner").filter(same)
    ranked = below.sort("upper", "used", "ok", "started_at", "row", descending=[False, True, True, True, True])
    best = ranked.unique("upper", keep="first", maintain_order=True)
    counts = below.group_by("upper").agg(n=pl.len(), n_used=pl.col("used").sum())
    best = best.join(counts, on="upper")
    # Several calls below: the upper span is superfluous, unless it alone knows the usage.
    pair = (pl.col("n") == 1) | ((pl.col("n_used") == 0) & pl.col("upper_used") & pl.col("ok"))
    superfluous = np.full(trees.size + 1, trees.size)
    dropped = best.filter(~pair)
    superfluous[dropped["upper"].to_numpy()] = dropped["row"].to_numpy()
    return best.filter(pair).select(lower="row", upper="upper"), superfluous
