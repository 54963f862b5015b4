"""What-if scenarios that somebody saved, every version of each."""

import sqlalchemy as sa

from tokenpnl.errors import RefusedInputError
from tokenpnl_ingest.control.connected import Connected, Deed
from tokenpnl_ingest.control.records import SavedScenario
from tokenpnl_ingest.control.tables import SCENARIOS


class Scenarios(Connected):
    """The part of the control store that knows saved scenarios."""

    def save_scenario(self, name: str, content: str, *, actor: str) -> None:
        """Keep a scenario file under its name; what was saved under it before stays, as an earlier version.

        Args:
            name: of the file, not empty.
            content: YAML, as a person wrote it.
            actor: who saves it.

        Raises:
            RefusedInputError: the name is empty.
        """
        if not name.strip():
            raise RefusedInputError("a scenario is saved under a name; none was given; add `name:` to the file")
        with self._deed() as deed:
            _write(deed, name, content, actor, dropped=False)
            deed.note(actor, "save_scenario", {"name": name})

    def drop_scenario(self, name: str, *, actor: str) -> None:
        """Take a scenario off the list; its versions are kept.

        Raises:
            RefusedInputError: none is saved under the name.
        """
        found = self.scenario(name)
        with self._deed() as deed:
            _write(deed, name, found.content, actor, dropped=True)
            deed.note(actor, "drop_scenario", {"name": name})

    def scenario(self, name: str) -> SavedScenario:
        """Return the newest version under a name.

        Raises:
            RefusedInputError: none is saved under the name.
        """
        for saved in self.scenarios():
            if saved.name == name:
                return saved
        raise RefusedInputError(f"no scenario is saved as {name!r}; see `tokenpnl whatif list`")

    def scenarios(self) -> list[SavedScenario]:
        """Return the newest version of each scenario that is not dropped, by name."""
        newest = sa.select(sa.func.max(SCENARIOS.c.id)).group_by(SCENARIOS.c.name)
        asked = sa.select(SCENARIOS).where(SCENARIOS.c.id.in_(newest), ~SCENARIOS.c.dropped).order_by(SCENARIOS.c.name)
        with self._reading() as connection:
            return [
                SavedScenario(row["name"], row["content"], row["saved_at"], row["saved_by"])
                for row in connection.execute(asked).mappings()
            ]


def _write(deed: Deed, name: str, content: str, actor: str, *, dropped: bool) -> None:
    row = {"name": name, "content": content, "saved_at": deed.at, "saved_by": actor, "dropped": dropped}
    deed.connection.execute(SCENARIOS.insert().values(row))
