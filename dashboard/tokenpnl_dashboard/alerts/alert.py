"""One alert: a number first, then what, since when, and the likely cause."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Alert:
    """Something that a rule found.

    Attributes:
        key: the same for the same trouble, so that it is told once.
        watch: what kind of rule found it.
        severity: info, warning, critical.
        headline: one sentence, the number first.
        facts: sentences of what it rests on.
        since: when it began; None where that is not known.
        cause: a likely cause; empty where none is seen.
        page: path of the page that shows it.
        once: an event, such as a threshold that was crossed: a cooldown does not bring it back.
    """

    key: str
    watch: str
    severity: str
    headline: str
    facts: tuple[str, ...] = ()
    since: datetime | None = None
    cause: str = ""
    page: str = "/budgets"
    once: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        since = None if self.since is None else self.since.isoformat().replace("+00:00", "Z")
        return {**asdict(self), "facts": list(self.facts), "since": since}

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> "Alert":
        """Return what `as_dict` made."""
        since = told["since"]
        return cls(
            **{
                **told,
                "facts": tuple(told["facts"]),
                "since": None if since is None else datetime.fromisoformat(since),
            }
        )
