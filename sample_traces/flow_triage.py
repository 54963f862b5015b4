"""mail_triage: a mail and what follows it, turn by turn, answered by the model that a router draws at random.

The router explores: the cheap model with probability 0.8, the strong one with 0.2, whatever the mail. It logs what it
drew, among what, how likely, and what it knew; so another policy can be valued on these runs.
"""

from dataclasses import replace
from typing import Final

from desk import Call, Desk, Route, Verdict
from market import DEEPSEEK_FLASH, DEEPSEEK_PRO, Fate, Trouble, Try, tries
from world import Job, pick

POLICY: Final = "explore-20:1"
STRONG_SHARE: Final = 0.2
INTENTS: Final = {"status": 0.45, "change": 0.3, "dispute": 0.25}
# How likely the customer is content, by intent: cheap model, strong model.
CONTENT: Final = {"status": (0.93, 0.94), "change": (0.86, 0.90), "dispute": (0.48, 0.80)}
POLICY_TOKENS: Final = 1_664
_WORDS: Final = (  # noqa: SIM905 -- a list of words reads as text
    "account address agreed amount arrived asked balance because before booking call claim confirm contract could "
    "customer date delivery did document email first form had have invoice last letter line meter month must name "
    "number office order paid payment period please policy reading received refund request said sent since that the "
    "they ticket train transfer under until was week were what when which with wrong year yesterday your"
).split()
# About four characters to a token; every word brings its space.
_CHARACTERS: Final = 4
_SYSTEM: Final = "You answer mails for a company. " + " ".join(_WORDS[place * 7 % len(_WORDS)] for place in range(1100))


def mail_triage(desk: Desk, job: Job) -> list[Verdict]:
    """Answer one mail and its follow-ups and return what will be known of the outcome."""
    intent = pick(desk.rng, INTENTS)
    length = desk.about(240, spread=0.5)
    strong = desk.chance(STRONG_SHARE)
    model = DEEPSEEK_PRO if strong else DEEPSEEK_FLASH
    route = Route(
        policy=POLICY,
        arm=model.name,
        propensity=STRONG_SHARE if strong else 1 - STRONG_SHARE,
        candidates=(DEEPSEEK_FLASH.name, DEEPSEEK_PRO.name),
        inputs={"intent": intent, "length": length},
    )
    messages = [_SYSTEM[: POLICY_TOKENS * _CHARACTERS], _text(desk, length)]
    for turn in range(1 + desk.count(2.0 if intent == "dispute" else 0.8, 4)):
        if _answer(desk, job, turn, messages, route) is None:
            return [Verdict(status="failure", source="program", reason="no_answer")]
        desk.tool("look_up_account", f"{job.number}:{turn}", ms=260)
        messages += [_text(desk, desk.about(150)), _text(desk, desk.about(90, spread=0.6))]
    return _verdict(desk, CONTENT[intent][strong])


def _answer(desk: Desk, job: Job, turn: int, messages: list[str], route: Route) -> Try | None:
    tokens = sum(map(len, messages)) // _CHARACTERS
    hard = route.inputs["intent"] == "dispute"
    call = Call(
        prompt=list(messages),
        answer=f"mail:{job.number}:{turn}",
        input_tokens=tokens,
        output_tokens=desk.about(150),
        reasoning_tokens=desk.about(220 if hard else 80, spread=0.4),
        prefix="mail policy",
        prefix_tokens=POLICY_TOKENS,
        prefix_hours=1,
        schema="mail.v1",
        confidence=round(desk.rng.betavariate(3, 3) if hard else desk.rng.betavariate(8, 2), 3),
        route=route,
    )
    model = DEEPSEEK_PRO if route.arm == DEEPSEEK_PRO.name else DEEPSEEK_FLASH
    plan = list(tries(desk.rng, model, _trouble(desk, hard=hard)))
    if plan[-1].fate is Fate.INVALID:
        # Who gives up must see an error: an invalid answer that nobody asks again reads as repaired by code.
        plan[-1] = replace(plan[-1], fate=Fate.SERVER_ERROR)
    return desk.ask("answer_mail", call, plan)


def _trouble(desk: Desk, *, hard: bool) -> Trouble:
    """Return how this call fails: a mail that breaks the schema breaks it again, so a second try helps less."""
    stubborn = desk.chance(0.10 if hard else 0.02)
    return Trouble(throttled=0.03, server_error=0.01, timed_out=0.012, invalid=0.65 if stubborn else 0.03)


def _text(desk: Desk, tokens: int) -> str:
    """Return words of about so many tokens."""
    text = " ".join(desk.rng.choices(_WORDS, k=tokens))
    return text[: tokens * _CHARACTERS]


def _verdict(desk: Desk, chance: float) -> list[Verdict]:
    delay_ns = desk.delay_hours(3, most=20)
    if desk.chance(0.04):
        return []
    if desk.chance(0.03):
        return [Verdict(status="abandoned", source="user", reason="withdrawn", delay_ns=delay_ns)]
    if desk.chance(chance):
        return [Verdict(status="success", source="user", delay_ns=delay_ns)]
    return [Verdict(status="failure", source="user", reason="not_helpful", delay_ns=delay_ns)]
