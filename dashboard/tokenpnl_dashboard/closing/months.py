"""Months of one home: what stands in the way of a close, the close itself, and how a closed month reads now."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars as pl

from tokenpnl.errors import ConfigurationError, RefusedInputError, StoreError
from tokenpnl.tables import ATTEMPTS, RUNS
from tokenpnl_analytics.capacity.prepaid import usage_by_day
from tokenpnl_analytics.closing.accrual import INVOICES, accrual
from tokenpnl_analytics.closing.close import ORIGIN, Frozen, empty_lines, manifest, with_origin
from tokenpnl_analytics.closing.conditions import (
    RECONCILED,
    Condition,
    all_mapped,
    all_priced,
    all_reconciled,
    books_done,
    month_over,
)
from tokenpnl_analytics.closing.restate import adjustments, restated, restated_outcomes
from tokenpnl_analytics.finance.gl import unmapped
from tokenpnl_analytics.frames import conform
from tokenpnl_analytics.periods import parse_period
from tokenpnl_analytics.pricing.trueups import true_ups
from tokenpnl_analytics.rules.accounts import ACCOUNTS
from tokenpnl_analytics.rules.close import CLOSE
from tokenpnl_analytics.rules.commitments import COMMITMENTS
from tokenpnl_analytics.rules.prices import CONTRACT, FX
from tokenpnl_dashboard.book import Book
from tokenpnl_dashboard.closing.credit import conditions_of, credit_in, first_purchase
from tokenpnl_dashboard.closing.snapshots import Snapshot, verified
from tokenpnl_dashboard.output import plain
from tokenpnl_dashboard.questions.capacities import contracted_usage
from tokenpnl_dashboard.questions.lines import line_items
from tokenpnl_dashboard.rules.configuration import Configuration
from tokenpnl_ingest.control import Close, CloseState, ControlStore, FxRate, MonthSpan
from tokenpnl_ingest.control.months import insist_on_two_persons
from tokenpnl_ingest.home import Home

_READINGS = 3
_JOINT = timedelta(days=3)  # months beside each other in two zones part by less
# Alerts say nothing of the figures, and may name webhooks that are secret.
_NOT_FROZEN = {"alerts.yaml"}


@dataclass(frozen=True)
class Closing:
    """A home whose months are closed: its facts, its rules, and what people decided."""

    home: Home
    book: Book
    control: ControlStore

    @property
    def configuration(self) -> Configuration:
        """The rule files."""
        return Configuration.of(self.home)

    def span(self, month: str) -> MonthSpan:
        """Return the month in the zone of close.yaml; a closed month keeps the zone that it was closed in.

        Raises:
            ConfigurationError: the text is no month.
        """
        last = self.control.close_steps(month)[-1:]
        if last and last[0].state is CloseState.CLOSED:
            return last[0].span
        return month_span(month, self.configuration.read(CLOSE).zone)

    def snapshot(self, month: str) -> Snapshot:
        """Return the folder of a closed month, whether it is there or not."""
        return Snapshot(self.home.closed / month)

    def now(self, span: MonthSpan) -> pl.DataFrame:
        """Return the month's line items as the books read today, its volume terms settled.

        A closed month is settled by the contract that it was closed with: new terms are a matter of open months.
        """
        lines = line_items(self.book, since=span.since, until=span.until)
        terms = self._rules_in(span.month).read(CONTRACT)
        if not (terms.volume_tiers or terms.rebates):
            return lines
        # Providers count a volume by months in UTC.
        billed = month_span(span.month, "UTC")
        usage = lines if billed == span else line_items(self.book, since=billed.since, until=billed.until)
        return pl.concat([lines, true_ups(usage, terms, span.month)])

    def adjustments_into(self, span: MonthSpan) -> pl.DataFrame:
        """Return what the month carries for closed months before it: line items with `origin_period`.

        What other closed months carry is not carried again, whatever the order in which months were closed. A month
        that was reopened has its late facts itself, so what was carried for it is taken back.
        """
        steps = {step.month: step for step in self.control.closes() if step.month != span.month}
        closed = {month: step for month, step in steps.items() if step.state is CloseState.CLOSED}
        frozen = {month: self.snapshot(month).line_items() for month in closed}
        posted = pl.concat([empty_lines(), *frozen.values()])
        carried_for = {*closed, *posted[ORIGIN].drop_nulls()} & {month for month in steps if month < span.month}
        found = []
        for month in sorted(carried_for):
            now = self.now(steps[month].span)
            into = (span.month, span.since)
            found.append(adjustments(frozen.get(month, now), now, month=month, into=into, posted=posted))
        return pl.concat([empty_lines(), *found])

    def lines(self, span: MonthSpan) -> pl.DataFrame:
        """Return everything that the month will be closed with: its line items and what it carries for others."""
        return pl.concat([with_origin(self.now(span)), self.adjustments_into(span)]).sort("started_at", "line_id")

    def posted(self, since: datetime | None, until: datetime | None) -> pl.DataFrame:
        """Return the line items of [since, until) as the ledger has them, with `origin_period`.

        Closed months are as closed, everything else as it reads now, and the first open month carries the adjustments.

        Raises:
            StoreError: a closed month is not what was signed.
        """
        carrier = open_month(self.control, self.configuration.read(CLOSE).zone, now=datetime.now(UTC))
        carries = (since is None or since < carrier.until) and (until is None or carrier.since < until)
        closed = [
            step
            for step in self.control.closes()
            if step.state is CloseState.CLOSED
            and (carries or ((until is None or step.since < until) and (since is None or since < step.until)))
        ]
        frozen = [verified(self.home.closed, step).line_items() for step in closed]
        started = pl.col("started_at")
        in_closed = pl.any_horizontal(
            pl.lit(value=False), *((started >= step.since) & (started < step.until) for step in closed)
        )
        now = with_origin(line_items(self.book, since=since, until=until)).filter(~in_closed)
        adjusted = [self.adjustments_into(carrier)] if carries else []
        every = pl.concat([now, *frozen, *adjusted])
        begun = pl.lit(value=True) if since is None else started >= since
        ended = pl.lit(value=True) if until is None else started < until
        return every.filter(begun & ended).sort("started_at", "line_id")

    def rules_of(self, since: datetime | None, until: datetime | None) -> Configuration:
        """Return the rule files for a period: those frozen with it where it is a closed month, else today's."""
        closed = [step for step in self.control.closes() if step.state is CloseState.CLOSED]
        month = next((step.month for step in closed if (step.since, step.until) == (since, until)), None)
        return self.configuration if month is None else self.snapshot(month).rules

    def conditions(self, month: str, *, now: datetime) -> list[Condition]:
        """Return the conditions of the month's close, fulfilled or not."""
        span, rules = self.span(month), self.configuration
        lines = self.lines(span)
        signed = {each.subject: f"{each.signed_by}, {each.reason}" for each in self.control.sign_offs(month)}
        return [
            month_over(month, span.until, now=now),
            books_done(len(self.control.open_rebooks())),
            all_mapped(unmapped(lines, rules.read(ACCOUNTS))),
            *conditions_of(self.credit(month), month_span(month, "UTC"), self._rules_in(month).read(ACCOUNTS)),
            all_priced(lines, rules.read(CLOSE).most_unpriced_share, signed),
            all_reconciled(lines, self._reconciled(month), signed),
            self._untouched(),
        ]

    def credit(self, month: str) -> pl.DataFrame:
        """Return what prepaid credit came to in the month, days in UTC as providers bill; result of `in_month`.

        A closed month reads the commitments.yaml that was frozen with it, and usage as posted.
        """
        billed, stated = month_span(month, "UTC"), self._rules_in(month).read(COMMITMENTS).prepaid
        if stated and self.control.state_of(month) is CloseState.CLOSED:
            usage = usage_by_day(self.posted(first_purchase(stated), billed.until))
        else:
            usage = contracted_usage(self.book, stated)
        return credit_in(stated, usage, billed, self.book.version().newest_at)

    def accrual(self, month: str) -> pl.DataFrame:
        """Return what to accrue for the month, as `accrual.accrual` describes it."""
        span = self.span(month)
        attempts = conform(self.book.query("table", name="attempts", since=span.since, until=span.until), ATTEMPTS)
        return accrual(self.now(span), attempts, self._invoices(), month=month)

    def soft_close(self, month: str, *, preparer: str, now: datetime) -> Close:
        """Note the month as soft closed, with its accrual.

        Raises:
            RefusedInputError: it is not over, or closed, or would share hours with a closed month.
        """
        span = self.span(month)
        self._insist_on_joints(span)
        _insist([month_over(month, span.until, now=now)], month)
        owed = [plain(row) for row in self.accrual(month).to_dicts()]
        return self.control.soft_close(span, preparer=preparer, detail={"accrual": owed})

    def close(self, month: str, *, preparer: str, approver: str, now: datetime) -> Close:
        """Freeze the month and note it as closed.

        Raises:
            RefusedInputError: a condition is not fulfilled, the two are one person, or it was not soft closed.
            StoreError: the snapshot cannot be written, or facts of the month went on changing while it was taken.
        """
        insist_on_two_persons(month, preparer, approver)
        state = self.control.state_of(month)
        if state is not CloseState.SOFT:
            how = f"`tokenpnl close {month} --soft --preparer NAME`"
            remedy = "reopen it first" if state is CloseState.CLOSED else f"soft close it first: {how}"
            raise RefusedInputError(f"{month} is {state.value}; {remedy}")
        span = self.span(month)
        self._insist_on_joints(span)
        _insist(self.conditions(month, now=now), month)
        frozen = self._frozen(span)
        listed = manifest(frozen, **vars(span))
        self.snapshot(month).write(frozen, listed)
        rates = [FxRate(currency, rate, FX.name) for currency, rate in sorted(frozen.fx.items())]
        return self.control.close(
            span, people=(preparer, approver), snapshot_sha256=listed["sha256"], fx=rates, detail=listed
        )

    def reopen(self, month: str, *, actor: str, reason: str) -> Close:
        """Note the month as open again; its snapshot is kept beside.

        Raises:
            RefusedInputError: it is open, or the reason is empty.
        """
        done = self.control.reopen(month, actor=actor, reason=reason)
        self.snapshot(month).set_aside()
        return done

    def restated(self, month: str, by: tuple[str, ...] = ("cost_category",)) -> pl.DataFrame:
        """Return the month as closed, as it reads now, and the difference.

        Raises:
            RefusedInputError: the month is not closed.
        """
        span = self._closed(month).span
        return restated(self.snapshot(month).line_items(), self.now(span), by)

    def restated_outcomes(self, month: str) -> pl.DataFrame:
        """Return what the month's runs came to, as known at the close and as known now, by workflow.

        Raises:
            RefusedInputError: the month is not closed.
        """
        span = self._closed(month).span
        return restated_outcomes(self.snapshot(month).runs(), self._runs(span))

    def _insist_on_joints(self, span: MonthSpan) -> None:
        """Refuse a month that would count hours of a closed one again, or leave some out between them."""
        for step in self.control.closes():
            if step.state is not CloseState.CLOSED or step.month == span.month:
                continue
            for ours, theirs in ((span.since, step.until), (span.until, step.since)):
                if ours != theirs and abs(ours - theirs) < _JOINT:
                    raise RefusedInputError(
                        f"{span.month} in {span.zone} and {step.month}, closed in {step.zone}, do not meet: "
                        f"{ours:%Y-%m-%d %H:%M} and {theirs:%Y-%m-%d %H:%M} UTC; hours between them would count twice "
                        f"or never. Write zone: {step.zone} into close.yaml, or reopen {step.month}"
                    )

    def _closed(self, month: str) -> Close:
        step = next((each for each in self.control.closes() if each.month == month), None)
        if step is None or step.state is not CloseState.CLOSED:
            raise RefusedInputError(f"{month} is {self.control.state_of(month).value}, not closed: nothing to restate")
        return step

    def _rules_in(self, month: str) -> Configuration:
        closed = self.control.state_of(month) is CloseState.CLOSED
        return self.snapshot(month).rules if closed else self.configuration

    def _frozen(self, span: MonthSpan) -> Frozen:
        for _ in range(_READINGS):
            lines, runs = self.lines(span), self._runs(span)
            if lines.equals(self.lines(span)):
                return Frozen(lines, runs, self._rules(), self._rates(span.month), self._prices(lines))
        raise StoreError(f"facts of {span.month} keep arriving while it is closed; try again when they have")

    def _runs(self, span: MonthSpan) -> pl.DataFrame:
        found = self.book.query("table", name="runs", since=span.since, until=span.until)
        return conform(found, RUNS).sort("tenant", "run_id", "trace_id", "span_id")

    def _rules(self) -> dict[str, str]:
        rules = self.configuration
        names = [name for name, *_ in rules.stamp() if name not in _NOT_FROZEN]
        return {name: text for name in names if (text := rules.text(name)) is not None}

    def _rates(self, month: str) -> Mapping[str, Decimal]:
        known = self.configuration.read(FX)
        rates = {currency: known.month_rate(currency, month) for currency in sorted(known.months)}
        return {currency: rate for currency, rate in rates.items() if rate is not None}

    def _prices(self, lines: pl.DataFrame) -> Mapping[str, str | None]:
        stored = {known.version: known.content_sha256 for known in self.control.versions()}
        return {name: stored.get(name) for name in lines["price_version"].drop_nulls().unique().sort()}

    def _reconciled(self, month: str) -> pl.DataFrame:
        rows = [
            (each.result.provider, each.result.account, each.settled, each.result.unexplained_usd)
            for each in self.control.reconciliations(month)
        ]
        return pl.DataFrame(rows, schema=RECONCILED, orient="row")

    def _invoices(self) -> pl.DataFrame:
        rows = [
            (each.result.provider, month, each.settled, each.result.traced_usd, _untraced(each.result.detail))
            for month in self.control.reconciled_months()
            for each in self.control.reconciliations(month)
        ]
        return pl.DataFrame(rows, schema=INVOICES, orient="row")

    def _untouched(self) -> Condition:
        wrong = _tampered(self.home, self.control)
        if not wrong:
            told = "nobody has touched the audit chain, nor a closed month"
            return Condition("audit_chain", fulfilled=True, told=told)
        return Condition("audit_chain", fulfilled=False, told=wrong[0], remedy="`tokenpnl close verify` says more")


def month_span(month: str, zone: str) -> MonthSpan:
    """Return a month such as `2026-10` in a zone.

    Raises:
        ConfigurationError: the text is no month.
    """
    # Every other form of a period, or other digits, would close the same days again under another name.
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}", month):
        raise ConfigurationError(f"a month is written YYYY-MM, such as 2026-10, not {month!r}")
    period = parse_period(month, now=datetime(2026, 1, 1, tzinfo=UTC), zone=zone)
    assert period.since is not None
    assert period.until is not None
    return MonthSpan(month, period.since, period.until, zone)


def open_month(control: ControlStore, zone: str, *, now: datetime) -> MonthSpan:
    """Return the month that carries adjustments: the one after the newest closed month, else the month of `now`."""
    closed = [step.span for step in control.closes() if step.state is CloseState.CLOSED]
    first = max((span.until for span in closed), default=now) + timedelta(hours=1)
    return month_span(f"{first.astimezone(ZoneInfo(zone)):%Y-%m}", zone)


def close_status(control: ControlStore) -> pl.DataFrame:
    """Return `month, state, at, preparer, approver, reason, snapshot_sha256` of every month ever touched, by month."""
    rows = [
        (step.month, step.state.value, step.at, step.preparer, step.approver, step.reason, step.snapshot_sha256)
        for step in control.closes()
    ]
    text = dict.fromkeys(["preparer", "approver", "reason", "snapshot_sha256"], pl.String())
    schema = {"month": pl.String(), "state": pl.String(), "at": pl.Datetime("us", "UTC"), **text}
    return pl.DataFrame(rows, schema=schema, orient="row")


def faults(home: Home, control: ControlStore) -> list[str]:
    """Return what is wrong with the audit chain and with the closed months, a sentence each; empty: nothing."""
    closed = {step.month for step in control.closes() if step.state is CloseState.CLOSED}
    there = {path.name for path in home.closed.iterdir()} if home.closed.is_dir() else set()
    unknown = sorted(name for name in there - closed if re.fullmatch(r"[0-9]{4}-[0-9]{2}", name))
    return _tampered(home, control) + [
        f"{name}: its figures are there, but the control store knows no close of it: an older one was restored, or a "
        "close was interrupted; close it again"
        for name in unknown
    ]


def _tampered(home: Home, control: ControlStore) -> list[str]:
    """Return what is wrong with the audit chain and with the months that it says are closed."""
    found = control.verify()
    for step in control.closes():
        if step.state is CloseState.CLOSED:
            found += Snapshot(home.closed / step.month).faults(step.detail, step.snapshot_sha256)
    return found


def _insist(conditions: list[Condition], month: str) -> None:
    open_ones = [each for each in conditions if not each.fulfilled]
    if open_ones:
        told = "; ".join(f"{each.name}: {each.told} ({each.remedy})" for each in open_ones)
        raise RefusedInputError(f"{month} cannot be closed: {told}")


def _untraced(detail: Mapping[str, object]) -> Decimal | None:
    """Return the coverage step of a stored waterfall; NULL where it has none."""
    steps = detail.get("waterfall")
    told = [step["net_usd"] for step in steps if step["step"] == "coverage"] if isinstance(steps, list) else []
    return Decimal(told[0]) if told else None
