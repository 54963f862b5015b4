"""`tokenpnl config`: the YAML files that finance edits: where they are, whether they hold, what may stand in them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tokenpnl_dashboard.cli import CHECK_FAILED, OK, Group
from tokenpnl_dashboard.commands.options import HOME, formats

if TYPE_CHECKING:
    from tokenpnl_analytics.rules.reading import RuleFile


@click.group("config", cls=Group)
def command() -> None:
    """Check and describe the rule files: prices, outcomes, GPUs, budgets, allocation, accounts, alerts.

    They lie in `config` of the home, or where $TOKENPNL_CONFIG points. An absent file means its defaults.
    """


@command.command("check")
@HOME
@formats
def check(home: Path | None, form: str) -> int:
    """Check every rule file, and the scenario files beside them; exit code 1 when one does not hold."""
    import polars as pl

    from tokenpnl.errors import ConfigurationError
    from tokenpnl_analytics.rules.registry import RULE_FILES
    from tokenpnl_analytics.rules.scenarios import SCENARIOS
    from tokenpnl_dashboard.output import print_frame
    from tokenpnl_dashboard.rules.configuration import Configuration
    from tokenpnl_ingest.home import Home

    found = Configuration.of(Home.at(home))
    rows = []
    scenarios = [(f"scenarios/{path.name}", SCENARIOS) for path in sorted((found.folder / "scenarios").glob("*.yaml"))]
    for name, file in [*((file.name, file) for file in RULE_FILES), *scenarios]:
        try:
            text = found.text(name)
            if text is not None:
                file.parse(text, name=str(found.folder / name))
            rows.append((name, "absent, defaults hold" if text is None else "ok", file.doc))
        except ConfigurationError as error:
            rows.append((name, "broken", str(error)))
    frame = pl.DataFrame(rows, schema=["file", "state", "detail"], orient="row")
    print_frame(frame, form, title=f"rule files in {found.folder}", names=3)
    return CHECK_FAILED if any(state == "broken" for _, state, _ in rows) else OK


@command.command("schema")
@click.argument("file")
def schema(file: str) -> int:
    """Print the JSON schema of one rule FILE, such as gpus.yaml; also of scenario, policy and experiment files."""
    from tokenpnl_dashboard.output import print_json

    print_json(_named(file).schema())
    return OK


def _named(name: str) -> "RuleFile[Any]":
    from tokenpnl_analytics.rules.registry import HANDED_FILES, RULE_FILES

    known = {file.name: file for file in (*RULE_FILES, *HANDED_FILES)}
    spelled = name if name.endswith(".yaml") else f"{name}.yaml"
    if spelled not in known:
        raise click.UsageError(f"there is no rule file {name}; there are {', '.join(known)}")
    return known[spelled]
