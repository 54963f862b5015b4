"""The token P&L of LLM products: instrument a workflow, report its outcome, see what a success costs.

::

    import tokenpnl

    tokenpnl.init(service="support-bot")
    with tokenpnl.workflow("refund_agent", customer="acme") as run:
        answer = agent(question)
        run.outcome("success", value_usd="3.10")

No verb raises into the host program; see the README beside this package for the promises.
"""

from tokenpnl.context import carried, carrier, in_context
from tokenpnl.llm import llm_call
from tokenpnl.outcomes import outcome
from tokenpnl.recorder import current_run, retrieval, step, tool, workflow
from tokenpnl.retries import Attempts as attempts  # noqa: N813 -- a verb to its users: `for attempt in attempts(...)`
from tokenpnl.setup import flush, init, instrumented

__all__ = [
    "attempts",
    "carried",
    "carrier",
    "current_run",
    "flush",
    "in_context",
    "init",
    "instrumented",
    "llm_call",
    "outcome",
    "retrieval",
    "step",
    "tool",
    "workflow",
]
