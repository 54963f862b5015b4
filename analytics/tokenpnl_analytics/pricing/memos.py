"""What else the same tokens could have cost: memo figures, never added in."""

import polars as pl

from tokenpnl.model import ServedReason, UsageKind
from tokenpnl_analytics.pricing.prices import token_lines
from tokenpnl_analytics.pricing.ratecard import RateCard


def avoided_costs(calls: pl.DataFrame, card: RateCard) -> pl.DataFrame:
    """Return the calls with `cache_avoided_usd`: what the tokens that an application cache avoided would have cost.

    The avoided input is taken at the uncached price: what the provider's cache would have done is not known.
    """
    avoided = {
        "input_total_tokens": "cache_avoided_input_tokens",
        UsageKind.INPUT_UNCACHED.column: "cache_avoided_input_tokens",
        UsageKind.OUTPUT_TEXT.column: "cache_avoided_output_tokens",
    }
    would_be = calls.filter("cached").select(
        pl.concat_str("tenant", pl.lit(" "), "call_key").alias("attempt_id"),
        "provider",
        "model",
        "started_at",
        *(pl.lit(None, pl.String).alias(name) for name in ("service_tier", "deployment")),
        pl.lit(None, pl.Boolean).alias("billed"),
        pl.lit("").alias("flags"),
        *(pl.col(tokens).alias(name) for name, tokens in avoided.items()),
        *(pl.lit(None, pl.Int64).alias(kind.column) for kind in UsageKind if kind.column not in avoided),
    )
    costs = _whole_costs(token_lines(would_be, card)).rename({"usd": "cache_avoided_usd"})
    return (
        calls.drop("cache_avoided_usd", strict=False)
        .with_columns(pl.concat_str("tenant", pl.lit(" "), "call_key").alias("attempt_id"))
        .join(costs, on="attempt_id", how="left", maintain_order="left")
        .drop("attempt_id")
    )


def primary_costs(line_items: pl.DataFrame, attempts: pl.DataFrame, card: RateCard) -> pl.DataFrame:
    """Return the line items with `primary_cost_usd`: a fallback's tokens at the price of the primary that it replaced.

    NULL on every other line, and where the call shows no attempt of a primary model.
    """
    call = ["tenant", "call_key"]
    replaced = attempts.filter(pl.col("served_reason") == ServedReason.FALLBACK.value).drop("provider", "model")
    primary = (
        attempts.filter(pl.col("served_reason") == ServedReason.PRIMARY.value)
        .join(replaced, on=call, how="semi")
        .sort(*call, "attempt_number")
        .unique(call, keep="first", maintain_order=True)
        .select(*call, "provider", "model")
    )
    key = ["tenant", "line_id"]
    at_primary = token_lines(replaced.join(primary, on=call), card).select(
        *key, pl.col("cost_usd").alias("primary_cost_usd")
    )
    # Fallbacks are rare: the long keys of their lines alone are compared, and no other column is copied.
    numbered = line_items.select(*key, "served_reason").with_row_index("row")
    found = numbered.filter(pl.col("served_reason") == ServedReason.FALLBACK.value).join(at_primary, on=key)
    costs = numbered.select("row").join(
        found.select("row", "primary_cost_usd"), on="row", how="left", maintain_order="left"
    )
    return line_items.with_columns(costs["primary_cost_usd"])


def _whole_costs(lines: pl.DataFrame) -> pl.DataFrame:
    """Return `attempt_id, usd`; an attempt with a line that has no price is left out."""
    return (
        lines.group_by("attempt_id")
        .agg(pl.col("cost_usd").sum().alias("usd"), pl.col("cost_usd").has_nulls().alias("incomplete"))
        .filter(~pl.col("incomplete"))
        .drop("incomplete")
    )
