"""support_reply: find the intent, search the knowledge base, draft, check, send; the customer judges hours later."""

from dataclasses import replace
from decimal import Decimal
from typing import Final

from desk import Call, Desk, Verdict
from market import (
    CALM,
    EMBEDDING,
    GEMINI_LITE,
    GPT_MINI,
    GPT_NANO,
    HOUSE_MODEL,
    OVERLOADED,
    SONNET,
    Fate,
    Try,
    tries,
)
from world import HOUR, INCIDENT, Job

POLICY_TOKENS: Final = 8_960
VALUES: Final = {"email": Decimal("4.10"), "chat": Decimal("3.20"), "returns": Decimal("5.60")}
INTENTS: Final = ("where_is_it", "refund", "damaged", "invoice_copy", "change_address", "other")


def support_reply(desk: Desk, job: Job) -> list[Verdict]:
    """Work one ticket and return what will be known of its outcome."""
    # Few questions make up most tickets: the square of a uniform number favours the low ones.
    question = int(400 * desk.rng.random() ** 2)
    _classify(desk, question)
    if question < 30 and desk.chance(0.4):
        desk.answer_from_cache(
            "faq_cache", GPT_MINI, f"faq:{question}", kind="semantic", input_tokens=15_000, output_tokens=700
        )
        desk.tool("update_ticket", f"{job.number}", ms=120)
        return _verdict(desk, job, chance=0.88)
    found = desk.chance(0.91)
    desk.retrieve("kb_search", EMBEDDING, f"q{question}", documents=8, used=desk.count(3, 8) if found else 0)
    served = _draft(desk, job, question)
    if served is None:
        return [Verdict(status="failure", source="program", reason="no_answer")]
    if desk.chance(0.3):
        desk.judge("grounding_check", GEMINI_LITE, f"grounding:{job.number}", input_tokens=desk.about(1700))
    desk.tool("update_ticket", f"{job.number}", ms=120)
    if job.in_production and desk.chance(0.035):
        desk.tonight("quality_sample", SONNET, f"quality:{job.number}", input_tokens=desk.about(2600))
    chance = 0.85 - (0.0 if found else 0.27) - (0.12 if served.model is HOUSE_MODEL else 0.0)
    return _verdict(desk, job, chance=chance + (0.04 if served.model is SONNET else 0.0))


def _classify(desk: Desk, question: int) -> None:
    call = Call(
        prompt=f"intent:{question}",
        answer=INTENTS[question % len(INTENTS)],
        input_tokens=desk.about(460),
        output_tokens=6,
        schema="intent.v1",
    )
    desk.ask("classify_intent", call, tries(desk.rng, GPT_NANO))


def _draft(desk: Desk, job: Job, question: int) -> Try | None:
    thread = desk.about(900, spread=0.7) * (3 if job.customer == "halyard-travel" else 1)
    # Release 2.4.0 put the time of day in front of the policy, and no prefix was ever equal again.
    cacheable = 0 if job.release == "2.4.0" else POLICY_TOKENS
    canary = job.release == "2.4.1" and desk.chance(0.05 if job.in_production else 0.2)
    troubled = job.at_ns in INCIDENT and 7 <= job.at_ns // HOUR % 24 < 18
    plan = list(
        tries(
            desk.rng,
            HOUSE_MODEL if canary else GPT_MINI,
            OVERLOADED if troubled and not canary else CALM,
            fallback=SONNET,
        )
    )
    confidence = round(desk.rng.betavariate(6, 2), 3)
    if plan[-1].fate is Fate.ANSWERED and plan[-1].reason != "fallback" and confidence < 0.45:
        plan[-1:] = [replace(plan[-1], fate=Fate.REJECTED), Try(SONNET, "escalation", Fate.ANSWERED)]
    call = Call(
        prompt=f"draft:{job.number}",
        answer=f"reply:{job.number}:{question}",
        input_tokens=POLICY_TOKENS + 8 * 640 + thread,
        output_tokens=desk.about(320),
        reasoning_tokens=desk.about(380, spread=0.5),
        prefix="policy",
        prefix_tokens=cacheable,
        prefix_hours=1,
        confidence=confidence,
        streamed=True,
    )
    return desk.ask("draft_reply", call, plan)


def _verdict(desk: Desk, job: Job, *, chance: float) -> list[Verdict]:
    delay_ns = desk.delay_hours(14, most=96)
    if desk.chance(0.05):
        return []
    if desk.chance(0.12 if job.at_ns in INCIDENT else 0.04):
        return [Verdict(status="abandoned", source="rule", reason="customer_left", delay_ns=delay_ns)]
    source = "user" if desk.chance(0.3) else "rule"
    if desk.chance(chance):
        score = round(desk.rng.uniform(0.6, 1.0), 2) if source == "user" else None
        value = VALUES[job.feature]
        return [Verdict(status="success", source=source, value_usd=value, score=score, delay_ns=delay_ns)]
    return [Verdict(status="failure", source=source, reason="reopened", delay_ns=delay_ns)]
