"""contract_review: triage, then an agent that reads clause by clause, checks its citations and writes a memo."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Final

from desk import Call, Desk, Verdict
from market import GPT_LARGE, MISTRAL_SMALL, OPUS, SONNET, Fate, Trouble, Try, tries
from tokenpnl import semconv
from world import Job

VALUES: Final = {"nda": Decimal(45), "lease": Decimal(95), "msa": Decimal(180)}
CONTRACT_TOKENS: Final = {"nda": 7_000, "lease": 16_000, "msa": 34_000}
TURNS: Final = {"nda": 2, "lease": 3, "msa": 5}
PRECEDENT_FEE_USD: Final = Decimal("0.06")
HUMAN_REVIEW_FEE_USD: Final = Decimal("2.50")


def contract_review(desk: Desk, job: Job) -> list[Verdict]:
    """Review one contract and return what will be known of its outcome."""
    length = desk.about(CONTRACT_TOKENS[job.feature], spread=0.25)
    if desk.chance(0.035):
        _triage(desk, job, length)
        return [Verdict(status="abandoned", source="user", reason="withdrawn", delay_ns=desk.delay_hours(3, most=24))]
    served = _triage(desk, job, length)
    if served is None:
        return [Verdict(status="failure", source="program", reason="no_answer")]
    if served.reason == "escalation" or job.feature != "nda":
        with desk.agent("clause_reviewer"):
            _review(desk, job, length)
    _verify(desk, job)
    memo = _write_memo(desk, job, length)
    if memo is None:
        return [Verdict(status="failure", source="program", reason="memo_invalid")]
    if desk.chance(0.05):
        desk.tool("human_review", f"{job.number}", ms=900_000, fee_usd=HUMAN_REVIEW_FEE_USD)
    return _verdict(desk, job)


def _triage(desk: Desk, job: Job, length: int) -> Try | None:
    confidence = round(desk.rng.betavariate(5, 3), 3)
    plan = list(tries(desk.rng, SONNET))
    if plan[-1].fate is Fate.ANSWERED and job.feature == "nda" and confidence < 0.6:
        plan[-1:] = [replace(plan[-1], fate=Fate.REJECTED), Try(OPUS, "escalation", Fate.ANSWERED)]
    call = Call(
        prompt=f"triage:{job.number}",
        answer=f"risks:{job.number}",
        input_tokens=length + 1800,
        output_tokens=desk.about(420),
        reasoning_tokens=desk.about(700, spread=0.4),
        confidence=confidence,
    )
    return desk.ask("triage", call, plan)


def _review(desk: Desk, job: Job, length: int) -> None:
    context = length + 3200
    for turn in range(TURNS[job.feature] + desk.count(0.6, 2)):
        clause = f"{job.number}:clause{turn}"
        # The agent of release 0.9.3 forgets that it has searched and asks for the same clause again.
        rounds = 2 + desk.count(1.6, 4) if job.release == "0.9.3" and desk.chance(0.45) else 1
        for _ in range(rounds):
            desk.ask("reason", _turn(desk, job, clause, context), tries(desk.rng, OPUS))
            desk.search("clause_search", MISTRAL_SMALL, clause, documents=8, used=desk.count(3, 8))
        context += 2400
        if desk.chance(0.45):
            desk.tool("precedent_lookup", clause, ms=1400, fee_usd=PRECEDENT_FEE_USD)


def _turn(desk: Desk, job: Job, clause: str, context: int) -> Call:
    return Call(
        prompt=f"review:{clause}",
        answer=f"finding:{clause}",
        input_tokens=context,
        output_tokens=desk.about(380),
        reasoning_tokens=desk.about(1500, spread=0.45),
        prefix=f"contract:{job.number}",
        prefix_tokens=context - 900,
        prefix_hours=1,
    )


def _verify(desk: Desk, job: Job) -> None:
    citations = desk.count(7, 14)
    valid = max(0, citations - (1 if desk.chance(0.2) else 0))
    call = Call(
        prompt=f"citations:{job.number}",
        answer=f"verified:{job.number}",
        input_tokens=desk.about(5200),
        output_tokens=desk.about(160),
        reasoning_tokens=desk.about(350, spread=0.4),
        schema="citations.v2",
    )
    checked = {semconv.CITATIONS_TOTAL: citations, semconv.CITATIONS_VALID: valid}
    desk.ask("verify_citations", call, tries(desk.rng, GPT_LARGE), kind="guardrail", attributes=checked)


def _write_memo(desk: Desk, job: Job, length: int) -> Try | None:
    call = Call(
        prompt=f"memo:{job.number}",
        answer=f"advice:{job.number}",
        input_tokens=length + 6500,
        output_tokens=desk.about(1500, spread=0.3),
        reasoning_tokens=desk.about(1900, spread=0.4),
        prefix=f"contract:{job.number}",
        prefix_tokens=length + 2300,
        prefix_hours=1,
        schema="memo.v4",
    )
    return desk.ask("write_memo", call, _memo_tries(desk))


def _memo_tries(desk: Desk) -> Iterator[Try]:
    return tries(
        desk.rng, OPUS, Trouble(throttled=0.01, server_error=0.004, timed_out=0.03, invalid=0.07), fallback=SONNET
    )


def _verdict(desk: Desk, job: Job) -> list[Verdict]:
    delay_ns = desk.delay_hours(40, most=170)
    if desk.chance(0.04):
        return []
    if desk.chance(0.72 if job.release == "0.9.3" else 0.84):
        value = VALUES[job.feature]
        score = round(desk.rng.uniform(0.55, 1.0), 2)
        return [Verdict(status="success", source="reviewer", value_usd=value, score=score, delay_ns=delay_ns)]
    return [Verdict(status="failure", source="reviewer", reason="missed_clause", score=0.2, delay_ns=delay_ns)]
