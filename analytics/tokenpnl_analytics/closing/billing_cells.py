"""Traces and invoice side by side: one cell for each provider, account, day, model and kind that both can tell.

An invoice that is coarser decides the grain: a charge without kind makes its model one cell a day, a charge without
model its whole account one cell a day. `level` says which.
"""

import polars as pl

from tokenpnl.model import ChargeKind, CostSource
from tokenpnl_analytics.closing.invoices.form import CACHE_WRITE
from tokenpnl_analytics.closing.invoices.kinds import FOLDED
from tokenpnl_analytics.closing.model_names import common_names
from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.rules.line_match import first_match
from tokenpnl_analytics.rules.reconciliation import ReconciliationFile

ALL_ACCOUNTS, UNMAPPED = "(all)", "(unmapped)"
EDGE_HOURS = 14  # no time zone is further from UTC
SERIES = ["provider", "account", "model", "usage_kind"]
CELL = ["provider", "account", "day", "model", "usage_kind"]
_NO_USAGE_OF_MODELS = [
    kind.value for kind in (ChargeKind.FEE, ChargeKind.GPU_TIME, ChargeKind.TRUE_UP, ChargeKind.COMMITMENT)
]


def cells(line_items: pl.DataFrame, invoice: pl.DataFrame, rules: ReconciliationFile) -> pl.DataFrame:
    """Return what was traced and what was billed, cell by cell.

    Args:
        line_items: table `line_items` of the providers and accounts that are billed; fees and GPU time, which no
            provider of models bills, are passed by.
        invoice: lines of category Usage in the normal form, with `booked_usd` (null: a usage report).
        rules: accounts and model names.

    Returns:
        `CELL`, `level` (kind, model, day), `traced_tokens`, `billed_tokens` (null: charged without telling),
        `traced_usd`, `billed_usd`, `early_tokens` and `late_tokens` (traced within `EDGE_HOURS` after and before
        midnight), `unpriced_tokens`, `spread` (its bill is a part of a row of several days); sorted by `CELL`. Text and
        reasoning are one kind, `output`.
    """
    billed = invoice.with_columns(billed_account(rules).alias("account"))
    traced = _usage(line_items).with_columns(account_of(rules).alias("account"))
    billed, traced = _one_name(_one_kind(billed, billed), _one_kind(traced, billed), rules)
    both = _billed_sums(_levelled(billed, billed)).join(
        _traced_sums(_levelled(traced, billed)), on=[*CELL, "level"], how="full", coalesce=True, nulls_equal=True
    )
    # Where a side has no row it has nothing, which is known; a charge that tells no tokens stays null.
    unbilled = pl.col("billed_usd").is_null()
    counts = ("traced_tokens", "early_tokens", "late_tokens", "unpriced_tokens")
    return both.with_columns(
        pl.when(unbilled).then(0).otherwise("billed_tokens").alias("billed_tokens"),
        pl.col(counts).fill_null(0),
        pl.col("traced_usd", "billed_usd").fill_null(pl.lit(0, MONEY)),
        pl.col("spread").fill_null(value=False),
    ).sort(CELL, nulls_last=True)


def _usage(line_items: pl.DataFrame) -> pl.DataFrame:
    ours = line_items.filter(~pl.col("usage_kind").is_in(_NO_USAGE_OF_MODELS))
    return ours.with_columns(pl.col("started_at").dt.date().alias("day"))


def account_of(rules: ReconciliationFile) -> pl.Expr:
    """Return the provider's account that a line item is billed to; one for all where none is configured."""
    if not rules.accounts:
        return pl.lit(ALL_ACCOUNTS)
    names = dict(enumerate(rule.account for rule in rules.accounts))
    return first_match(rules.accounts).replace_strict(names, default=UNMAPPED, return_dtype=pl.String())


def billed_account(rules: ReconciliationFile) -> pl.Expr:
    """Return the account of a line of an invoice; one for all where none is configured."""
    return pl.col("account").fill_null(UNMAPPED) if rules.accounts else pl.lit(ALL_ACCOUNTS)


def _one_kind(side: pl.DataFrame, billed: pl.DataFrame) -> pl.DataFrame:
    """Return a side with the kinds that no invoice tells apart, or that this provider's does not, as one."""
    kind = pl.col("usage_kind").replace(FOLDED)
    lumping = billed.filter(pl.col("usage_kind") == CACHE_WRITE)["provider"].unique().implode()
    lumped = pl.col("provider").is_in(lumping) & kind.str.starts_with(CACHE_WRITE)
    return side.with_columns(pl.when(lumped).then(pl.lit(CACHE_WRITE)).otherwise(kind).alias("usage_kind"))


def _one_name(
    billed: pl.DataFrame, traced: pl.DataFrame, rules: ReconciliationFile
) -> tuple[pl.DataFrame, pl.DataFrame]:
    rows = []
    for provider in billed["provider"].unique().sort():
        ours = pl.col("provider") == provider
        in_traces, in_bill = (side.filter(ours)["model"].drop_nulls().unique().to_list() for side in (traced, billed))
        rows += [(provider, *pair) for pair in common_names(in_traces, in_bill, rules.models).items()]
    names = pl.DataFrame(rows, schema={"provider": pl.String, "model": pl.String, "name": pl.String}, orient="row")
    both = [side.join(names, on=["provider", "model"], how="left") for side in (billed, traced)]
    named = [side.with_columns(pl.coalesce("name", "model").alias("model")) for side in both]
    return named[0], named[1]


def _levelled(side: pl.DataFrame, billed: pl.DataFrame) -> pl.DataFrame:
    """Return a side at the grain of the invoice, with `level`."""
    unnamed = billed.filter(pl.col("booked_usd").is_not_null(), pl.col("usage_kind").is_null())
    by_day = unnamed.filter(pl.col("model").is_null()).select("provider", "account").unique()
    by_model = unnamed.filter(pl.col("model").is_not_null()).select("provider", "account", "model").unique()
    marked = side.join(by_day.with_columns(by_day=True), on=["provider", "account"], how="left").join(
        by_model.with_columns(by_model=True), on=["provider", "account", "model"], how="left"
    )
    level = pl.when("by_day").then(pl.lit("day")).when("by_model").then(pl.lit("model")).otherwise(pl.lit("kind"))
    return marked.with_columns(level.alias("level")).with_columns(
        pl.when(pl.col("level") != "day").then("model").alias("model"),
        pl.when(pl.col("level") == "kind").then("usage_kind").alias("usage_kind"),
    )


def _billed_sums(billed: pl.DataFrame) -> pl.DataFrame:
    charged = pl.col("booked_usd").is_not_null()
    told = pl.col("quantity").filter(charged)
    reported = pl.col("quantity").filter(~charged)
    # Tokens stand on the charges, or in a usage report beside them; never both, or they would count twice.
    tokens = (
        pl.when(charged.any() & (told.null_count() == 0)).then(told.sum()).when(~charged.all()).then(reported.sum())
    )
    return billed.group_by(*CELL, "level").agg(
        tokens.alias("billed_tokens"),
        pl.col("booked_usd").sum().alias("billed_usd"),
        pl.col("spread").any(),
    )


def _traced_sums(traced: pl.DataFrame) -> pl.DataFrame:
    hour, tokens = pl.col("started_at").dt.hour(), pl.col("quantity")
    unpriced = pl.col("cost_source") == CostSource.UNPRICED.value
    return traced.group_by(*CELL, "level").agg(
        tokens.sum().alias("traced_tokens"),
        pl.col("cost_usd").sum().alias("traced_usd"),
        tokens.filter(hour < EDGE_HOURS).sum().alias("early_tokens"),
        tokens.filter(hour >= 24 - EDGE_HOURS).sum().alias("late_tokens"),
        tokens.filter(unpriced).sum().alias("unpriced_tokens"),
    )
