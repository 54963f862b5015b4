import random
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal

import polars as pl
import pytest
from genai_prices import Usage, calc_price

from tokenpnl.model import SERVER_TOOLS, UsageKind
from tokenpnl_analytics.pricing.prices import charge
from tokenpnl_analytics.pricing.ratecard import CONTEXTS, STANDARD


def total_usd(lines):
    return lines["cost_usd"].sum()


def by_kind(lines, column="cost_usd"):
    return dict(lines.select("usage_kind", column).iter_rows())


def test_cached_tokens_are_billed_once_at_the_cache_read_price(rows, card):
    attempts = rows.attempts(
        {"input_total_tokens": 17_903, "input_uncached_tokens": 86, "input_cache_read_tokens": 17_817}
    )
    lines = charge(attempts, rows.fees(), card)
    # gpt-4o: 2.50 USD and 1.25 USD per million.
    assert by_kind(lines) == {"input_uncached": Decimal("0.000215"), "input_cache_read": Decimal("0.02227125")}


def test_the_uncached_cost_of_a_cache_read_is_what_the_input_price_would_have_been(rows, card):
    lines = charge(rows.attempts({"input_cache_read_tokens": 17_817}), rows.fees(), card)
    assert by_kind(lines, "uncached_cost_usd") == {"input_cache_read": Decimal("0.0445425")}


def test_reasoning_inside_the_output_is_billed_once(rows, card):
    lines = charge(rows.attempts({"output_text_tokens": 34, "output_reasoning_tokens": 448}), rows.fees(), card)
    assert total_usd(lines) == Decimal("0.00482")  # 482 tokens at 10 USD per million, not 448 and not 930


def test_a_cache_write_is_billed_by_its_lifetime(rows, card):
    attempts = rows.attempts(
        {
            "provider": "anthropic",
            "model": "claude-sonnet-4-5",
            "input_total_tokens": 184_457,
            "input_cache_write_1h_tokens": 31_490,
            "input_cache_write_5m_tokens": 152_967,
        }
    )
    # 6.00 and 3.75 USD per million: all 184,457 tokens are paid for.
    assert total_usd(charge(attempts, rows.fees(), card)) == Decimal("0.18894") + Decimal("0.57362625")


def test_audio_output_has_its_own_price(rows, card):
    attempts = rows.attempts({"model": "gpt-audio", "output_audio_tokens": 47, "output_text_tokens": 38})
    assert by_kind(charge(attempts, rows.fees(), card)) == {
        "output_text": Decimal("0.00038"),  # 10 USD per million
        "output_audio": Decimal("0.003008"),  # 64 USD per million
    }


def test_ten_thousand_calls_of_nine_millionths_sum_to_nine_cents(rows, card):
    tokens = {"model": "gpt-4o-mini", "input_uncached_tokens": 60}  # 60 at 0.15 USD per million
    attempts = rows.attempts(*[tokens] * 10_000)
    lines = charge(attempts, rows.fees(), card)
    assert lines["cost_usd"].unique().to_list() == [Decimal("0.000009")]
    assert total_usd(lines) == Decimal("0.09")


def test_the_long_context_price_is_a_cliff_on_the_whole_input_with_cache(rows, card):
    sonnet = {"provider": "anthropic", "model": "claude-sonnet-4-5"}
    attempts = rows.attempts(
        sonnet | {"input_total_tokens": 200_000, "input_uncached_tokens": 100, "input_cache_read_tokens": 199_900},
        sonnet | {"input_total_tokens": 200_001, "input_uncached_tokens": 101, "input_cache_read_tokens": 199_900},
    )
    lines = charge(attempts, rows.fees(), card).filter(pl.col("usage_kind") == "input_uncached")
    assert lines["list_unit_usd_per_million"].to_list() == [Decimal(3), Decimal(6)]


def test_without_an_input_total_the_kinds_decide_the_tier(rows, card):
    attempts = rows.attempts({"provider": "anthropic", "model": "claude-sonnet-4-5", "input_uncached_tokens": 200_001})
    assert total_usd(charge(attempts, rows.fees(), card)) == Decimal("1.200006")


def test_a_model_without_a_cache_price_bills_cache_reads_at_the_input_price(rows, card):
    attempts = rows.attempts({"model": "gpt-4", "input_cache_read_tokens": 1_000_000})
    lines = charge(attempts, rows.fees(), card)
    assert total_usd(lines) == Decimal(30)
    assert lines["flags"].to_list() == [""]


def test_an_unknown_model_has_no_cost_and_says_so(rows, card):
    lines = charge(rows.attempts({"model": "house-model-7", "output_text_tokens": 9}), rows.fees(), card)
    assert lines.select("cost_usd", "cost_source", "flags", "quantity").rows() == [(None, "unpriced", "unpriced", 9)]


def test_an_unbilled_attempt_costs_nothing_and_keeps_its_tokens(rows, card):
    lines = charge(rows.attempts({"billed": False, "input_uncached_tokens": 9}), rows.fees(), card)
    assert lines.select("cost_usd", "list_cost_usd", "quantity").rows() == [(Decimal(0), Decimal(0), 9)]


def test_self_hosted_tokens_cost_gpu_time_and_are_not_unpriced(rows, card):
    attempts = rows.attempts(
        {"provider": "vllm", "model": "gpt-4o", "output_text_tokens": 9},
        {"deployment": "self_host", "output_text_tokens": 9},
    )
    lines = charge(attempts, rows.fees(), card)
    assert lines.select("cost_usd", "cost_source", "flags").rows() == [(None, "gpu", "")] * 2


def test_a_fee_is_a_line_of_its_own(rows, card):
    lines = charge(rows.attempts(), rows.fees({"fee_usd": Decimal("0.005"), "tool_name": "search"}), card)
    assert lines.select("usage_kind", "quantity", "cost_usd", "cost_source").rows() == [
        ("fee", 1, Decimal("0.005"), "reported")
    ]


def test_an_explicit_zero_makes_no_line(rows, card):
    assert charge(rows.attempts({"input_uncached_tokens": 0}), rows.fees(), card).is_empty()


@pytest.mark.parametrize(
    ("tier", "at", "usd", "flags"),
    [
        ("batch", datetime(2026, 10, 13, 23, 59, tzinfo=UTC), "2.5", "context_unmatched"),
        ("batch", datetime(2026, 10, 14, tzinfo=UTC), "1.25", ""),
        ("scale", datetime(2026, 11, 1, tzinfo=UTC), "2.5", "context_unmatched"),
        ("default", datetime(2026, 11, 1, tzinfo=UTC), "2.5", ""),
        ("standard", datetime(2026, 11, 1, tzinfo=UTC), "2.5", ""),
    ],
)
def test_a_tier_without_a_price_at_that_date_is_billed_standard_and_flagged(rows, card, tier, at, usd, flags):
    attempts = rows.attempts({"service_tier": tier, "started_at": at, "input_uncached_tokens": 1_000_000})
    lines = charge(attempts, rows.fees(), card)
    assert lines.select("cost_usd", "flags").rows() == [(Decimal(usd), flags)]


def test_the_price_is_that_of_the_start_not_of_the_end(rows, card):
    before, after = datetime(2025, 6, 9, 23, 59, 59, tzinfo=UTC), datetime(2025, 6, 10, 0, 0, 1, tzinfo=UTC)
    attempts = rows.attempts({"model": "o3", "started_at": before, "ended_at": after, "output_text_tokens": 10**6})
    assert total_usd(charge(attempts, rows.fees(), card)) == Decimal(40)  # 8 USD from the next day on


def test_off_peak_prices_follow_the_utc_time_of_day(rows, card):
    deepseek = {"provider": "deepseek", "model": "deepseek-v4-pro", "output_text_tokens": 10**6}
    day = datetime(2026, 11, 20, tzinfo=UTC)
    attempts = rows.attempts(*({"started_at": day + timedelta(minutes=m)} | deepseek for m in (59, 60, 239, 240)))
    quiet, busy, still_busy, quiet_again = charge(attempts, rows.fees(), card)["cost_usd"].to_list()
    assert (quiet, busy) == (quiet_again, still_busy)
    assert quiet != busy


def test_a_price_from_before_the_model_existed_is_flagged(rows, card):
    early = {"model": "gpt-4o-2024-08-06", "started_at": datetime(2024, 8, 5, tzinfo=UTC), "output_text_tokens": 1}
    assert charge(rows.attempts(early), rows.fees(), card)["flags"].to_list() == ["price_before_first"]


def test_flags_of_attempt_and_price_are_merged_sorted(rows, card):
    attempts = rows.attempts({"flags": "reasoning_unknown", "service_tier": "scale", "output_text_tokens": 1})
    assert charge(attempts, rows.fees(), card)["flags"].to_list() == ["context_unmatched,reasoning_unknown"]


def test_a_search_model_bills_its_request_beside_its_tokens(rows, card):
    lines = charge(
        rows.attempts({"provider": "perplexity", "model": "sonar", "output_text_tokens": 1}), rows.fees(), card
    )
    assert lines["usage_kind"].to_list() == ["output_text", "request"]


def test_every_line_names_the_prices_it_was_made_with(rows, card):
    lines = charge(rows.attempts({"output_text_tokens": 1}), rows.fees(), card)
    assert lines["price_version"].to_list() == [card.version]


def test_any_row_order_gives_equal_lines(rows, card):
    attempts = rows.attempts(*({"output_text_tokens": n, "model": m} for n in range(1, 30) for m in ("gpt-4o", "o3")))
    shuffled = attempts.sample(fraction=1, shuffle=True, seed=7)
    straight, turned = (charge(a, rows.fees(), card).sort("line_id") for a in (attempts, shuffled))
    assert straight.equals(turned)


def _genai_usage(tokens):
    def total(*names):
        return sum(tokens.get(name, 0) for name in names)

    writes = [k.value for k in UsageKind if "cache_write" in k.value]
    return Usage(
        input_tokens=sum(n for kind, n in tokens.items() if kind.startswith("input_")),
        cache_read_tokens=total("input_cache_read", "input_audio_cache_read"),
        cache_write_tokens=total(*writes),
        cache_write_5m_tokens=total("input_cache_write_5m"),
        cache_write_1h_tokens=total("input_cache_write_1h"),
        input_audio_tokens=total("input_audio", "input_audio_cache_read"),
        cache_audio_read_tokens=total("input_audio_cache_read"),
        input_image_tokens=total("input_image"),
        cache_image_read_tokens=0,
        cache_image_write_tokens=0,
        cache_audio_write_tokens=0,
        cache_audio_write_5m_tokens=0,
        cache_audio_write_1h_tokens=0,
        cache_video_read_tokens=0,
        cache_video_write_tokens=0,
        input_video_tokens=total("input_video"),
        output_tokens=sum(n for kind, n in tokens.items() if kind.startswith("output_")),
        output_reasoning_tokens=total("output_reasoning"),
        output_audio_tokens=total("output_audio"),
        output_image_tokens=total("output_image"),
        web_searches=total("web_search"),
        social_searches=total("social_search"),
        storage_searches=total("storage_search"),
        code_executions=total("code_execution"),
        rerank_searches=total("rerank_search"),
        # genai-prices counts annotated pages among all pages, we beside the others.
        input_document_pages=total("document_page") + total("annotated_page"),
        input_annotated_document_pages=total("annotated_page"),
    )


def _answers_to_its_own_name(card, provider, model):
    try:
        return card.snapshot.find_provider_model(model, None, provider, None)[1].id == model
    except LookupError:
        return False


def _random_usages(card, n):
    chance = random.Random(20261124)
    priced = {}
    for rate_id, kind in (
        card.rates.filter(pl.col("usage_kind") != "request").select("rate_id", "usage_kind").iter_rows()
    ):
        priced.setdefault(rate_id, []).append(kind)
    slots = card.slots.select("provider", "model", "context", "rate_id").rows()
    while n:
        provider, model, context, rate_id = chance.choice(slots)
        if rate_id not in priced or not _answers_to_its_own_name(card, provider, model):
            continue
        kinds = chance.sample(priced[rate_id], k=min(len(priced[rate_id]), chance.randint(1, 6)))
        tokens = {kind: int(10 ** chance.uniform(0, 5.7)) for kind in kinds}
        at = datetime(2024, 6, 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(0, 1_500_000))
        yield provider, model, context, at, tokens
        n -= 1


def test_five_thousand_random_usages_cost_what_genai_prices_says(rows, card):
    usages = list(_random_usages(card, 5_000))
    attempts = rows.attempts(
        *(
            {
                "provider": provider,
                "model": model,
                "service_tier": context if context != STANDARD else None,
                "started_at": at,
                "input_total_tokens": sum(n for kind, n in tokens.items() if kind.startswith("input_")),
            }
            | {SERVER_TOOLS.get(kind, f"{kind}_tokens"): n for kind, n in tokens.items()}
            for provider, model, context, at, tokens in usages
        )
    )
    lines = charge(attempts, rows.fees(), card)
    ours = dict(lines.group_by("attempt_id").agg(pl.col("cost_usd").sum()).iter_rows())
    slack = dict(
        lines.filter(pl.col("flags").str.contains("price_rounded"))
        .group_by("attempt_id")
        .agg(pl.col("quantity").sum())
        .iter_rows()
    )
    differing = []
    for number, (provider, model, context, at, tokens) in enumerate(usages, start=1):
        theirs = calc_price(
            _genai_usage(tokens),
            model,
            provider_id=provider,
            genai_request_timestamp=at,
            price_context=CONTEXTS.get(context),
        ).total_price
        mine = ours[f"attempt_id{number}"]
        if mine is None or abs(mine - theirs) > slack.get(f"attempt_id{number}", 0) * Decimal("5E-13"):
            differing.append((provider, model, context, at, tokens, mine, theirs))
    assert differing == []


@pytest.mark.parametrize(("total", "usd"), [(200_000, "0.615"), (200_001, "1.2225")])
def test_the_published_cliff_is_reproduced_to_the_cent(rows, card, total, usd):
    # 1,000 tokens out at 15 or 22.50 USD, the whole input at 3 or 6 USD per million.
    sonnet = {"provider": "anthropic", "model": "claude-sonnet-4-5", "output_text_tokens": 1_000}
    attempts = rows.attempts(sonnet | {"input_total_tokens": total, "input_uncached_tokens": total})
    rounded = total_usd(charge(attempts, rows.fees(), card)).quantize(Decimal("0.0001"), ROUND_DOWN)
    assert rounded == Decimal(usd)


def test_a_bedrock_region_costs_more_than_the_global_endpoint(rows, card):
    names = ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "global.anthropic.claude-sonnet-4-5-20250929-v1:0")
    attempts = rows.attempts(
        *({"provider": "aws.bedrock", "model": name, "input_uncached_tokens": 1_000_000} for name in names)
    ).with_columns(input_total_tokens=pl.lit(10, pl.Int64))
    assert charge(attempts, rows.fees(), card)["cost_usd"].to_list() == [Decimal("3.3"), Decimal(3)]


def test_a_date_before_the_first_price_is_flagged_where_the_oldest_is_returned_silently(rows, card):
    early = {
        "model": "o3-2025-04-16",
        "started_at": datetime(2024, 6, 1, tzinfo=UTC),
        "input_uncached_tokens": 1_000_000,
    }
    (line,) = charge(rows.attempts(early), rows.fees(), card).iter_rows(named=True)
    assert "price_before_first" in line["flags"]


def test_a_tier_without_a_price_is_flagged_where_the_standard_one_is_returned_silently(rows, card):
    asked = {"provider": "anthropic", "model": "claude-sonnet-4-5", "service_tier": "priority", "output_text_tokens": 1}
    theirs = calc_price(
        Usage(output_tokens=1),
        "claude-sonnet-4-5",
        provider_id="anthropic",
        genai_request_timestamp=rows.start,
        price_context={"service_tier": "priority"},
    ).total_price
    (line,) = charge(rows.attempts(asked), rows.fees(), card).iter_rows(named=True)
    assert (line["cost_usd"], line["flags"]) == (theirs, "context_unmatched")


def test_batch_is_compared_with_the_standard_tier(rows, card):
    batch = {"service_tier": "batch", "output_text_tokens": 1_000_000}
    before = batch | {"started_at": datetime(2026, 10, 1, tzinfo=UTC)}
    lines = charge(rows.attempts(batch, before, {"output_text_tokens": 1_000_000}), rows.fees(), card)
    assert lines["cost_usd"].to_list() == [Decimal(5), Decimal(10), Decimal(10)]
    assert lines["standard_cost_usd"].to_list() == [Decimal(10), None, None]
    assert lines["flags"].to_list() == ["", "context_unmatched", ""]


def test_searches_that_the_provider_ran_are_a_line_of_their_own(rows, card):
    attempts = rows.attempts(
        {"output_text_tokens": 1, "web_searches": 3}, {"model": "house", "web_searches": 2}, {"web_searches": 0}
    )
    lines = charge(attempts, rows.fees(), card).filter(pl.col("usage_kind") == "web_search")
    # 10 USD per thousand searches.
    assert lines.select("quantity", "cost_usd", "cost_source").rows() == [
        (3, Decimal("0.03"), "computed"),
        (2, None, "unpriced"),
    ]


def test_without_rules_list_and_contract_are_the_published_price(rows, card):
    (line,) = charge(rows.attempts({"output_text_tokens": 1_000_000}), rows.fees(), card).iter_rows(named=True)
    money = ("list_cost_usd", "contracted_cost_usd", "cost_usd", "contracted_unit_usd_per_million")
    assert [line[name] for name in money] == [Decimal(10)] * 4
    assert line["price_source"] == "genai-prices"


def test_cache_writes_of_rarer_lifetimes_have_the_plain_write_price(rows, card):
    claude = {"provider": "anthropic", "model": "claude-sonnet-4-5"}
    written = {"input_cache_write_30m_tokens": 1_000, "input_cache_write_12h_tokens": 1_000}
    assert by_kind(charge(rows.attempts(claude | written), rows.fees(), card)) == {
        "input_cache_write_30m": Decimal("0.00375"),
        "input_cache_write_12h": Decimal("0.00375"),
    }


def test_a_call_told_natively_and_inclusively_costs_the_same(rows, card):
    claude = {"provider": "anthropic", "model": "claude-sonnet-4-5", "input_total_tokens": 5 + 128_955 + 1_253}
    split = {"input_uncached_tokens": 5, "input_cache_read_tokens": 128_955, "input_cache_write_5m_tokens": 1_253}
    assert claude["input_total_tokens"] == 130_213
    # 5 at 3.00, 128,955 at 0.30 and 1,253 at 3.75 USD per million; the total only decides the tier.
    assert total_usd(charge(rows.attempts(claude | split), rows.fees(), card)) == Decimal("0.04340025")


def test_the_price_of_an_undated_model_is_flagged(rows, card):
    lines = charge(rows.attempts({"model": "gpt-5-mini-2026-09-01", "output_text_tokens": 1}), rows.fees(), card)
    assert lines.select("cost_usd", "flags").rows() == [(Decimal("0.000002"), "price_of_undated_model")]


def test_a_server_tool_costs_what_genai_prices_has_for_it_and_is_unpriced_without(rows, card):
    attempts = rows.attempts(
        {"provider": "openai", "model": "gpt-4o", "storage_searches": 4, "code_executions": 2},
        {"provider": "mistral", "model": "mistral-ocr-2512", "document_pages": 3, "annotated_pages": 5},
        {"provider": "cohere", "model": "rerank-v3.5", "rerank_searches": 7},
    )
    kinds = {kind.value for kind in SERVER_TOOLS}
    lines = charge(attempts, rows.fees(), card).filter(pl.col("usage_kind").is_in(list(kinds)))
    # 2.50, 2 and 3 dollars a thousand; of code and of reranking no list has a price.
    assert lines.select("usage_kind", "quantity", "cost_usd", "cost_source").rows() == [
        ("storage_search", 4, Decimal("0.01"), "computed"),
        ("code_execution", 2, None, "unpriced"),
        ("document_page", 3, Decimal("0.006"), "computed"),
        ("annotated_page", 5, Decimal("0.015"), "computed"),
        ("rerank_search", 7, None, "unpriced"),
    ]
