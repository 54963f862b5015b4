"""`reprice`: other prices for the same tokens. Another rate card, provider, tier, region, batch, or no free quota."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import polars as pl

from tokenpnl_analytics.pricing.layered import laid_over, merged
from tokenpnl_analytics.pricing.matching import SELF_HOSTED_SERVERS
from tokenpnl_analytics.pricing.ratecard import RateCard
from tokenpnl_analytics.pricing.rulebook import Layers
from tokenpnl_analytics.rules.prices import PriceFile
from tokenpnl_analytics.rules.scenario_families import Reprice
from tokenpnl_analytics.whatif.baseline import Baseline
from tokenpnl_analytics.whatif.families.served_by import SELF_HOSTED
from tokenpnl_analytics.whatif.replay import Replayed, refused, repriced, touched
from tokenpnl_analytics.whatif.result import Estimate, Evidence
from tokenpnl_analytics.whatif.waiting import STEP, waiting

_STANDARD = "standard"
_USED = pl.col("input_total_tokens").is_not_null() | pl.col("output_total_tokens").is_not_null()


def replay(baseline: Baseline, frame: pl.DataFrame, scenario: Reprice) -> Replayed:
    """Return the calls at other prices: what somebody does is the same, so the cost is recomputed.

    Calls on accelerators of one's own have no token price and stay. A batch is tried on those steps alone for which the
    traces say that nobody waits (`waiting`); without one it is refused, with the numbers.
    """
    if scenario.provider in SELF_HOSTED_SERVERS:
        return refused(frame, f"{scenario.provider} is a server of one's own: use the family self_host")
    meant = touched(scenario.where) & ~SELF_HOSTED & _USED
    if frame.filter(meant).is_empty():
        return refused(frame, "no call with tokens on a provider's price list matches; widen `where`")
    measured = {}
    if scenario.service_tier == "batch":
        evidence = waiting(baseline, frame.filter(meant), slack_h=scenario.largest_slack_h)
        measured["delay_tolerant_steps"] = evidence
        tolerant = evidence.filter("delay_tolerant")
        if tolerant.is_empty():
            refusal = refused(
                frame, f"somebody waits for every step: {'; '.join(_told(evidence))}", to_log=_WAITING_LOG
            )
            return Replayed(**{**vars(refusal), "measured": measured})
        of_step = pl.struct(STEP).is_in(tolerant.select(pl.struct(STEP)).to_series().implode())
        meant = meant & of_step
    changed = _otherwise(frame, scenario, meant)
    cards = _card(baseline.card, scenario)
    return _told_with(
        baseline, frame, Replayed(changed, *_evidence(scenario), measured=measured, cards=cards), scenario
    )


def _otherwise(frame: pl.DataFrame, scenario: Reprice, meant: pl.Expr) -> pl.DataFrame:
    differs: list[pl.Expr] = []
    columns: list[pl.Expr] = []
    tier = pl.col("service_tier").fill_null(_STANDARD)
    wanted = {"provider": (pl.col("provider"), scenario.provider), "region": (pl.col("region"), scenario.region)}
    wanted["service_tier"] = (tier, scenario.service_tier)
    for name, (now, value) in wanted.items():
        if value is None:
            continue
        differs.append(now.ne_missing(pl.lit(value)))
        stored = pl.lit(None if value == _STANDARD else value, pl.String)
        columns.append(pl.when("moves").then(stored).otherwise(name).alias(name))
    if _other_card(scenario):
        differs.append(pl.lit(value=True))
        columns.append(pl.when("moves").then(pl.lit(scenario.name)).otherwise("priced_by").alias("priced_by"))
    moves = meant & pl.any_horizontal(pl.lit(value=False), *differs)
    return (
        frame.with_columns(moves.alias("moves"))
        .with_columns(
            *columns,
            (pl.col("changed") | pl.col("moves")).alias("changed"),
            pl.when("moves").then(pl.lit(scenario.name)).otherwise("touched_by").alias("touched_by"),
        )
        .drop("moves")
    )


def _other_card(scenario: Reprice) -> bool:
    return bool(scenario.rules) or scenario.without_contract or scenario.beyond_free_quota


def _card(card: RateCard, scenario: Reprice) -> dict[str, RateCard]:
    """Return the rate card of the scenario, section by section, where it has one of its own."""
    if not _other_card(scenario):
        return {}

    def laid(layers: Layers) -> Layers:
        below = () if scenario.without_contract else layers.contract.rules
        if scenario.beyond_free_quota:
            below = tuple(rule.model_copy(update={"free_tier": False}) for rule in below)
            below = tuple(rule for rule in below if rule.aspects)
        named = {(rule.match.words, rule.span_words) for rule in scenario.rules}
        # A rule for the same usage and dates takes the place of the one in force; two would be an ambiguity.
        kept = tuple(rule for rule in below if (rule.match.words, rule.span_words) not in named)
        volume = () if scenario.without_contract else layers.contract.volume_tiers
        contract = PriceFile(currency=layers.contract.currency, rules=(*scenario.rules, *kept), volume_tiers=volume)
        return layers.model_copy(update={"contract": contract})

    return {scenario.name: _relaid(card, laid)}


def _relaid(card: RateCard, laid: Callable[[Layers], Layers]) -> RateCard:
    sections = []
    for section in card.in_force:
        bare = RateCard(
            section.card.slots, section.card.rates, section.card.keys, section.card.version.split(" + ")[0],
            section.card.snapshot,
        )  # fmt: skip
        sections.append((section.from_ns, section.until_ns, laid_over(bare, laid(section.card.layers))))
    return merged(sections)


def _evidence(scenario: Reprice) -> tuple[Evidence, Evidence]:
    if scenario.provider is not None:
        return Evidence.ASSUMED, Evidence.NOT_IDENTIFIABLE
    if scenario.service_tier is not None or scenario.region is not None:
        return Evidence.ASSUMED, Evidence.ASSUMED
    return Evidence.RECOMPUTED, Evidence.RECOMPUTED


def _told_with(baseline: Baseline, frame: pl.DataFrame, found: Replayed, scenario: Reprice) -> Replayed:
    moved = found.attempts.filter(pl.col("touched_by").eq_missing(scenario.name))
    success = None
    if found.success_evidence != Evidence.NOT_IDENTIFIABLE:
        runs = moved["run_id"].n_unique()
        success = Estimate(0.0, 0.0, 0.0, runs, "the same model answers the same prompt: behaviour does not change")
    none: tuple[str, ...] = ()
    sentences = dict.fromkeys(("assumptions", "falsified_by", "to_log", "caveats"), none) | _sentences(scenario)
    caveats = (*sentences["caveats"], *_same_price(frame, found, baseline, scenario))
    if "delay_tolerant_steps" in found.measured:
        caveats = (*caveats, *_told(found.measured["delay_tolerant_steps"].filter("delay_tolerant")))
    return replace(
        found,
        success=success,
        assumptions=sentences["assumptions"],
        falsified_by=sentences["falsified_by"],
        to_log=sentences["to_log"],
        caveats=caveats,
    )


def _sentences(scenario: Reprice) -> dict[str, tuple[str, ...]]:
    if scenario.service_tier == "batch":
        return {
            "assumptions": (f"Nobody waits: an answer within {scenario.largest_slack_h:g} hours is as good as now.",),
            "falsified_by": ("A reader, dashboard or job that asks for the result before the batch is answered.",),
            "to_log": _WAITING_LOG,
        }
    if scenario.provider is not None:
        return {
            "assumptions": (f"{scenario.provider} serves the same weights as well, and counts tokens alike.",),
            "falsified_by": ("Other token counts, answers or error rates for the same prompts there.",),
            "to_log": (f"Send a random share of these calls to {scenario.provider}, and record outcomes of both.",),
        }
    if scenario.service_tier is not None or scenario.region is not None:
        return {
            "assumptions": ("The answers are the same; only the waiting time and its failures differ.",),
            "falsified_by": ("More timeouts or fallbacks than before, or runs given up while they wait.",),
            "to_log": ("Time to the first chunk and timeouts by tier and region.",),
        }
    if scenario.beyond_free_quota:
        return {"caveats": ("This is what the next token costs, not what the free ones did.",)}
    return {}


def _same_price(frame: pl.DataFrame, found: Replayed, baseline: Baseline, scenario: Reprice) -> Iterator[str]:
    """Yield a sentence where a tier was asked for that the prices do not know: then nothing is cheaper there."""
    if scenario.service_tier in (None, _STANDARD):
        return
    mine = found.attempts["touched_by"].eq_missing(pl.Series([scenario.name]))
    moved = found.attempts.filter(mine)
    cards = {**baseline.cards, **found.cards}
    again = repriced(moved, baseline.card, cards)["token_usd"]
    was = repriced(frame.filter(mine), baseline.card, cards)["token_usd"]
    same = int((again == was).fill_null(value=False).sum())
    if same:
        yield f"{same} of {moved.height} calls cost the same there: they have no {scenario.service_tier} price."


_WAITING_LOG = (
    "Conversation ids (session.id), and the run of whoever reads a result: then the slack is measured, not assumed.",
)


def _told(evidence: pl.DataFrame) -> Iterator[str]:
    for row in evidence.iter_rows(named=True):
        slack = "nobody seen reading" if row["slack_p05_h"] is None else f"read after {row['slack_p05_h']:.2g} h (p05)"
        verdict = "may wait" if row["delay_tolerant"] else f"may not wait ({row['because']})"
        yield (
            f"{row['step']} of {row['workflow'] or 'no workflow'} {verdict}: {row['n_calls']} calls, "
            f"{row['busiest_2h_share']:.0%} start within two hours of the day, {row['followed_share']:.0%} followed by "
            f"a person, {slack}"
        )
