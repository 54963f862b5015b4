"""Options that several verbs share, and the type of a path that must be there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

HOME_HELP = "Folder of the store.  [default: $TOKENPNL_HOME, else your data folder]"
HOME = click.option("--home", type=click.Path(path_type=Path, file_okay=False), help=HOME_HELP)
PORT = click.IntRange(0, 65535)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
FILES = click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
FORMATS = ("table", "json", "csv", "md")


def formats(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--json`, `--csv` and `--md` to a verb; it receives `form`, one of `FORMATS`."""
    for name, words in (("md", "Markdown"), ("csv", "CSV"), ("json", "JSON")):
        verb = click.option(f"--{name}", "form", flag_value=name, help=f"Print {words}.")(verb)
    return click.option("--table", "form", flag_value="table", default="table", hidden=True)(verb)
