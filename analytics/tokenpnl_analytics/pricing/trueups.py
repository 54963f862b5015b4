"""Volume tiers and rebates, settled at the close of a month: lines are never re-rated, one line says the difference."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl

from tokenpnl.model import ChargeKind, CostCategory, CostSource, PriceSource, ServedReason, UsageKind
from tokenpnl.tables import LINE_ITEMS
from tokenpnl_analytics.frames import MONEY, conform, empty, schema_of
from tokenpnl_analytics.periods import month_after
from tokenpnl_analytics.rules.prices import Match, PriceFile, VolumeRule, fits
from tokenpnl_analytics.shares import split_money
from tokenpnl_ingest.dialects.providers import provider_of

ADJUSTMENT, CREDIT = "Adjustment", "Credit"
ESTIMATED = "true_up_estimated_usd"
_TOKENS = frozenset(kind.value for kind in UsageKind)
_PICO = Decimal("0.000000000001")
_SHARED_BY = ("tenant", "provider", "model")


@dataclass(frozen=True)
class Earned:
    """What a month's volume earned by one rule, USD: `base_usd` before the volume discount, `due_usd` to be booked."""

    volume: Decimal
    base_usd: Decimal
    earned_usd: Decimal
    estimated_usd: Decimal

    @property
    def due_usd(self) -> Decimal:
        """What the lines of the month lack; negative where they carry too much cost."""
        return self.estimated_usd - self.earned_usd


def true_ups(line_items: pl.DataFrame, contract: PriceFile, month: str) -> pl.DataFrame:
    """Return the lines that settle the month's volume terms.

    A volume discount is part of the price: its line is an Adjustment (negative where the month earned more than its
    lines carry). A rebate is money back: its line is a Credit. Each is shared over tenants, providers and models by
    their contracted cost, to the last digit.

    Args:
        line_items: table `line_items`; only usage of the month counts, however much more is given.
        contract: volume tiers and rebates.
        month: such as 2026-11, UTC.

    Returns:
        Table `line_items`: `usage_kind` true_up, quantity 1, `pool` the name of the rule, dated at the last moment of
        the month, `cost_category` unattributed; sorted by line id. Terms that come to 0 have no line.
    """
    begins = datetime.fromisoformat(f"{month}-01").replace(tzinfo=UTC)
    ends = month_after(begins)
    usage = line_items.filter(
        (pl.col("started_at") >= begins)
        & (pl.col("started_at") < ends)
        & (pl.col("charge_category") == "Usage")
        & pl.col("contracted_cost_usd").is_not_null()
    )
    closes = ends - timedelta(microseconds=1)
    rows: list[dict[str, object]] = []
    for charge, rules in ((ADJUSTMENT, contract.volume_tiers), (CREDIT, contract.rebates)):
        for rule in rules:
            if rule.overlaps(VolumeRule.model_construct(from_=begins.date(), to=closes.date())):
                rows.extend(_lines(_matching(usage, rule.match), rule, charge, month, closes))
    if not rows:
        return empty(LINE_ITEMS)
    return conform(pl.DataFrame(rows, schema_overrides=_overrides(rows)), LINE_ITEMS).sort("line_id")


def with_estimated_true_up(rows: pl.DataFrame, estimated: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Return the statement with `true_up_estimated_usd`: what the volume terms of open months come to so far.

    It stands beside the ladder and is in no sum: the lines keep the estimated rate, and the close posts the true-up.

    Args:
        rows: result of `statement` by the same dimensions.
        estimated: result of `true_ups` for open months, with the dimensions; those that closed carry theirs already.
        by: the dimensions.

    Returns:
        The rows in order; NULL where nothing is to be settled.
    """
    due = pl.col("cost_usd").sum().cast(MONEY).alias(ESTIMATED)
    if by:
        sums = estimated.group_by(list(by)).agg(due)
        return rows.join(sums, on=list(by), how="left", nulls_equal=True, maintain_order="left")
    return rows.with_columns(estimated.select(pl.when(pl.len() > 0).then(due).alias(ESTIMATED)))


def earned(usage: pl.DataFrame, rule: VolumeRule) -> Earned:
    """Return what the usage of a month earned by a rule.

    Args:
        usage: line items that the rule is for, each with a contracted cost.
        rule: steps by the volume in contracted USD before this discount, or in tokens.
    """
    kept = 1 - rule.estimated_pct / 100
    paid = Decimal(usage["contracted_cost_usd"].sum())
    # Where nothing but a full discount is estimated, the base cannot be told from what was paid.
    base = (paid / kept).quantize(_PICO) if kept else paid
    tokens = usage.filter(pl.col("usage_kind").is_in(_TOKENS))["quantity"].sum()
    volume = base if rule.measure == "usd" else Decimal(tokens)
    share = _earned_share(rule, volume)
    return Earned(volume, base, (base * share).quantize(_PICO), base - paid)


def _earned_share(rule: VolumeRule, volume: Decimal) -> Decimal:
    """Return the part of the month's cost that its volume earned: the step reached, or each step for its own part."""
    steps = sorted(rule.steps, key=lambda step: step.above)
    reached = [step for step in steps if volume > step.above]
    if not reached or not volume:
        return Decimal(0)
    if rule.whole:
        return reached[-1].pct / 100
    tops = [*(step.above for step in reached[1:]), volume]
    return (
        sum(((top - step.above) * step.pct / 100 for step, top in zip(reached, tops, strict=True)), Decimal(0)) / volume
    )


def _matching(usage: pl.DataFrame, match: Match) -> pl.DataFrame:
    names = [name for name in match.given if name in usage.columns]
    if not names:
        return usage
    distinct = usage.select(names).unique()
    fitting = [
        all(fits(match.given[name], _spelled(name, value)) for name, value in zip(names, row, strict=True))
        for row in distinct.iter_rows()
    ]
    return usage.join(distinct.filter(pl.Series(fitting, dtype=pl.Boolean)), on=names, how="semi", nulls_equal=True)


def _spelled(name: str, value: str | None) -> list[str | None]:
    return [value, provider_of(value)] if name == "provider" else [value]


def _lines(
    usage: pl.DataFrame, rule: VolumeRule, charge: str, month: str, closes: datetime
) -> Iterator[dict[str, object]]:
    due = earned(usage, rule).due_usd
    if not due:
        return
    shares = usage.group_by(_SHARED_BY).agg(pl.col("contracted_cost_usd").sum()).sort(_SHARED_BY, nulls_last=True)
    for (tenant, provider, model), usd in zip(
        shares.select(_SHARED_BY).iter_rows(), split_money(due, shares["contracted_cost_usd"].to_list()), strict=True
    ):
        if usd:
            name = f"{month}/{rule.name}/{tenant}/{provider}/{model}"
            yield {
                "tenant": tenant,
                "line_id": f"true_up/{name}",
                "trace_id": f"true_up/{month}",
                "span_id": rule.name,
                "step": "true_up",
                "provider": provider,
                "model": model,
                "pool": rule.name,
                "started_at": closes,
                "charge_category": charge,
                "usage_kind": ChargeKind.TRUE_UP.value,
                "quantity": 1,
                "list_cost_usd": Decimal(0),
                "contracted_cost_usd": usd,
                "cost_usd": usd,
                "cost_source": CostSource.COMPUTED.value,
                "price_source": PriceSource.CONTRACT.value,
                "cost_category": CostCategory.UNATTRIBUTED.value,
                "category_rule": f"{rule.name}, settled for {month}",
                "served_reason": ServedReason.PRIMARY.value,
                "flags": "",
            }


def _overrides(rows: list[dict[str, object]]) -> dict[str, pl.DataType]:
    return {name: dtype for name, dtype in schema_of(LINE_ITEMS).items() if name in rows[0]}
