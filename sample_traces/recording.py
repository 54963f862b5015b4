"""One workflow's sixty days, run through the SDK in a few seconds, with everything it emitted kept in memory."""

import random
from collections.abc import Callable, Iterator
from functools import partial

import tokenpnl
from desk import Desk, Verdict
from tokenpnl import semconv, testing
from world import KNOWN_UNTIL, SEED, Job, Workload, arrivals

Flow = Callable[[Desk, Job], list[Verdict]]


def record(workload: Workload, flow: Flow) -> Iterator[str]:
    """Run every job of a workload and yield what the SDK emitted as lines of OTLP JSON.

    Spans come first, in the order in which they ended, then the outcomes that were told days later.
    """
    with testing.recording(
        # Ids must differ between workflows, for their files are read into one store.
        seed=SEED + sum(workload.name.encode()),
        step_ns=0,
        service=workload.service,
        resource={semconv.SYNTHETIC: True},
    ) as recorded:
        desk = Desk(workload.name, random.Random(f"{SEED} {workload.name}"), recorded.clock)
        for job in arrivals(workload, random.Random(f"{SEED} {workload.name} arrivals")):
            desk.do_what_is_due(job.at_ns)
            recorded.clock.now_ns = job.at_ns
            _work(desk, job, workload, flow)
        desk.do_what_is_due(KNOWN_UNTIL)
        yield from testing.otlp_json_lines(recorded.spans, recorded.logs)


def _work(desk: Desk, job: Job, workload: Workload, flow: Flow) -> None:
    with tokenpnl.workflow(
        workload.name,
        customer=job.customer,
        feature=job.feature,
        attributes={semconv.SERVICE_VERSION: job.release, semconv.ENVIRONMENT: job.environment},
    ) as run:
        verdicts = flow(desk, job)
        for verdict in verdicts:
            if not verdict.delay_ns:
                _tell(verdict, run.id)
    for verdict in verdicts:
        if verdict.delay_ns:
            desk.at(desk.clock.now_ns + verdict.delay_ns, partial(_tell, verdict, run.id))


def _tell(verdict: Verdict, run_id: str) -> None:
    tokenpnl.outcome(
        verdict.status,
        run_id=run_id,
        value_usd=verdict.value_usd,
        score=verdict.score,
        source=verdict.source,
        reason=verdict.reason,
    )
