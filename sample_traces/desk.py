"""Where a sample run does its work: steps, model calls and tools through the SDK, under a clock that only work moves.

Every figure a provider would have answered with (tokens, delays, failures) is drawn here; everything that is written
down about it is written by `tokenpnl`, as in any instrumented program.
"""

import heapq
import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import tokenpnl
from market import Fate, Model, PromptCache, Try
from provider_errors import FAILURES, ProviderError
from tokenpnl import semconv
from tokenpnl.blocks import Block
from tokenpnl.llm import Call as CallSpan
from tokenpnl.retries import Attempt
from tokenpnl.testing import SteppingClock
from world import DAY, HOUR, KNOWN_UNTIL, SECOND

CLIENT_TIMEOUT_MS: Final = 20_000
# As vLLM spells it; the conventions have no name for it.
VLLM_INFERENCE_SECONDS: Final = "gen_ai.latency.time_in_model_inference"


@dataclass(frozen=True, kw_only=True)
class Route:
    """What a router drew for a call: among which models, with which probability, from which inputs."""

    policy: str
    arm: str
    propensity: float
    candidates: tuple[str, ...]
    inputs: Mapping[str, str | int]


@dataclass(frozen=True, kw_only=True)
class Call:
    """What a step asks of a model, and what the answer will cost in tokens (input and output inclusive).

    `prompt` and `answer` stand for the texts: equal names are equal texts; a list is the messages of a conversation.
    `prefix` names the part of the prompt that a provider may keep in its cache, for `prefix_hours` (0: five minutes).
    """

    prompt: str | list[str]
    answer: str
    input_tokens: int
    output_tokens: int
    reasoning_tokens: int = 0
    prefix: str = ""
    prefix_tokens: int = 0
    prefix_hours: int = 0
    schema: str | None = None
    confidence: float | None = None
    streamed: bool = False
    route: Route | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One statement about the outcome of a run, known `delay_ns` after the run's end."""

    status: str
    source: str
    value_usd: Decimal | None = None
    score: float | None = None
    reason: str | None = None
    delay_ns: int = 0


class Desk:
    """The world's side of one workflow: chance, clock, caches, and what is due later."""

    def __init__(self, name: str, rng: random.Random, clock: SteppingClock) -> None:
        self.rng = rng
        self._name = name
        self._answers = itertools.count(1)
        self.clock = clock
        self._cache = PromptCache()
        self._later: list[tuple[int, int, Callable[[], None]]] = []
        self._served: list[tuple[int, int]] = []
        self._order = itertools.count()

    # --- chance

    def chance(self, share: float) -> bool:
        """Return True with this probability."""
        return self.rng.random() < share

    def about(self, median: float, spread: float = 0.2) -> int:
        """Return a log-normal count around a median, at least 1."""
        return max(1, round(median * self.rng.lognormvariate(0, spread)))

    def count(self, mean: float, most: int) -> int:
        """Return a small count around a mean, 0 to `most`."""
        return min(most, max(0, round(self.rng.gauss(mean, mean**0.5 / 2))))

    def delay_hours(self, median: float, *, most: float) -> int:
        """Return a log-normal delay, in nanoseconds."""
        hours = min(most, median * self.rng.lognormvariate(0, 0.8))
        return round(hours * 3600) * SECOND

    # --- time

    def _pass_ms(self, ms: float) -> None:
        self.clock.advance(ms / 1000)

    def at(self, at_ns: int, action: Callable[[], None]) -> None:
        """Do something at a later moment; what falls after the end of the recording never happens."""
        if at_ns < KNOWN_UNTIL:
            heapq.heappush(self._later, (at_ns, next(self._order), action))

    def do_what_is_due(self, until_ns: int) -> None:
        """Let everything happen that was planned for a moment before this one."""
        while self._later and self._later[0][0] < until_ns:
            self.clock.now_ns, _, action = heapq.heappop(self._later)
            action()

    def tonight(self, step: str, model: Model, prompt: str, *, input_tokens: int) -> None:
        """Have the present run judged in the coming night, under its own trace: offline evaluation."""
        headers = tokenpnl.carrier()
        night = (self.clock.now_ns // DAY + 1) * DAY + 2 * HOUR + self.rng.randrange(3600) * SECOND

        def judge_it() -> None:
            with tokenpnl.carried(headers):
                self.judge(step, model, prompt, input_tokens=input_tokens)

        self.at(night, judge_it)

    # --- work

    def ask(
        self,
        step: str,
        call: Call,
        plan: Iterable[Try],
        *,
        kind: str = "llm",
        attributes: Mapping[str, int] | None = None,
    ) -> Try | None:
        """Make one call with all its attempts; return the one that answered, or None when all failed."""
        planned = list(plan)
        reserve = [made for made in planned if made.reason == "fallback"]
        stronger = [made for made in planned if made.reason == "escalation"]
        attempts = tokenpnl.attempts(
            len(planned) - len(reserve) - len(stronger),
            model=planned[0].model.name,
            fallback=[made.model.name for made in reserve],
            escalation=[made.model.name for made in stronger],
            retry_on=(ProviderError,),
        )
        with tokenpnl.step(step, kind, attributes=attributes):
            try:
                for attempt, made in zip(attempts, planned, strict=False):
                    if attempt.number > 1:
                        self._pass_ms(self.about(250 * 2**attempt.number, 0.3))
                    with attempt:
                        self._attempt(attempt, made, call)
                    if made.fate is Fate.ANSWERED:
                        return made
            except ProviderError:
                return None
        return None

    def _attempt(self, attempt: Attempt, made: Try, call: Call) -> None:
        with self._model_span(made.model, call.prompt, schema=call.schema) as span:
            if call.route is not None:
                _say(span, call.route)
            if made.fate in FAILURES:
                self._fail(span, made, call)
            self._answer(span, made.model, call)
            if made.fate is Fate.INVALID:
                span.output(content=f"{call.answer}:{attempt.number}")
                attempt.reject(schema=call.schema, error="missing_field")
            elif made.fate is Fate.REJECTED:
                span.output(content=f"{call.answer}:cheap")
                attempt.escalate(confidence=call.confidence)
            else:
                span.output(content=call.answer, schema=call.schema, valid=True if call.schema else None)
                if call.confidence is not None and attempt.reason != "escalation":
                    span.confidence(call.confidence)

    def _fail(self, span: CallSpan, made: Try, call: Call) -> None:
        """Let the attempt fail as its fate says. Half of the timed-out streams had told their usage so far."""
        if made.fate is Fate.TIMED_OUT:
            self._pass_ms(CLIENT_TIMEOUT_MS)
            if self.chance(0.55):
                so_far = self.rng.randrange(20, 20 + call.output_tokens)
                span.usage(call.input_tokens, so_far, cache_read=0, cache_write=0, reasoning=0)
        else:
            self._pass_ms(self.about(160))
            span.set(semconv.ATTEMPT_BILLED, False)  # noqa: FBT003 - the attribute is a boolean
        raise FAILURES[made.fate]

    def _answer(self, span: CallSpan, model: Model, call: Call) -> None:
        read, written = self._cache.used(
            model, call.prefix, call.prefix_tokens, self.clock.now_ns, hours=call.prefix_hours
        )
        output_tokens = call.output_tokens + call.reasoning_tokens
        if call.streamed:
            first_ms = self.about(model.first_token_ms)
            span.set(semconv.REQUEST_STREAM, True).set(semconv.TIME_TO_FIRST_CHUNK, first_ms / 1000)  # noqa: FBT003 - an attribute
        if model.replica is None:
            self._pass_ms(self.about(model.first_token_ms + model.ms_per_token * output_tokens))
        else:
            self._serve(span, model, output_tokens)
        lifetimes = {"cache_write_1h" if call.prefix_hours else "cache_write_5m": written} if written else {}
        self._bill(
            span,
            model,
            call.input_tokens,
            output_tokens,
            reasoning=call.reasoning_tokens,
            cache_read=read,
            cache_write=written,
            **lifetimes,
        )

    def in_flight(self) -> int:
        """Return how many requests our own replica has at this moment."""
        now = self.clock.now_ns
        return sum(begun <= now < ended for begun, ended in self._served)

    def _serve(self, span: CallSpan, model: Model, output_tokens: int) -> None:
        """Answer on our own replica, whose server tells how long the request waited and how long it was at work."""
        depth, begun = self.in_flight(), self.clock.now_ns
        queue_ms = self.about(6 + 40 * depth)
        # Requests in one batch share the memory's bandwidth well, but not for nothing.
        work_ms = self.about((model.first_token_ms + model.ms_per_token * output_tokens) * (1 + 0.06 * depth), 0.05)
        self._pass_ms(queue_ms + work_ms)
        self._served.append((begun, self.clock.now_ns))
        span.set(semconv.QUEUE_DEPTH, depth).set(semconv.QUEUE_WAIT_MS, queue_ms)
        span.set(VLLM_INFERENCE_SECONDS, work_ms / 1000)

    def _model_span(
        self, model: Model, prompt: str | list[str], operation: str = "chat", schema: str | None = None
    ) -> Block[CallSpan]:
        # What must have a form is asked for without chance.
        settings = {**({"gen_ai.request.temperature": 0.0} if schema else {}), **model.attributes}
        return tokenpnl.llm_call(model.provider, model.name, operation=operation, prompt=prompt, attributes=settings)

    def _bill(self, span: CallSpan, model: Model, input_tokens: int, output_tokens: int | None, **more: int) -> None:
        """Write down a complete answer and what it cost in tokens."""
        # Providers say 0 where nothing was cached and nothing was reasoned; only embeddings are silent about both.
        silent = {} if output_tokens is None else {"cache_read": 0, "cache_write": 0, "reasoning": 0}
        span.usage(input_tokens, output_tokens, **{**silent, **more})
        span.set(semconv.RESPONSE_MODEL, model.name)
        span.set(semconv.RESPONSE_ID, f"synthetic-{self._name}-{next(self._answers):05d}")
        if output_tokens is not None:
            span.set(semconv.FINISH_REASONS, ["stop"])

    def answer_from_cache(
        self, step: str, model: Model, prompt: str, *, kind: str, input_tokens: int, output_tokens: int
    ) -> None:
        """Answer from the application's own cache what the model would have been asked."""
        with tokenpnl.step(step, kind="llm"), self._model_span(model, prompt) as span:
            self._pass_ms(self.about(9))
            span.cached(kind, avoided_input_tokens=input_tokens, avoided_output_tokens=output_tokens)
            span.output(content=f"answer:{prompt}")

    def retrieve(self, source: str, model: Model, query: str, *, documents: int, used: int) -> None:
        """Search with an embedded query."""
        with tokenpnl.retrieval(source) as search:
            with self._model_span(model, query, "embeddings") as span:
                self._pass_ms(self.about(model.first_token_ms))
                self._bill(span, model, self.about(28), None)
            self._pass_ms(self.about(35))
            search.documents(documents, hit=used > 0, used=used)

    def search(self, name: str, model: Model, query: str, *, documents: int, used: int) -> None:
        """Let an agent search: a tool, in which a model ranks the hits."""
        with tokenpnl.tool(name) as tool:
            tool.arguments(query).result(f"{query}:{documents}")
            tool.set(semconv.RETRIEVAL_DOCUMENTS, documents).set(semconv.RETRIEVAL_USED, used)
            with self._model_span(model, f"rank:{query}") as span:
                self._pass_ms(self.about(model.first_token_ms))
                self._bill(span, model, self.about(2100), 24)

    def tool(self, name: str, arguments: str, *, ms: int, fee_usd: Decimal | None = None) -> None:
        """Run a tool, with its fee if it has one."""
        with tokenpnl.tool(name) as tool:
            tool.arguments(arguments).result(f"done:{arguments}")
            self._pass_ms(self.about(ms))
            if fee_usd is not None:
                tool.cost_usd(fee_usd)

    @contextmanager
    def agent(self, name: str) -> Iterator[None]:
        """Let an agent work."""
        with tokenpnl.step(name, kind="agent"):
            yield

    def judge(self, step: str, model: Model, prompt: str, *, input_tokens: int) -> None:
        """Let a model score the run."""
        score = round(self.rng.betavariate(8, 2), 2)
        with tokenpnl.step(step, kind="evaluation") as evaluation, self._model_span(model, prompt) as span:
            self._pass_ms(self.about(model.first_token_ms + 40 * model.ms_per_token))
            self._bill(span, model, input_tokens, 40)
            evaluation.event(
                semconv.EVALUATION_EVENT,
                {"gen_ai.evaluation.name": step, "gen_ai.evaluation.score.value": score},
            )


def _say(span: CallSpan, route: Route) -> None:
    span.route(
        route.policy,
        arm=route.arm,
        propensity=route.propensity,
        candidates=route.candidates,
        inputs=route.inputs,
    )
