"""Which scenario files a home offers: those in its configuration, and those that somebody saved."""

from tokenpnl_ingest.control import ControlStore
from tokenpnl_ingest.home import Home

FOLDER = "scenarios"


def offered(home: Home) -> dict[str, str]:
    """Return name -> text: files of `config/scenarios` by their stem, then saved scenarios by their name; both sorted.

    A saved scenario wins over a file of the same name.
    """
    folder = home.config / FOLDER
    files = sorted(folder.glob("*.yaml")) if folder.is_dir() else []
    found = {path.stem: path.read_text(encoding="utf-8") for path in files}
    with ControlStore.of(home) as control:
        return found | {one.name: one.content for one in control.scenarios()}


def save(home: Home, name: str, text: str, *, actor: str) -> None:
    """Keep a scenario file under its name.

    Raises:
        RefusedInputError: the name is empty.
    """
    with ControlStore.of(home) as control:
        control.save_scenario(name, text, actor=actor)
