"""The command line: one script, one verb a file in `commands/`, imported only when it is called.

Data goes to standard output, words to standard error. Exit codes: 0 done, 1 a check failed, 2 wrong usage,
3 the data cannot be trusted as they are.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module, metadata
from typing import Any, NoReturn

try:
    import click
except ModuleNotFoundError:
    # The base install is the SDK alone; the script is there all the same.
    sys.stderr.write("tokenpnl: the command line needs the server's packages: pip install 'tokenpnl[server]'\n")
    sys.exit(2)

VERBS = {
    "demo": "Load the sample traces, print their P&L and serve them.",
    "serve": "Run the collector and the dashboard.",
    "ingest": "Load telemetry files into a store.",
    "audit": "Say what the books make of telemetry files; needs no store.",
    "report": "Print the P&L, usage, unit cost or the whole summary.",
    "export": "Write FOCUS, a general ledger journal, XLSX, PDF, CSV or Parquet.",
    "budgets": "Show how budgets stand, why the cost moved, and which hours are odd.",
    "alerts": "Tell Slack, Alertmanager or a webhook what needs somebody, once.",
    "capacity": "Show what GPUs and commitments cost, how much is idle, and where models ran.",
    "allocation": "Show who pays for which cost, and charge owners for closed months.",
    "reconcile": "Set the invoices of a month against its traces.",
    "close": "Close a month under one hash, and read it again beside what was closed.",
    "whatif": "Say what a change would save, how sure that is, and what to log to be surer.",
    "verdict": "Say whether the model does high-value reasoning or is expensive glue, and by what evidence.",
    "prices": "List, compare, check, import and re-price the rate card.",
    "price": "Price one usage, or JSON lines of usages.",
    "outcome": "Report the outcome of a run.",
    "outcomes": "Load outcomes from a CSV file, and show what counts as a success.",
    "config": "Check and describe the rule files that finance edits.",
    "doctor": "Check the environment, the store and the data, and say what to do.",
}

OK, CHECK_FAILED, WRONG_USAGE, UNTRUSTED = 0, 1, 2, 3


class Group(click.Group):
    """A group that tells its verbs in whole sentences, and the nearest one to a word that is none."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs with the first sentence of each."""
        verbs = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.get_short_help_str(limit=400)) for name, verb in verbs if verb])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the verb that was named; else say which one may have been meant."""
        from difflib import get_close_matches

        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = get_close_matches(args[0], self.list_commands(ctx), n=1)
            meant = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(self.list_commands(ctx))}"
            raise click.UsageError(f"{error.message.rstrip('.')}; {meant}", ctx) from None


class Lazy(Group):
    """A group that knows its verbs by name and imports one only to run it."""

    def __init__(
        self, *args: Any, verbs: Mapping[str, str], found: Callable[[str], click.Command], **attrs: Any
    ) -> None:
        """Take the verbs with a sentence each, in the order in which one meets them, and what imports one."""
        super().__init__(*args, **attrs)
        self._verbs, self._found = verbs, found

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Return the verbs in the order in which one meets them."""
        return list(self._verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # the same
        """Import and return the verb; None when there is none of that name."""
        return self._found(cmd_name) if cmd_name in self._verbs else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # the same
        """Write the list of verbs from what is known of them, so that help imports none of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._verbs.items()))


def _verb(name: str) -> click.Command:
    command: click.Command = import_module(f"tokenpnl_dashboard.commands.{name}").command
    return command


@click.group(
    cls=Lazy,
    verbs=VERBS,
    found=_verb,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(metadata.version("tokenpnl"), prog_name="tokenpnl")
def tokenpnl() -> None:
    """The token P&L of LLM products: what a successful outcome costs, and why."""


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    try:
        code = tokenpnl(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort:
        click.echo("stopped", err=True)
        code = WRONG_USAGE
    except Exception as error:  # noqa: BLE001  # the border of the process; faults are raised again
        code = _explained(error)
    sys.exit(code if isinstance(code, int) else OK)


def _explained(error: Exception) -> int:
    """Print one of our own errors as a sentence and return its exit code; anything else is a fault and is raised."""
    from tokenpnl.errors import RefusedInputError, StoreError, StoreHeldError, TokenpnlError

    if not isinstance(error, TokenpnlError):
        raise error
    click.echo(f"tokenpnl: {error}", err=True)
    untrusted = isinstance(error, (RefusedInputError, StoreError)) and not isinstance(error, StoreHeldError)
    return UNTRUSTED if untrusted else WRONG_USAGE
