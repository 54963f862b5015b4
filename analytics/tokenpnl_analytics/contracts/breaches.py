"""What agents did against their contracts: each breach, and what ran past the limit at the price of its line items.

Over-limit cost is a memo: these line items stand in their cost categories already, and nothing here is added in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from tokenpnl_analytics.contracts.steps import AgentSteps, agent_steps
from tokenpnl_analytics.frames import MONEY, known_sum
from tokenpnl_analytics.rules.agents import AgentContract, Clause

NOT_CHECKED = (
    "human approval and what prompts were stored, which traces do not tell; retries of a tool whose arguments have no "
    "fingerprint; answers whose validity nobody reported"
)
"""What a contract says and traces cannot show."""

_AGENT = ["tenant", "run_id", "agent"]
_LINE = ["tenant", "line_id"]
_ZERO = pl.lit(0, MONEY)
_BREACH = {
    **dict.fromkeys(("tenant", "run_id", "workflow", "agent", "clause", "limit", "value"), pl.String()),
    "n_past": pl.Int64(),
    **dict.fromkeys(("trace_id", "span_id"), pl.String()),
    "at": pl.Datetime("ns", "UTC"),
    "over_limit_usd": MONEY,
}


@dataclass(frozen=True)
class Facts:
    """What contracts are checked on: tables of the same runs and traces."""

    spans: pl.DataFrame
    calls: pl.DataFrame
    attempts: pl.DataFrame
    runs: pl.DataFrame
    line_items: pl.DataFrame


@dataclass(frozen=True)
class Checked:
    """What a check of contracts came to.

    Args:
        breaches: one row per run, agent and clause that was broken, by run: `tenant, run_id, workflow, agent, clause,
            limit, value` (text; for limits on one request the largest), `n_past` (steps, requests or executions that
            broke it), `trace_id, span_id, at` (where it was broken first), `over_limit_usd` (NULL: the clause has no
            price, or nothing past it has one).
        lines: the line items of what ran past a limit, each once, with `agent` and `over_limit_usd`: the part of its
            cost that did.
        agents: one row per run and agent under contract: `tenant, run_id, agent, workflow, n_steps`.
    """

    breaches: pl.DataFrame
    lines: pl.DataFrame
    agents: pl.DataFrame


@dataclass(frozen=True)
class _Work:
    """One agent's steps, requests and priced lines, each with its `step_number`."""

    contract: AgentContract
    steps: pl.DataFrame
    requests: pl.DataFrame
    lines: pl.DataFrame
    agents: pl.DataFrame


@dataclass(frozen=True)
class _Past:
    """What broke a clause: rows with the place and `value` (text), and `tenant, run_id, agent, line_id, over_usd`."""

    rows: pl.DataFrame
    lines: pl.DataFrame | None = None


def check(facts: Facts, contracts: Sequence[AgentContract]) -> Checked:
    """Return how the runs of agents stand against their contracts.

    `max_steps` counts model calls and tool executions of a run, `max_usd` their cost in the order of steps, and
    `max_wall_s` covers what started that long after the agent; these three are of a run. `max_input_tokens` and
    `max_output_tokens` are of one request: the tokens past the limit cost their share of that request's input or
    output. A line item past several limits is priced once, by the limit that takes most of it.

    Args:
        facts: of any period; a run has to be there whole.
        contracts: at most one an agent.
    """
    found = agent_steps(facts.spans, facts.calls, facts.runs, [one.agent for one in contracts])
    works = [_work(one, found, facts) for one in contracts]
    broken = [(work, clause, past) for work in works for clause, past in _clauses(work)]
    rows = [_breaches(work, clause, past) for work, clause, past in broken]
    breaches = pl.concat([pl.DataFrame(schema=_BREACH), *rows]).sort(*_AGENT, "clause")
    priced = [past.lines.select(*_LINE, "agent", "over_usd") for _, _, past in broken if past.lines is not None]
    none = pl.DataFrame(schema={**dict.fromkeys((*_LINE, "agent"), pl.String()), "over_usd": MONEY})
    over = pl.concat([none, *priced]).group_by(*_LINE, "agent").agg(pl.col("over_usd").max().alias("over_limit_usd"))
    lines = facts.line_items.join(over, on=_LINE, maintain_order="left")
    return Checked(breaches, lines, found.agents.drop("begun_at", "ended_at"))


def standing(checked: Checked) -> pl.DataFrame:
    """Return how each agent keeps its contract: `agent, n_runs, n_broken, within_share, over_limit_usd`, by agent."""
    broken = checked.breaches.group_by("agent").agg(pl.struct("tenant", "run_id").n_unique().alias("n_broken"))
    cost = checked.lines.group_by("agent").agg(known_sum(pl.col("over_limit_usd")), pl.len().alias("n_lines"))
    ran = checked.agents.group_by("agent").agg(pl.len().cast(pl.Int64).alias("n_runs"))
    return (
        ran.join(broken, on="agent", how="left")
        .join(cost, on="agent", how="left")
        .with_columns(
            pl.col("n_broken").fill_null(0).cast(pl.Int64),
            # No line past a limit is no cost past it; lines without a price are not.
            pl.when(pl.col("n_lines").is_null()).then(_ZERO).otherwise("over_limit_usd").alias("over_limit_usd"),
        )
        .with_columns((1 - pl.col("n_broken") / pl.col("n_runs")).alias("within_share"))
        .select("agent", "n_runs", "n_broken", "within_share", "over_limit_usd")
        .sort("agent")
    )


def _work(contract: AgentContract, found: AgentSteps, facts: Facts) -> _Work:
    mine = pl.col("agent") == contract.agent
    steps = found.steps.filter(mine)
    calls = steps.filter(pl.col("call_key").is_not_null())
    of_call = calls.select(*_AGENT, "workflow", "call_key", "step_number", "own", pl.col("started_at").alias("step_at"))
    requests = facts.attempts.join(of_call.drop("workflow", "run_id"), on=["tenant", "call_key"])
    tools = steps.filter(pl.col("call_key").is_null())
    of_tool = tools.select(*_AGENT, "trace_id", "span_id", "step_number", pl.col("started_at").alias("step_at"))
    items = facts.line_items.select(
        *_LINE, "attempt_id", "call_key", "trace_id", "span_id", "started_at", "usage_kind", "cost_usd"
    )
    by_call = items.join(of_call.drop("own", "workflow"), on=["tenant", "call_key"])
    fees = items.filter(pl.col("call_key").is_null()).join(of_tool, on=["tenant", "trace_id", "span_id"])
    lines = pl.concat([by_call, fees.select(by_call.columns)]).sort(*_AGENT, "step_number", "started_at", "line_id")
    return _Work(contract, steps, requests, lines, found.agents.filter(mine))


def _clauses(work: _Work) -> list[tuple[Clause, _Past]]:
    limits, contract = work.contract.limits, work.contract
    found = []
    if limits.max_steps is not None:
        found.append((Clause.MAX_STEPS, _steps_past(work, limits.max_steps)))
    if limits.max_usd is not None:
        found.append((Clause.MAX_USD, _usd_past(work, limits.max_usd)))
    if limits.max_wall_s is not None:
        found.append((Clause.MAX_WALL_S, _time_past(work, limits.max_wall_s)))
    if limits.max_input_tokens is not None:
        found.append((Clause.MAX_INPUT_TOKENS, _tokens_past(work, "input", limits.max_input_tokens)))
    if limits.max_output_tokens is not None:
        found.append((Clause.MAX_OUTPUT_TOKENS, _tokens_past(work, "output", limits.max_output_tokens)))
    if contract.model is not None:
        found.append((Clause.MODEL, _other_models(work, contract.model)))
    if contract.output_schema is not None:
        invalid = work.requests.filter(pl.col("own") & pl.col("output_valid").eq_missing(pl.lit(value=False)))
        found.append((Clause.OUTPUT_SCHEMA, _Past(invalid.with_columns(value=pl.lit("invalid answer")))))
    if contract.tools:
        found.extend(_tool_clauses(work))
    return found


def _steps_past(work: _Work, most: int) -> _Past:
    past = pl.col("step_number") > most
    lines = work.lines.filter(past).with_columns(pl.col("cost_usd").alias("over_usd"))
    whole = work.agents.select(*_AGENT, value=pl.col("n_steps").cast(pl.String))
    return _Past(work.steps.filter(past).join(whole, on=_AGENT, maintain_order="left"), lines)


def _usd_past(work: _Work, most: Decimal) -> _Past:
    limit, known = pl.lit(most, MONEY), pl.col("cost_usd").fill_null(_ZERO)
    spent = work.lines.with_columns(known.cum_sum().over(_AGENT).cast(MONEY).alias("spent_usd"))
    over = pl.min_horizontal(pl.col("cost_usd"), pl.col("spent_usd") - limit).alias("over_usd")
    lines = spent.filter((pl.col("spent_usd") > limit) & (known > _ZERO)).with_columns(over)
    value = pl.col("spent_usd").max().over(_AGENT).cast(pl.String).str.strip_chars_end("0").str.strip_chars_end(".")
    rows = lines.with_columns(value=value).unique([*_AGENT, "step_number"], keep="first", maintain_order=True)
    return _Past(rows.join(work.agents.select(*_AGENT, "workflow"), on=_AGENT, maintain_order="left"), lines)


def _time_past(work: _Work, most: Decimal) -> _Past:
    limit = pl.duration(microseconds=int(most * 1_000_000))
    late = work.agents.filter(pl.col("ended_at") - pl.col("begun_at") > limit)
    took_s = (pl.col("ended_at") - pl.col("begun_at")).dt.total_milliseconds() / 1000
    late = late.with_columns(value=took_s.round(1).cast(pl.String), ends_at=pl.col("begun_at") + limit)
    steps = work.steps.join(late.select(*_AGENT, "value", "ends_at"), on=_AGENT, maintain_order="left")
    # What was at work when the time ran out broke it, even where nothing was begun after.
    at_work = pl.coalesce("ended_at", "started_at") > pl.col("ends_at")
    begun_late = work.lines.join(late.select(*_AGENT, "ends_at"), on=_AGENT, maintain_order="left").filter(
        pl.col("step_at") >= pl.col("ends_at")
    )
    return _Past(steps.filter(at_work), begun_late.with_columns(pl.col("cost_usd").alias("over_usd")))


def _tokens_past(work: _Work, side: str, most: int) -> _Past:
    total = pl.col(f"{side}_total_tokens")
    past = work.requests.filter(total > most).with_columns(value=total.max().over(_AGENT).cast(pl.String), total=total)
    kinds = work.lines.filter(pl.col("usage_kind").str.starts_with(f"{side}_"))
    priced = kinds.join(past.select("tenant", "attempt_id", "total"), on=["tenant", "attempt_id"])
    share = pl.col("cost_usd") * (pl.col("total") - most).cast(MONEY) / pl.col("total").cast(MONEY)
    return _Past(past, priced.with_columns(share.cast(MONEY).alias("over_usd")))


def _other_models(work: _Work, model: str) -> _Past:
    asked = pl.coalesce("request_model", "model")
    fits = pl.any_horizontal(
        (name == model) | name.str.starts_with(f"{model}-20") | name.str.starts_with(f"{model}@")
        for name in (asked, pl.col("model"))
    )
    others = work.requests.filter(pl.col("own") & asked.is_not_null() & ~fits.fill_null(value=False))
    return _Past(others.with_columns(value=pl.coalesce("model", "request_model")))


def _tool_clauses(work: _Work) -> list[tuple[Clause, _Past]]:
    tools = pl.DataFrame(
        [(tool.name, tool.timeout_ms, tool.retries) for tool in work.contract.tools],
        schema={"tool_name": pl.String, "timeout_ms": pl.Int64, "retries": pl.Int64},
        orient="row",
    )
    used = work.steps.filter(pl.col("tool_name").is_not_null())
    listed = used.join(tools, on="tool_name", maintain_order="left")
    took_ms = (pl.col("ended_at") - pl.col("started_at")).dt.total_milliseconds()
    slow = listed.filter(took_ms > pl.col("timeout_ms")).with_columns(
        value=pl.format("{} took {} ms", "tool_name", took_ms)
    )
    same = [*_AGENT, "tool_name", "arguments_hash"]
    again = (
        listed.filter(pl.col("arguments_hash").is_not_null())
        .with_columns(pl.col("failed").shift(1, fill_value=False).cast(pl.Int64).cum_sum().over(same).alias("n_again"))
        .filter(pl.col("n_again") > pl.col("retries"))
        .with_columns(value=pl.format("{} again {} times", "tool_name", pl.col("n_again").max().over(same)))
    )
    unknown = used.join(tools, on="tool_name", how="anti", maintain_order="left").with_columns(
        value=pl.col("tool_name")
    )
    return [(Clause.TOOLS, _Past(unknown)), (Clause.TIMEOUT_MS, _Past(slow)), (Clause.RETRIES, _Past(again))]


def _breaches(work: _Work, clause: Clause, past: _Past) -> pl.DataFrame:
    """Return the clause's rows as breaches: one a run and agent, at the place where it was broken first."""
    at = "step_at" if "step_at" in past.rows.columns else "started_at"
    first = (
        past.rows.with_columns(pl.len().over(_AGENT).cast(pl.Int64).alias("n_past"), pl.col(at).alias("at"))
        .sort(*_AGENT, "step_number", "at")
        .unique(_AGENT, keep="first", maintain_order=True)
    )
    limit = pl.lit(_limit_text(work.contract, clause), pl.String)
    told = first.with_columns(pl.lit(clause.value).alias("clause"), limit.alias("limit"))
    return _priced(told, past.lines).select(pl.col(name).cast(dtype) for name, dtype in _BREACH.items())


def _priced(first: pl.DataFrame, lines: pl.DataFrame | None) -> pl.DataFrame:
    if lines is None:
        return first.with_columns(pl.lit(None, MONEY).alias("over_limit_usd"))
    cost = lines.group_by(_AGENT).agg(known_sum(pl.col("over_usd")).alias("over_limit_usd"), pl.len().alias("n_lines"))
    joined = first.join(cost, on=_AGENT, how="left", maintain_order="left")
    # Steps without a line item cost nothing; that is known.
    usd = pl.when(pl.col("n_lines").is_null()).then(_ZERO).otherwise("over_limit_usd")
    return joined.with_columns(usd.alias("over_limit_usd"))


def _limit_text(contract: AgentContract, clause: Clause) -> str | None:
    if hasattr(contract.limits, clause.value):
        limit: object = getattr(contract.limits, clause.value)
        return str(limit)
    if clause is Clause.MODEL:
        return contract.model
    if clause is Clause.OUTPUT_SCHEMA:
        return contract.output_schema
    by_tool = {
        Clause.TOOLS: [tool.name for tool in contract.tools],
        Clause.TIMEOUT_MS: [f"{t.name} {t.timeout_ms} ms" for t in contract.tools if t.timeout_ms is not None],
        Clause.RETRIES: [f"{t.name} {t.retries}" for t in contract.tools if t.retries is not None],
    }
    return ", ".join(by_tool[clause])
