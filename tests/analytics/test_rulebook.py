from tests.analytics.priced import laid

from tokenpnl_analytics.pricing.rulebook import BEGIN_NS, DAY_NS, END_NS, Served, edges, month_of, renamed, rule_fits
from tokenpnl_analytics.rules.prices import CONTRACT


def only_rule(text):
    return CONTRACT.parse(f"rules: [{text}]").rules[0]


def test_contracts_come_before_overrides_and_narrow_rules_before_wide_ones():
    book = laid(
        contract="""rules:
- {match: {provider: openai}, discount_pct: 1}
- {match: {provider: openai, model: 'gpt*'}, discount_pct: 2}
- {match: {provider: openai, model: gpt-4o}, discount_pct: 3}
""",
        override="rules: [{match: {provider: openai, model: gpt-4o, region: eu}, prices: {output_text: 1}}]",
    ).rulebook
    assert [term.rule.discount_pct for term in book.terms] == [3, 2, 1, None]
    assert (book.by_region, book.by_tenant) == (True, False)


def test_the_last_day_of_a_rule_belongs_to_it():
    (term,) = laid(contract="rules: [{discount_pct: 1, from: 1970-01-02, to: 1970-01-02}]").rulebook.terms
    assert (term.from_ns, term.until_ns) == (DAY_NS, 2 * DAY_NS)
    assert edges([term], laid().layers.fx) == [BEGIN_NS, DAY_NS, 2 * DAY_NS, END_NS]


def test_a_provider_is_known_however_an_emitter_spells_it():
    rule = only_rule("{match: {provider: bedrock}, discount_pct: 1}")
    served = Served("aws.bedrock", "x")
    assert rule_fits(rule, served, served, tier="standard")


def test_a_contract_with_the_maker_says_nothing_about_another_seller_of_its_models():
    rule = only_rule("{match: {provider: openai}, discount_pct: 1}")
    served = Served("azure.ai.openai", "prod-1")
    alias = only_rule("{match: {provider: azure}, as: {provider: openai, model: gpt-4o}}")
    assert not rule_fits(rule, served, renamed(served, alias), tier="standard")
    gateway = Served("litellm", "prod-1")
    assert rule_fits(rule, gateway, renamed(gateway, alias), tier="standard")


def test_a_rule_for_batch_is_for_no_other_tier():
    rule = only_rule("{match: {service_tier: batch}, discount_pct: 1}")
    served = Served("openai", "gpt-4o", "batch")
    assert rule_fits(rule, served, served, tier="batch")
    assert not rule_fits(rule, served._replace(service_tier=None), served, tier="standard")


def test_the_beginning_of_time_has_no_exchange_rate():
    assert month_of(BEGIN_NS) == "1970-01"
    assert month_of(1_793_000_000 * 10**9) == "2026-10"
