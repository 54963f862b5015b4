"""The configuration folder of a home: rule files read and checked, absent ones at their defaults."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tokenpnl.errors import ConfigurationError
from tokenpnl_analytics.rules.reading import RuleFile, Rules
from tokenpnl_ingest.home import Home

M = TypeVar("M", bound=Rules)


@dataclass(frozen=True)
class Configuration:
    """The YAML files in one folder."""

    folder: Path

    @classmethod
    def of(cls, home: Home) -> "Configuration":
        """Return the configuration of a home."""
        return cls(home.config)

    def read(self, file: RuleFile[M]) -> M:
        """Return the rules of one file; an absent file gives the defaults.

        Raises:
            ConfigurationError: the file breaks its model; the message names file and line.
        """
        return file.parse(self.text(file.name) or "", name=str(self.folder / file.name))

    def text(self, name: str) -> str | None:
        """Return the text of a file of the folder; None when it is absent.

        Raises:
            ConfigurationError: it is there and cannot be read as UTF-8.
        """
        path = self.folder / name
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path} cannot be read: {error}; expected a YAML file in UTF-8") from error

    def stamp(self) -> tuple[tuple[str, int, int], ...]:
        """Return name, size and time of every file: unequal as soon as one was edited; for caches."""
        files = sorted([*self.folder.glob("*.y*ml"), *self.folder.glob("*.json")]) if self.folder.is_dir() else []
        return tuple((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files)
