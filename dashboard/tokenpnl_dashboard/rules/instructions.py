"""What a home tells its bookkeeper: the prices in force at every moment, the success definitions, what to book again.

Rule files are opinions of today. A new price list is stored under its version and holds for usage from then on; what
was used before keeps its version until somebody asks for re-pricing. So the books are the same whenever they are made.
"""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from tokenpnl.errors import ConfigurationError, RefusedInputError
from tokenpnl_analytics.capacity.keeping import CapacityRules
from tokenpnl_analytics.ledger import Policy, Rebook
from tokenpnl_analytics.pricing.card_file import from_bytes, to_bytes
from tokenpnl_analytics.pricing.layered import card_of, merged
from tokenpnl_analytics.pricing.published import PUBLISHED_FILE, published_card
from tokenpnl_analytics.pricing.ratecard import RateCard, default_rate_card
from tokenpnl_analytics.rules.commitments import COMMITMENTS
from tokenpnl_analytics.rules.gpus import GPUS
from tokenpnl_analytics.rules.outcomes import OUTCOMES, OutcomesFile
from tokenpnl_analytics.rules.prices import ALIASES, CONTRACT, FX, LITELLM, OVERRIDE
from tokenpnl_analytics.rules.reading import RuleFile, Rules
from tokenpnl_dashboard.rules.configuration import Configuration
from tokenpnl_ingest.control.schedule import END_NS, Section, sections
from tokenpnl_ingest.control.store import ControlStore
from tokenpnl_ingest.home import Home

log = logging.getLogger(__name__)
ACTOR = "bookkeeper"
_DEFINITIONS = "success definitions"
M = TypeVar("M", bound=Rules)


def card_of_files(configuration: Configuration) -> RateCard:
    """Return the rate card of the price files as they stand now.

    Raises:
        ConfigurationError: a file does not hold; the message names file and line.
    """
    return card_of(
        contract=configuration.read(CONTRACT),
        override=configuration.read(OVERRIDE),
        aliases=configuration.read(ALIASES),
        fx=configuration.read(FX),
        litellm=configuration.read(LITELLM),
        published=published_of(configuration),
    )


def published_of(configuration: Configuration) -> RateCard:
    """Return the published prices: the edition that `prices update` took, else the installed one.

    Raises:
        ConfigurationError: the file of that edition is damaged.
    """
    taken = configuration.text(PUBLISHED_FILE)
    if taken is None:
        return default_rate_card()
    try:
        return published_card(taken.encode())
    except RefusedInputError as error:
        raise ConfigurationError(
            f"{configuration.folder / PUBLISHED_FILE}: {error}; take it again or delete it"
        ) from None


class HomeInstructions:
    """Instructions from the rule files and the control store of a home.

    A broken file leaves the last good rules, also those that an earlier process has read: a restart must not book as
    if there were none.

    Args:
        configuration: the rule files.
        control: versions of prices, when they are in force, requests to book again.
    """

    def __init__(self, configuration: Configuration, control: ControlStore) -> None:
        self._configuration = configuration
        self._control = control
        self._stamp: object = None
        self._rules: OutcomesFile | None = None
        self._cards: dict[str, RateCard] = {}
        self._in_force: tuple[tuple[Section, ...], RateCard] | None = None
        self._capacity: tuple[object, CapacityRules] = (None, CapacityRules())

    def policy(self) -> Policy:
        """Return how to book now."""
        self._read_again()
        return Policy(self._card(), self._rules)

    def capacity(self) -> CapacityRules:
        """Return what capacity costs."""
        stamp = self._configuration.stamp()
        if stamp != self._capacity[0]:
            try:
                rules = CapacityRules(self._configuration.read(GPUS), self._configuration.read(COMMITMENTS))
                self._hold(GPUS, COMMITMENTS)
            except ConfigurationError as error:
                log.error("the last good rules of capacity hold on: %s", error)
                rules = CapacityRules(self._held(GPUS), self._held(COMMITMENTS))
            self._capacity = (stamp, rules)
        return self._capacity[1]

    def rebooks(self) -> Sequence[Rebook]:
        """Return the requests that are not done yet, oldest first.

        Files that changed are read before, whether or not there is anything new to book: new prices hold from when they
        are read, and another definition of success is a request. Only a home without books waits for its first ones.
        """
        if self._sections():
            self._read_again()
        return [Rebook(one.id, one.since, one.until) for one in self._control.open_rebooks()]

    def finish(self, rebook: Rebook) -> None:
        """Note that a request is done."""
        self._control.finish_rebook(rebook.number)

    def _read_again(self) -> None:
        stamp = self._configuration.stamp()
        if stamp != self._stamp:
            self._read()
            self._stamp = stamp

    def _read(self) -> None:
        try:
            rules = self._configuration.read(OUTCOMES)
            card = card_of_files(self._configuration)
        except ConfigurationError as error:
            log.error("the last good rules hold on: %s", error)
            held = self._held(OUTCOMES)
            self._rules = held if held.workflows else None
            if not self._sections():
                self._put_in_force(card_of())
            return
        self._rules = rules if rules.workflows else None
        self._put_in_force(card)
        self._hold(OUTCOMES)
        self._book_again_by(rules)

    def _hold(self, *files: RuleFile[Any]) -> None:
        """Remember the text of good files."""
        for file in files:
            text = self._configuration.text(file.name) or ""
            if text != (self._control.remembered(file.name) or ""):
                self._control.remember(file.name, text, actor=ACTOR)

    def _held(self, file: RuleFile[M]) -> M:
        """Return the last good rules of a file, its defaults when there never were any."""
        return file.parse(self._control.remembered(file.name) or "")

    def _book_again_by(self, rules: OutcomesFile) -> None:
        """Ask to book everything again when success is defined otherwise than in what is booked."""
        digest = hashlib.sha256(rules.model_dump_json().encode()).hexdigest()
        before = self._control.remembered(_DEFINITIONS)
        if before == digest:
            return
        if before is not None:
            self._control.request_rebook(None, None, "success definitions changed", actor=ACTOR)
        self._control.remember(_DEFINITIONS, digest, actor=ACTOR)

    def _put_in_force(self, card: RateCard) -> None:
        """Store the card and let it hold from now on, unless it does already; the very first holds always."""
        self._cards[card.version] = card
        known = self._sections()
        if known and known[-1].until_ns >= END_NS and known[-1].version == card.version:
            return
        sources = {"version": card.version, "files": [name for name, _, _ in self._configuration.stamp()]}
        self._control.record_version(card.version, to_bytes(card), sources, actor=ACTOR)
        since = datetime.now(UTC) if known else None
        reason = "price files changed" if known else "first prices of this home"
        self._control.schedule(card.version, since, None, reason, actor=ACTOR)

    def _sections(self) -> tuple[Section, ...]:
        return tuple(sections(self._control.schedules(), self._control.freezes()))

    def _card(self) -> RateCard:
        now = self._sections()
        if self._in_force is None or self._in_force[0] != now:
            cards = [(one.from_ns, one.until_ns, self._card_of(one.version)) for one in now]
            self._in_force = (now, merged(cards))
        return self._in_force[1]

    def _card_of(self, version: str) -> RateCard:
        if version not in self._cards:
            self._cards[version] = from_bytes(self._control.version_content(version))
        return self._cards[version]


@contextmanager
def instructions_of(home: Home) -> Iterator[HomeInstructions]:
    """Give the instructions of a home as long as the block runs."""
    with ControlStore.of(home) as control:
        yield HomeInstructions(Configuration.of(home), control)
