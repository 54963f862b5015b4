"""The rate card as a list to read: prices at a moment, every dated price of a model, what differs between two cards."""

from datetime import datetime
from itertools import product

import polars as pl

from tokenpnl.model import UsageKind
from tokenpnl_analytics.frames import TIME
from tokenpnl_analytics.pricing.lookup import N_KINDS, as_ruled, lookup
from tokenpnl_analytics.pricing.prices import token_lines
from tokenpnl_analytics.pricing.ratecard import CONTEXTS, KINDS, STANDARD, RateCard
from tokenpnl_analytics.pricing.rulebook import BEGIN_NS, DAY_NS, END_NS

_SHOWN_KINDS = (UsageKind.INPUT_UNCACHED, UsageKind.INPUT_CACHE_READ, UsageKind.OUTPUT_TEXT)
_LAYERS = ("contract", "override", "aliases", "litellm")


def price_list(card: RateCard, at: datetime, *, provider: str | None = None) -> pl.DataFrame:
    """Return the standard prices in force at a moment, USD per million, short requests.

    Args:
        card: dated prices; models that only a rule names are in it too.
        at: aware moment.
        provider: only what this one sells.

    Returns:
        `provider`, `model`, then contracted prices `input_usd`, `cache_read_usd`, `output_usd` (NULL: no such price),
        `list_input_usd`, `price_source`, `price_reason`, `tiers` (contexts with prices of their own); sorted.
    """
    sold = {(seller, model) for seller, model, _ in card.keys} | _named_by_rules(card)
    wanted = sorted(pair for pair in sold if provider is None or pair[0] == provider)
    tiers: dict[tuple[str, str], list[str]] = {}
    for seller, model, context in sorted(card.keys):
        if context != STANDARD:
            tiers.setdefault((seller, model), []).append(context)
    asked = pl.DataFrame(
        {
            "attempt_id": [str(number) for number in range(len(wanted))],
            "provider": [seller for seller, _ in wanted],
            "model": [model for _, model in wanted],
            "tiers": [", ".join(tiers.get(pair, [])) for pair in wanted],
        },
        schema=dict.fromkeys(("attempt_id", "provider", "model", "tiers"), pl.String),
    )
    lines = token_lines(_usages(asked, at), card)
    unit = pl.col("contracted_unit_usd_per_million")
    found = lines.group_by("attempt_id").agg(
        *(
            unit.filter(pl.col("usage_kind") == kind.value).first().alias(name)
            for kind, name in zip(_SHOWN_KINDS, ("input_usd", "cache_read_usd", "output_usd"), strict=True)
        ),
        pl.col("list_unit_usd_per_million")
        .filter(pl.col("usage_kind") == UsageKind.INPUT_UNCACHED.value)
        .first()
        .alias("list_input_usd"),
        pl.col("price_source").drop_nulls().first(),
        *([pl.col("price_reason").drop_nulls().first()] if "price_reason" in lines.columns else []),
    )
    if "price_reason" not in found.columns:
        found = found.with_columns(pl.lit(None, pl.String).alias("price_reason"))
    joined = asked.join(found, on="attempt_id", how="left", maintain_order="left").drop("attempt_id")
    return joined.select(pl.exclude("tiers"), "tiers")


def dated_prices(card: RateCard, served: pl.DataFrame) -> pl.DataFrame:
    """Return every dated price of served models, in every tier.

    Args:
        card: dated prices.
        served: `provider`, `model`, and `service_tier`, `deployment`, `region`, `tenant` where they matter; tiers that
            are not named are all shown.

    Returns:
        `provider`, `model`, `tier`, `from`, `until` (NULL: open), `day_from`, `day_until` (time of the UTC day, empty:
        the whole day), `input_above` (NULL: from the first token), `usage_kind`, `list_usd`, `contracted_usd`,
        `effective_usd` per million, `currency`, `native`, `price_source`, `price_reason`, `price_version`; in that
        order. Tiers without prices of their own have no rows.
    """
    if "service_tier" not in served.columns:
        contexts = pl.DataFrame({"service_tier": [None, *CONTEXTS]}, schema={"service_tier": pl.String})
        served = served.join(contexts, how="cross")
    parts = [_dated(section.card, served, section.from_ns, section.until_ns) for section in card.in_force]
    order = ["provider", "model", "tier_order", "from_ns", "day_from_ns", "input_above", "kind_code"]
    found = pl.concat(parts).sort(order, nulls_last=False)
    whole_day = (pl.col("day_from_ns") == 0) & (pl.col("day_until_ns") == DAY_NS)
    return found.select(
        "provider",
        "model",
        pl.col("service_tier").fill_null(STANDARD).alias("tier"),
        _moment("from_ns").alias("from"),
        _moment("until_ns").alias("until"),
        pl.when(whole_day).then(pl.lit("")).otherwise(_clock("day_from_ns")).alias("day_from"),
        pl.when(whole_day).then(pl.lit("")).otherwise(_clock("day_until_ns")).alias("day_until"),
        pl.when(pl.col("input_above") >= 0).then("input_above").alias("input_above"),
        pl.col("kind_code").replace_strict(dict(enumerate(KINDS)), return_dtype=pl.String).alias("usage_kind"),
        pl.col("usd_per_million").alias("list_usd"),
        pl.col("contracted_usd_per_million").alias("contracted_usd"),
        pl.col("effective_usd_per_million").alias("effective_usd"),
        "currency",
        pl.col("native_unit_per_million").alias("native"),
        "price_source",
        "price_reason",
        "price_version",
    )


def card_differences(old: RateCard, new: RateCard) -> pl.DataFrame:
    """Return what differs between two cards: published prices one by one, rules by their text.

    Returns:
        `what` (price or a file's name), `provider`, `model`, `tier`, `from`, `input_above`, `usage_kind`, `old`, `new`
        (USD per million, or the rule; NULL: absent); sorted. Empty: both price everything alike.
    """
    return pl.concat([_price_differences(old, new), _rule_differences(old, new)])


def _price_differences(old: RateCard, new: RateCard) -> pl.DataFrame:
    keys = ["provider", "model", "context", "from_ns", "day_from_ns", "input_above", "usage_kind"]
    before, after = (
        card.slots.join(card.rates, on="rate_id").select(*keys, pl.col("usd_per_million").alias("usd"))
        for card in (old, new)
    )
    both = before.join(after, on=keys, how="full", coalesce=True, suffix="_new")
    return (
        both.filter(pl.col("usd").ne_missing(pl.col("usd_new")))
        .sort(keys)
        .select(
            pl.lit("price").alias("what"),
            "provider",
            "model",
            pl.col("context").alias("tier"),
            _moment("from_ns").alias("from"),
            pl.when(pl.col("input_above") >= 0).then("input_above").alias("input_above"),
            "usage_kind",
            pl.col("usd").cast(pl.String).alias("old"),
            pl.col("usd_new").cast(pl.String).alias("new"),
        )
    )


def _rule_differences(old: RateCard, new: RateCard) -> pl.DataFrame:
    rows: list[dict[str, object]] = []
    for name in (*_LAYERS, "fx"):
        before, after = (_texts(card, name) for card in (old, new))
        rows += [{"what": name, "old": text} for text in before if text not in after]
        rows += [{"what": name, "new": text} for text in after if text not in before]
    schema = {
        "what": pl.String(),
        "provider": pl.String(),
        "model": pl.String(),
        "tier": pl.String(),
        "from": TIME,
        "input_above": pl.Int64(),
        "usage_kind": pl.String(),
        "old": pl.String(),
        "new": pl.String(),
    }
    return pl.DataFrame(rows, schema=schema)


def _texts(card: RateCard, layer: str) -> list[str]:
    file = getattr(card.layers, layer)
    if layer == "fx":
        text = file.model_dump_json(exclude_defaults=True)
        return [] if text == "{}" else [text]
    rules = (*file.rules, *file.volume_tiers, *file.rebates)
    return [rule.model_dump_json(by_alias=True, exclude_defaults=True) for rule in rules]


def _named_by_rules(card: RateCard) -> set[tuple[str, str]]:
    """Return the models that rules name in full, with their seller."""
    found = set()
    for section, layer in product(card.in_force, ("contract", "override", "litellm")):
        for rule in getattr(section.card.layers, layer).rules:
            given = rule.match.given
            if {"provider", "model"} <= set(given) and not any(sign in given["model"] for sign in "*?[/"):
                found.add((given["provider"], given["model"]))
    return found


def _usages(asked: pl.DataFrame, at: datetime) -> pl.DataFrame:
    kinds = {kind.column: 1 if kind in _SHOWN_KINDS else None for kind in UsageKind}
    return asked.with_columns(
        pl.lit(at).cast(TIME).alias("started_at"),
        *(pl.lit(None, pl.String).alias(name) for name in ("service_tier", "deployment", "region", "tenant")),
        pl.lit(None, pl.Boolean).alias("billed"),
        pl.lit("").alias("flags"),
        pl.lit(0, pl.Int64).alias("input_total_tokens"),
        *(pl.lit(count, pl.Int64).alias(name) for name, count in kinds.items()),
    )


def _dated(card: RateCard, served: pl.DataFrame, from_ns: int, until_ns: int) -> pl.DataFrame:
    found = lookup(card, served)
    rates = found.rates if found.ruled else as_ruled(found.rates)
    own = pl.col("service_tier").is_null() | (pl.col("context_matched") & ~pl.col("never"))
    tiers = {None: 0} | {
        tier: place for place, tier in enumerate(served["service_tier"].drop_nulls().unique().sort(), 1)
    }
    return (
        served.join(found.known, on=found.by, nulls_equal=True, how="inner")
        .join(found.slots, on="card_key")
        .filter(own, pl.col("from_ns") < until_ns, pl.col("until_ns") > from_ns)
        .with_columns(
            pl.max_horizontal("from_ns", pl.lit(from_ns)).alias("from_ns"),
            pl.min_horizontal("until_ns", pl.lit(until_ns)).alias("until_ns"),
            pl.col("service_tier").replace_strict(tiers, return_dtype=pl.Int64).alias("tier_order"),
            pl.lit(card.version).alias("price_version"),
            pl.int_ranges(0, N_KINDS).alias("kind_code"),
        )
        .explode("kind_code")
        .with_columns((pl.col("rate_id") * N_KINDS + pl.col("kind_code")).alias("rate_key"))
        .join(rates, on="rate_key")
        .select(
            "provider", "model", "service_tier", "tier_order", "from_ns", "until_ns", "day_from_ns", "day_until_ns",
            "input_above", "kind_code", "usd_per_million", "contracted_usd_per_million", "effective_usd_per_million",
            "currency", "native_unit_per_million", "price_source", "price_reason", "price_version",
        )
    )  # fmt: skip


def _moment(column: str) -> pl.Expr:
    known = (pl.col(column) > BEGIN_NS) & (pl.col(column) < END_NS)
    return pl.when(known).then(pl.col(column)).cast(TIME)


def _clock(column: str) -> pl.Expr:
    minutes = pl.col(column) // 60_000_000_000
    return pl.format("{}:{}", (minutes // 60).cast(pl.String).str.zfill(2), (minutes % 60).cast(pl.String).str.zfill(2))
