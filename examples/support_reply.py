"""A support desk that drafts with OpenAI, checks with Anthropic, and tells what each answered ticket cost.

    python examples/support_reply.py                 # against a provider double on loopback, no key needed
    OPENAI_API_KEY=... ANTHROPIC_API_KEY=... python examples/support_reply.py

The clients are the vendors' own, their spans come from public instrumentations, the lines that say `tokenpnl` are all
that the P&L needs. Spans go to OTEL_EXPORTER_OTLP_ENDPOINT, by default to `tokenpnl serve` on loopback.
"""

import argparse
import json
import os
from contextlib import ExitStack
from dataclasses import dataclass

import anthropic
import openai

import tokenpnl
from provider_double import ProviderDouble
from staged_double import staged_double
from support_tickets import HOUSE_RULES, KNOWLEDGE, TICKETS, Ticket

DRAFTER, STAND_IN, CHECKER = "gpt-5.4-mini", "claude-haiku-4-5", "claude-haiku-4-5"
PROVIDER_ERRORS = (openai.APIError, anthropic.APIError)
TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Desk:
    """The two clients. They do not retry by themselves: a retry inside a client is in no span."""

    openai: openai.OpenAI
    anthropic: anthropic.Anthropic


@tokenpnl.retrieval("kb_search")
def search(question: str) -> list[str]:
    """Return the articles of the knowledge base that share a word with the question."""
    words = {word.strip("?.,!").lower() for word in question.split()}
    return [text for keyword, text in KNOWLEDGE.items() if keyword in words]


@tokenpnl.step("draft", kind="llm")
def draft(desk: Desk, ticket: Ticket, articles: list[str]) -> str:
    """Return a draft: two tries of the drafter, then the stand-in of the other provider."""
    prompt = "\n".join(["Articles:", *articles, "Ticket:", ticket.question])
    for attempt in tokenpnl.attempts(2, model=DRAFTER, fallback=[STAND_IN], retry_on=PROVIDER_ERRORS):
        with attempt:
            return ask_anthropic(desk, STAND_IN, prompt) if attempt.model == STAND_IN else ask_openai(desk, prompt)
    raise AssertionError("the last attempt raises or returns")


def ask_openai(desk: Desk, prompt: str) -> str:
    """Return the drafter's words, streamed; without `include_usage` nobody would know their cost."""
    with desk.openai.chat.completions.create(
        model=DRAFTER,
        messages=[{"role": "system", "content": HOUSE_RULES}, {"role": "user", "content": prompt}],
        stream=True,
        stream_options={"include_usage": True},
    ) as stream:
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def ask_anthropic(desk: Desk, model: str, prompt: str) -> str:
    """Return Claude's words; the marked rules are kept in its prompt cache for five minutes."""
    answer = desk.anthropic.messages.create(
        model=model,
        max_tokens=400,
        system=[{"type": "text", "text": HOUSE_RULES, "cache_control": {"type": "ephemeral"}}],
        messages=[{"role": "user", "content": prompt}],
    )
    return "".join(block.text for block in answer.content if block.type == "text")


def is_grounded(desk: Desk, ticket: Ticket, text: str, articles: list[str]) -> bool:
    """Return whether the draft says only what the articles say; a verdict that is no JSON is asked for again."""
    rule = 'Does the draft answer the ticket from the articles alone? Say {"grounded": true} or {"grounded": false}.'
    prompt = "\n".join([rule, "Articles:", *articles, "Ticket:", ticket.question, "Draft:", text])
    with tokenpnl.step("grounding_check", kind="evaluation"):
        for attempt in tokenpnl.attempts(2, retry_on=PROVIDER_ERRORS):
            with attempt:
                try:
                    grounded = json.loads(ask_anthropic(desk, CHECKER, prompt))["grounded"]
                except (ValueError, KeyError):
                    attempt.reject(schema="grounded.v1", error="not_json")
                else:
                    return bool(grounded)
    return False


def reply(desk: Desk, ticket: Ticket) -> str:
    """Work one ticket and return what became of it."""
    with tokenpnl.workflow("support_reply", customer=ticket.customer, feature=ticket.feature) as run:
        articles = search(ticket.question)
        try:
            text = draft(desk, ticket, articles)
        except PROVIDER_ERRORS as error:
            run.outcome("failure", reason=type(error).__name__)
            return f"run {run.id}  failure  {ticket.question}"
        if is_grounded(desk, ticket, text, articles):
            run.outcome("success", value_usd=ticket.value_usd)
            return f"run {run.id}  success  {ticket.question}"
        run.outcome("failure", reason="not_grounded")
        return f"run {run.id}  failure  {ticket.question}"


def desk_at(stack: ExitStack, double: ProviderDouble | None) -> Desk:
    """Return the clients, which talk to the double if there is one, else to their vendors."""
    key = "double" if double else None
    at_openai, at_anthropic = (double.openai_url, double.url) if double else (None, None)
    return Desk(
        stack.enter_context(openai.OpenAI(base_url=at_openai, api_key=key, max_retries=0, timeout=TIMEOUT_S)),
        stack.enter_context(anthropic.Anthropic(base_url=at_anthropic, api_key=key, max_retries=0, timeout=TIMEOUT_S)),
    )


def main() -> None:
    """Work the tickets and say where to look."""
    parser = argparse.ArgumentParser(description="Answer support tickets and see what a solved one costs.")
    parser.add_argument("--double", action="store_true", help="use the provider double even where keys are set")
    parser.add_argument("--tickets", type=int, default=len(TICKETS), help="how many to work")
    arguments = parser.parse_args()
    keyed = {"OPENAI_API_KEY", "ANTHROPIC_API_KEY"} <= os.environ.keys()
    tokenpnl.init(service="support-desk")
    with ExitStack() as stack:
        double = None if keyed and not arguments.double else stack.enter_context(staged_double())
        if double:
            print("Against the provider double: synthetic answers, nothing is paid.")
        desk = desk_at(stack, double)
        for number in range(arguments.tickets):
            print(reply(desk, TICKETS[number % len(TICKETS)]))
    print("See `tokenpnl report summary`, or the Runs page of `tokenpnl serve`.")


if __name__ == "__main__":
    main()
