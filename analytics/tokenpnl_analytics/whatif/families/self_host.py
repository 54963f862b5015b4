"""`self_host`: the same calls on accelerators of one's own, paid by the hour, busy or not."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import polars as pl

from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.rules.scenario_families import SelfHost, Servers
from tokenpnl_analytics.shares import dollars, in_picodollars, split_exactly
from tokenpnl_analytics.whatif.baseline import Baseline
from tokenpnl_analytics.whatif.families.served_by import TOKENS_KNOWN
from tokenpnl_analytics.whatif.hosting.plan import (
    Plan,
    even_sentences,
    fleet_usd_if,
    latency_frame,
    plan,
    tax_sentence,
    traffic_of_attempts,
)
from tokenpnl_analytics.whatif.replay import Replayed, ends, freed_pools, given_back, refused, repriced, touched
from tokenpnl_analytics.whatif.result import Estimate, Evidence

CLOSED_WEIGHTS: Mapping[str, tuple[str, ...]] = {
    "anthropic": (),
    "aws": ("amazon.", "llama", "mistral", "mixtral", "qwen", "deepseek", "gpt-oss"),
    "openai": ("gpt-oss",),
    "azure": ("gpt-oss", "llama", "mistral", "phi", "deepseek"),
    "google": ("gemma",),
}
"""Sellers whose weights nobody else may serve, and the beginnings of the models that are open all the same."""
THROUGHPUT_RANGE = 0.25


def replay(baseline: Baseline, frame: pl.DataFrame, scenario: SelfHost) -> Replayed:
    """Return the calls as a fleet would serve them: tokens cost nothing, the fleet's hours are shared by work done.

    Calls with unknown tokens, and those longer than `context_tokens`, stay where they are.
    """
    numbered = frame.with_row_index("number")
    meant = numbered.filter(touched(scenario.where))
    rows = meant.filter(TOKENS_KNOWN & fits(scenario.context_tokens))
    if rows.is_empty():
        return refused(frame, "no call with known tokens matches the scenario; widen `where`")
    if scenario.model is None and (closed := closed_models(rows)):
        return refused(frame, f"the weights of {closed[0]} are not public; name the weights that would serve: `model:`")
    hours = baseline.days * 24
    token_usd = float(repriced(rows, baseline.card, baseline.cards)["token_usd"].sum())
    found = plan(scenario, rows, hours=hours, token_usd=token_usd)
    if not found.sized.promise_kept:
        p95 = found.sized.served.latency_s(100 * scenario.slo_share)
        return refused(
            frame,
            f"no fleet keeps {scenario.slo_ms:,.0f} ms for {scenario.slo_share:.0%} of requests: with "
            f"{found.sized.replicas} replicas they take {1000 * p95:,.0f} ms; a faster replica is needed, not more",
        )
    same = scenario.model is None
    freed = freed_pools(baseline, meant)

    tokens = int(rows.select(pl.sum_horizontal(pl.col("input_total_tokens", "output_total_tokens").sum())).item())

    def at(usd: Decimal) -> pl.DataFrame:
        fleet = replace(found, usd=usd)
        return given_back(moved(numbered, rows, scenario, fleet, (scenario.name, "self_host")), freed)

    def range_of(ends_usd: tuple[Decimal, Decimal]) -> tuple[float, float]:
        low, high = (at(usd) for usd in ends_usd)
        return ends(frame, low, high, baseline.card, baseline.cards)

    return Replayed(
        at(found.usd),
        Evidence.ASSUMED,
        Evidence.ASSUMED if same else Evidence.NOT_IDENTIFIABLE,
        success=_unchanged(rows) if same else None,
        saving_by_assumption={name: range_of(usd) for name, usd in _fleet_ends(scenario, rows, hours).items()},
        assumptions=_assumptions(scenario, found, len(meant) - len(rows)),
        falsified_by=(
            "A benchmark of your own prompts on one replica that reads or writes fewer tokens per second.",
            "Busiest hours that are busier than the busiest one in this window.",
        ),
        to_log=() if same else ("Shadow traffic: send a share of the calls to the other weights too, and score both.",),
        caveats=(*even_sentences(found.even), tax_sentence(found, hours, tokens), *pool_words(meant, freed)),
        measured={
            "latency": latency_frame(scenario.name, found.sized),
            **({} if found.even is None else {"break_even": found.even.steps}),
        },
    )


def pool_words(rows: pl.DataFrame, freed: Sequence[str]) -> tuple[str, ...]:
    """Return what happens to the pools that serve these calls today, one sentence each."""
    stay = sorted(set(rows["pool"].drop_nulls()) - set(freed))
    given = [f"{pool} is given back with all its idle time: nothing else may use it." for pool in freed]
    return (*given, *(f"{pool} serves other calls too and stays paid." for pool in stay))


def fits(context_tokens: int | None) -> pl.Expr:
    """Return whether an attempt fits the longest context, with known tokens."""
    if context_tokens is None:
        return pl.lit(value=True)
    return pl.col("input_total_tokens") + pl.col("output_total_tokens") <= context_tokens


def closed_models(rows: pl.DataFrame) -> list[str]:
    """Return the models among the attempts whose weights are not public, sorted."""
    served = rows.select("provider", "model").drop_nulls().unique().sort("provider", "model").rows()
    return [
        model
        for provider, model in served
        if provider in CLOSED_WEIGHTS and not any(begin in model.lower() for begin in CLOSED_WEIGHTS[provider])
    ]


def moved(
    frame: pl.DataFrame, rows: pl.DataFrame, servers: Servers, found: Plan, whereto: tuple[str, str]
) -> pl.DataFrame:
    """Return the frame with these rows on the fleet; what they do of its work is their part of its price, exactly.

    Args:
        frame: a replayed frame, with rows numbered by `number`.
        rows: those of them that move.
        servers: whereto.
        found: the fleet.
        whereto: name of the scenario, and deployment.
    """
    name, deployment = whereto
    traffic = traffic_of_attempts(rows, servers.tokens)
    ordered = (
        rows.sort("started_at", maintain_order=True)
        .select("number")
        .with_columns(
            pl.Series("busy_s", traffic.read / found.speed.read_per_s + traffic.written / found.speed.written_per_s),
            pl.lit(0, pl.Int64).alias("fleet"),
            pl.int_range(pl.len(), dtype=pl.Int64).alias("place"),
            in_picodollars(pl.lit(found.usd, MONEY)).alias("whole"),
        )
    )
    ordered = ordered.with_columns(pl.col("busy_s").clip(1e-12))
    parts = split_exactly(ordered, "whole", "busy_s", of="fleet", ties="place")
    share = ordered.select("number", parts.alias("part"), pl.lit(value=True).alias("moves")).select(
        "number", "moves", dollars("part").alias("hosting_usd")
    )
    moves = pl.col("moves").fill_null(value=False)
    return (
        frame.join(share, on="number", how="left", maintain_order="left")
        .with_columns(
            (pl.col("changed") | moves).alias("changed"),
            pl.when(moves).then(pl.lit(deployment)).otherwise("deployment").alias("deployment"),
            pl.when(moves)
            .then(pl.lit(servers.model or None, pl.String).fill_null(pl.col("model")))
            .otherwise("model")
            .alias("model"),
            pl.when(moves).then(pl.lit(None, pl.String)).otherwise("service_tier").alias("service_tier"),
            (pl.col("extra_usd") + pl.col("hosting_usd").fill_null(Decimal(0))).alias("extra_usd"),
            pl.when(moves).then(pl.lit(name)).otherwise("touched_by").alias("touched_by"),
        )
        .drop("number", "moves", "hosting_usd")
    )


def _fleet_ends(servers: Servers, rows: pl.DataFrame, hours: float) -> dict[str, tuple[Decimal, Decimal]]:
    """Return the fleet's price with the throughput, and the length of other weights' texts, at either end."""

    def price(*, faster: float = 1.0, longer: float = 1.0) -> Decimal:
        return fleet_usd_if(servers, rows, hours=hours, faster=faster, longer=longer)

    slow, fast = price(faster=1 - THROUGHPUT_RANGE), price(faster=1 + THROUGHPUT_RANGE)
    found = {f"throughput {THROUGHPUT_RANGE:.0%} below or above the benchmark": (slow, fast)}
    if servers.tokens is not None:
        ratio = servers.tokens
        found["tokens for the same text"] = (price(longer=ratio.high), price(longer=ratio.low))
    return found


def _assumptions(scenario: SelfHost, found: Plan, left: int) -> tuple[str, ...]:
    replicas = found.sized.replicas
    paid = f"{replicas} replica{'' if replicas == 1 else 's'} of {scenario.gpus_per_replica} x {scenario.gpu}"
    told = [
        f"{paid} stand all the time, busy {found.sized.served.utilisation:.1%} of it, and are paid whole.",
        f"A replica reads {found.speed.read_per_s:,.0f} and writes {found.speed.written_per_s:,.0f} tokens a second"
        + (f" ({scenario.source})." if scenario.source else "; no source of that figure is given."),
        "Nothing is found in a prefix cache; people, power and idle GPUs of today's pools are not counted.",
    ]
    if scenario.model is None:
        told.append("The same weights give the same answers.")
    if left:
        told.append(f"{left:,} calls with unknown tokens or a longer context stay where they are.")
    return tuple(told)


def _unchanged(rows: pl.DataFrame) -> Estimate:
    return Estimate(0.0, 0.0, 0.0, rows["run_id"].n_unique(), "assumed: the same weights give the same answers")
