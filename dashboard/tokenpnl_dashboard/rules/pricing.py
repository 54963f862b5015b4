"""The prices of a home: those in force, those that its files say, what a change would do, and putting it in force."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPMessage
from pathlib import Path
from typing import IO, Any

import polars as pl

from tokenpnl.errors import ConfigurationError, RefusedInputError
from tokenpnl.model import SERVER_TOOLS, CostSource
from tokenpnl_analytics.pricing.card_file import from_bytes, to_bytes
from tokenpnl_analytics.pricing.crosscheck import cross_check
from tokenpnl_analytics.pricing.layered import merged
from tokenpnl_analytics.pricing.litellm import Imported
from tokenpnl_analytics.pricing.published import PUBLISHED_FILE
from tokenpnl_analytics.pricing.ratecard import RateCard, default_rate_card
from tokenpnl_analytics.rules.prices import ALIASES, CONTRACT, FX, LITELLM, OVERRIDE, PriceFile
from tokenpnl_analytics.rules.reading import RuleFile
from tokenpnl_dashboard.book import Book
from tokenpnl_dashboard.rules.configuration import Configuration
from tokenpnl_ingest.control import ControlStore, sections
from tokenpnl_ingest.home import Home

PRICE_FILES: dict[str, RuleFile[Any]] = {
    "contract": CONTRACT,
    "override": OVERRIDE,
    "aliases": ALIASES,
    "fx": FX,
    "litellm": LITELLM,
}
MOST_BYTES = 32 << 20
_USAGE = (
    "tenant", "attempt_id", "provider", "model", "service_tier", "deployment", "region", "started_at", "billed",
    "input_total_tokens", *SERVER_TOOLS.values(), "reported_cost_usd",
)  # fmt: skip


@dataclass(frozen=True)
class Span:
    """A stretch of event time [since, until); None is open."""

    since: datetime | None
    until: datetime | None


def card_in_force(control: ControlStore) -> RateCard | None:
    """Return the prices in force at every moment as one card; None before the first bookkeeping of a home."""
    now = sections(control.schedules(), control.freezes())
    if not now:
        return None
    cards = {one.version: from_bytes(control.version_content(one.version)) for one in now}
    return merged([(one.from_ns, one.until_ns, cards[one.version]) for one in now])


def card_of_home(home: Home) -> tuple[RateCard, str]:
    """Return the prices that hold in a home, and whose they are in words; nothing is made where no home is.

    Raises:
        ConfigurationError: a price file does not hold.
    """
    from tokenpnl_dashboard.rules.instructions import card_of_files

    if home.decided:
        with ControlStore.of(home) as control:
            card = card_in_force(control)
        if card is not None:
            return card, f"the prices in force in {home.path}"
    configuration = Configuration.of(home)
    names = (*(file.name for file in PRICE_FILES.values()), PUBLISHED_FILE)
    if any((configuration.folder / name).exists() for name in names):
        return card_of_files(configuration), f"the price files in {configuration.folder}"
    return default_rate_card(), "the published list"


def dated_for_eyes(prices: pl.DataFrame) -> pl.DataFrame:
    """Return dated prices as a table has room for them.

    Kinds of one price share a row. Columns that say nothing are left out: empty ones, a price equal to the list price,
    a currency that is USD everywhere, the only version.

    Args:
        prices: result of `dated_prices`.
    """
    usd = prices["currency"].fill_null("USD").eq("USD").all()
    silent = ["currency", "native"] if usd else []
    if prices["contracted_usd"].eq_missing(prices["list_usd"]).all():
        silent.append("contracted_usd")
    if prices["effective_usd"].eq_missing(prices["contracted_usd"]).all():
        silent.append("effective_usd")
    if prices["price_version"].n_unique() == 1:
        silent.append("price_version")
    silent += [name for name in prices.columns if prices[name].cast(pl.String).fill_null("").eq("").all()]
    same = [name for name in prices.columns if name != "usage_kind"]
    joined = prices.group_by(same, maintain_order=True).agg(pl.col("usage_kind").str.join(" "))
    return joined.select(name for name in prices.columns if name not in silent)


def stored_card(control: ControlStore, version: str) -> RateCard:
    """Return a stored price version; a unique beginning or hash of its name does.

    Raises:
        RefusedInputError: none or several fit; the message names them.
    """
    names = [known.version for known in control.versions()]
    fitting = [name for name in names if version in name]
    if version in names:
        fitting = [version]
    if len(fitting) != 1:
        raise RefusedInputError(
            f"{len(fitting)} price versions fit {version!r}; there are {', '.join(names) or 'none yet'}"
        )
    return from_bytes(control.version_content(fitting[0]))


def used_attempts(book: Book, span: Span) -> pl.DataFrame:
    """Return the attempts of a span with what decides their price and what their emitter says they cost."""
    from tokenpnl.model import UsageKind

    columns = [*_USAGE, *(kind.column for kind in UsageKind)]
    return book.query("table", name="attempts", columns=columns, since=span.since, until=span.until)


def unpriced_models(book: Book) -> pl.DataFrame:
    """Return the worklist: `provider, model, n_lines, tokens` of usage without a price, most tokens first."""
    where = {"cost_source": [CostSource.UNPRICED.value]}
    found = book.query("line_item_sums", by=["provider", "model"], where=where)
    return found.select("provider", "model", "n_lines", pl.col("quantity").alias("tokens")).sort(
        "tokens", "provider", "model", descending=[True, False, False], nulls_last=True
    )


def reported_against_computed(book: Book) -> pl.DataFrame:
    """Return the costs that emitters reported beside ours; see `cross_check`."""
    attempts = used_attempts(book, Span(None, None)).filter(pl.col("reported_cost_usd").is_not_null())
    lines = book.query("table", name="line_items", columns=["tenant", "attempt_id", "contracted_cost_usd"])
    return cross_check(attempts, lines)


def snippet(unpriced: pl.DataFrame) -> str:
    """Return a piece of override.yaml that would price the models, with the amounts left to fill in."""
    rules = []
    for provider, model in unpriced.select("provider", "model").iter_rows():
        match = {name: value for name, value in (("provider", provider), ("model", model)) if value}
        rules.append(
            f"  - match: {json.dumps(match, ensure_ascii=False)}\n"
            "    # as: {provider: ..., model: ...}   where it is another name of a known model\n"
            "    prices: {input_uncached: ..., output_text: ...}   # USD per million\n"
            '    source: "..."'
        )
    return "rules:\n" + "\n".join(rules)


def broken_files(configuration: Configuration) -> list[str]:
    """Return what is wrong with the price files, one sentence a file, with its line."""
    found = []
    for file in PRICE_FILES.values():
        try:
            configuration.read(file)
        except ConfigurationError as error:
            found.append(str(error))
    return found


def missing_rates(configuration: Configuration, months: Sequence[str]) -> list[str]:
    """Return the months with a contract in a foreign currency and without its month average."""
    fx = configuration.read(FX)
    files = [configuration.read(file) for file in (CONTRACT, OVERRIDE)]
    priced = [(rule, file) for file in files for rule in file.rules if rule.prices or rule.contexts]
    currencies = {rule.currency or file.currency for rule, file in priced}
    return [
        f"{currency} has no average for {month} in {FX.name}; the newest before it stands in"
        for currency in sorted(currencies - {"USD"})
        for month in months
        if month not in fx.months.get(currency, {})
    ]


def open_spans(control: ControlStore, span: Span) -> list[Span]:
    """Return the span without the months that are closed, in order of time."""
    spans = [span]
    for since, until in control.frozen_spans():
        spans = [part for whole in spans for part in _without(whole, since, until)]
    return sorted(spans, key=lambda part: part.since or datetime.min.replace(tzinfo=UTC))


def closed_spans(control: ControlStore, span: Span) -> list[Span]:
    """Return the parts of the span that are closed, in order of time."""
    parts = [
        Span(
            since if span.since is None else max(since, span.since),
            until if span.until is None else min(until, span.until),
        )
        for since, until in control.frozen_spans()
    ]
    return [part for part in parts if part.since and part.until and part.since < part.until]


def put_in_force(
    control: ControlStore, card: RateCard, spans: Sequence[Span], *, actor: str, into_closed: bool = False
) -> list[int]:
    """Store a card, let it price the spans and ask the bookkeeper to book them again; return the requests' numbers.

    Args:
        control: where postings are kept.
        card: prices to use.
        spans: usage to price by them.
        actor: who does it.
        into_closed: the spans are closed months, which are to be read anew beside their figures as closed.
    """
    control.record_version(card.version, to_bytes(card), {"version": card.version}, actor=actor)
    numbers = []
    for span in spans:
        control.schedule(card.version, span.since, span.until, "re-pricing", actor=actor, into_closed=into_closed)
        reason = f"re-pricing to {card.version}"
        numbers.append(control.request_rebook(span.since, span.until, reason, actor=actor))
    return numbers


def save(folder: Path, name: str, text: str, *, replace: bool) -> Path:
    """Write a file of the configuration whole or not at all, and return its path.

    Raises:
        ConfigurationError: it is there and may not be replaced.
    """
    path = folder / name
    if path.exists() and not replace:
        raise ConfigurationError(f"{path} is there already; give --replace to write over it")
    folder.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{name}.new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
    return path


def text_of(file: PriceFile) -> str:
    """Return a price file as JSON, one rule a line: YAML reads it, and a comparison of two editions is short."""
    rules = [rule.model_dump_json(by_alias=True, exclude_defaults=True) for rule in file.rules]
    return '{"version": 1, "rules": [\n' + ",\n".join(rules) + "\n]}\n"


def told(imported: Imported) -> Iterator[str]:
    """Yield what an import did and did not understand."""
    yield f"{imported.n_prices} prices of {len(imported.file.rules)} models taken over"
    for reason, n_entries in imported.skipped.items():
        yield f"{n_entries} entries left out: each {reason}"
    if imported.unread:
        keys = ", ".join(f"{key} ({n})" for key, n in imported.unread.items())
        yield f"{len(imported.unread)} keys that look like prices were not understood: {keys}"


def _without(whole: Span, since: datetime, until: datetime) -> Iterator[Span]:
    before = Span(whole.since, since if whole.until is None else min(since, whole.until))
    after = Span(until if whole.since is None else max(until, whole.since), whole.until)
    for part in (before, after):
        if part.since is None or part.until is None or part.since < part.until:
            yield part


def fetched(source: str) -> bytes:
    """Return the bytes of a file, or of an https address that the caller named; it may lead to another https address.

    Raises:
        ConfigurationError: it cannot be read, leads away from https, or is larger than any price list.
    """
    try:
        if source.startswith("https://"):
            with urllib.request.build_opener(HttpsOnly).open(source, timeout=30) as answer:
                content: bytes = answer.read(MOST_BYTES + 1)
        else:
            with Path(source).open("rb") as file:
                content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"{source} cannot be read: {error}; name a file, or an https address") from error
    if len(content) > MOST_BYTES:
        raise ConfigurationError(f"{source} is larger than {MOST_BYTES >> 20} MiB; a price list has a few")
    return content


class HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows to https alone: on the way over plain http anybody could write the prices."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        """Return the request that follows.

        Raises:
            URLError: the address is not https.
        """
        if not newurl.lower().startswith("https://"):
            raise urllib.error.URLError(f"it leads to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
