"""`tokenpnl whatif`: scenarios on recorded traffic, the two laboratories, what to apply, and whether it held."""

from importlib import import_module

import click

from tokenpnl_dashboard.cli import Lazy

_VERBS = {
    "run": "Replay the scenarios of a file on recorded traffic, each alone and all together.",
    "cache": "Say what a cache of each size and age would have hit in a trace.",
    "route": "Say what a router could win on a table of tasks and models.",
    "apply": "Write what a gateway needs to do a scenario: a LiteLLM router, or a neutral policy, and the difference.",
    "verify": "Say whether a change that was made saved what it should, without harm.",
    "save": "Keep a scenario file under its name, for everybody who reads this home.",
    "list": "List the scenarios that were saved.",
    "drop": "Take a saved scenario off the list.",
}


_KEPT = {"save": "save", "list": "listed", "drop": "drop"}


def _verb(name: str) -> click.Command:
    module = import_module(f"tokenpnl_dashboard.commands.whatif_{'kept' if name in _KEPT else name}")
    verb: click.Command = getattr(module, _KEPT.get(name, name))
    return verb


@click.group("whatif", cls=Lazy, verbs=_VERBS, found=_verb)
def command() -> None:
    """Say what a change would save, how sure that is, and what to log to be surer.

    Every result carries one word for what it rests on: recomputed, assumed, estimated, bounded, not identifiable,
    verified. Nothing here changes any traffic.
    """
