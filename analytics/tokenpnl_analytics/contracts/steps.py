"""The steps of agents under contract: their model calls and tool executions, numbered in each run."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from tokenpnl.model import Operation
from tokenpnl_analytics.resolving.forest import Forest, forest

READ = (
    *("tenant", "trace_id", "span_id", "parent_span_id", "signal", "operation", "started_at", "ended_at"),
    *("status_code", "run_id", "agent_name", "tool_name", "name", "tool_call_id", "arguments_hash", "content_hash"),
)
"""Columns of `spans` that the steps are read from; `forest` asks for the usage besides."""

_RUN = ["tenant", "run_id"]
_SPAN = ["tenant", "trace_id", "span_id"]
_AGENT = [*_RUN, "agent"]
_BETWEEN = (Operation.TOOL, Operation.RETRIEVAL, Operation.GUARDRAIL, Operation.EVALUATION)


@dataclass(frozen=True)
class AgentSteps:
    """What agents under contract did.

    Args:
        steps: one row per model call and tool execution, in order: `tenant, run_id, agent, workflow, step_number` (from
            1 in each run and agent), `call_key` (NULL: a tool), `tool_name` (NULL: a model call), `trace_id, span_id,
            started_at, ended_at, failed, arguments_hash, own` (no tool, retrieval or evaluation lies between agent and
            step).
        agents: one row per run and agent: `tenant, run_id, agent, workflow, begun_at, ended_at` (first start and last
            end of anything it did), `n_steps`.
    """

    steps: pl.DataFrame
    agents: pl.DataFrame


def agent_steps(spans: pl.DataFrame, calls: pl.DataFrame, runs: pl.DataFrame, agents: Sequence[str]) -> AgentSteps:
    """Return the steps of the named agents.

    A step belongs to the nearest agent above it; where none is named, the run's workflow stands for it. A tool span
    directly in another of the same tool, or with a tool call id that the run has had, is the same execution told twice.

    Args:
        spans: table `spans` of the runs' traces.
        calls: table `calls`.
        runs: table `runs`; what belongs to no run has no agent.
        agents: names of the contracts.
    """
    trees = forest(spans)
    placed = _placed(trees, runs).filter(pl.col("agent").is_in(list(agents)))
    steps = pl.concat([_model_calls(placed, calls), _executions(placed)])
    steps = steps.sort(*_AGENT, "started_at", "trace_id", "span_id").with_columns(
        step_number=pl.int_range(1, pl.len() + 1).over(_AGENT)
    )
    counted = steps.group_by(_AGENT).agg(pl.len().cast(pl.Int64).alias("n_steps"))
    spent = placed.group_by(_AGENT).agg(
        pl.col("workflow").first(), begun_at=pl.col("started_at").min(), ended_at=pl.col("ended_at").max()
    )
    return AgentSteps(steps, spent.join(counted, on=_AGENT).sort(_AGENT))


def _placed(trees: Forest, runs: pl.DataFrame) -> pl.DataFrame:
    """Return the spans with the run and the agent that they belong to, and whether the step is the agent's own."""
    every = np.arange(trees.size)
    named = trees.spans.select(_SPAN).join(
        runs.select(*_SPAN, run="run_id"), on=_SPAN, how="left", maintain_order="left"
    )
    begins = trees.nearest(named["run"].is_not_null().to_numpy())[every]
    by_span = named["run"].gather(pl.Series(begins).set(pl.Series(begins == trees.size), None))
    inherited = trees.inherited(every, "agent_name", "run_id")
    agent = trees.mask(pl.col("operation") == Operation.AGENT.value)
    between = trees.mask(pl.col("operation").is_in([each.value for each in _BETWEEN]))
    own = ~np.append(between, [False])[trees.above(agent | between)[every]]
    parent = trees.at(trees.parent[every], "tool_name", "operation")
    joined = trees.spans.with_columns(
        inherited["agent_name"].alias("agent_name"),
        pl.coalesce(by_span, inherited["run_id"]).alias("run_id"),
        pl.Series("own", own),
        parent["tool_name"].alias("tool_above"),
        parent["operation"].alias("operation_above"),
    )
    workflows = runs.unique(_RUN, keep="first", maintain_order=True).select(*_RUN, "workflow")
    return joined.join(workflows, on=_RUN, maintain_order="left").with_columns(
        pl.coalesce("agent_name", "workflow").alias("agent")
    )


def _model_calls(placed: pl.DataFrame, calls: pl.DataFrame) -> pl.DataFrame:
    own = calls.select(*_SPAN, "call_key", "started_at", "ended_at", "failed")
    found = placed.drop("started_at", "ended_at").join(own, on=_SPAN)
    return found.select(*_COLUMNS[:4], "call_key", pl.lit(None, pl.String).alias("tool_name"), *_COLUMNS[6:])


def _executions(placed: pl.DataFrame) -> pl.DataFrame:
    tools = placed.filter(pl.col("operation") == Operation.TOOL.value)
    tools = tools.with_columns(pl.coalesce("tool_name", "name").alias("tool_name"))
    nested = (pl.col("operation_above") == Operation.TOOL.value) & (pl.col("tool_above") == pl.col("tool_name"))
    once = tools.filter(~nested.fill_null(value=False)).sort("started_at", *_SPAN)
    identified = once.filter(pl.col("tool_call_id").is_not_null()).unique(
        [*_RUN, "tool_call_id", "tool_name"], keep="first", maintain_order=True
    )
    every = pl.concat([identified, once.filter(pl.col("tool_call_id").is_null())])
    failed = (pl.col("status_code") == "error").fill_null(value=False)
    return every.with_columns(failed.alias("failed"), pl.lit(None, pl.String).alias("call_key")).select(_COLUMNS)


_COLUMNS = (
    *("tenant", "run_id", "agent", "workflow", "call_key", "tool_name", "trace_id", "span_id"),
    *("started_at", "ended_at", "failed", "arguments_hash", "own"),
)
