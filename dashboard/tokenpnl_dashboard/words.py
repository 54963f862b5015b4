"""Numbers and enums as people read them. The one place that rounds money; everything here is text."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tokenpnl.model import CostCategory
from tokenpnl_analytics.periods import Period

UNKNOWN = "–"

CATEGORY: dict[str, str] = {
    CostCategory.EVALUATION: "Evaluation",
    CostCategory.TIMEOUT: "Timeout",
    CostCategory.SCHEMA_VIOLATION: "Invalid output",
    CostCategory.RETRY: "Retry",
    CostCategory.ESCALATION: "Escalation",
    CostCategory.LOOP: "Loop",
    CostCategory.FAILED_RUN: "Failed run",
    CostCategory.ABANDONED_RUN: "Abandoned run",
    CostCategory.PENDING: "Pending outcome",
    CostCategory.FALLBACK: "Fallback",
    CostCategory.PRODUCTIVE: "Productive",
    CostCategory.IDLE_CAPACITY: "Idle capacity",
    CostCategory.UNATTRIBUTED: "Unattributed",
}

CATEGORY_MEANING: dict[str, str] = {
    CostCategory.EVALUATION: "judges, guardrails and evaluations",
    CostCategory.TIMEOUT: "attempts ended by a timeout, a deadline or a cancelled stream",
    CostCategory.SCHEMA_VIOLATION: "output that failed validation and was asked for again or given up",
    CostCategory.RETRY: "billed attempts that failed and were tried again or given up",
    CostCategory.ESCALATION: "cheaper answers that a stronger model replaced",
    CostCategory.LOOP: "the same call again in the same run and step",
    CostCategory.FAILED_RUN: "the rest of runs whose outcome is failure",
    CostCategory.ABANDONED_RUN: "the rest of runs whose outcome is abandoned",
    CostCategory.PENDING: "runs without an outcome yet",
    CostCategory.FALLBACK: "served by a fallback model in a successful run",
    CostCategory.PRODUCTIVE: "everything else in successful runs",
    CostCategory.IDLE_CAPACITY: "capacity that nothing used",
    CostCategory.UNATTRIBUTED: "usage that belongs to no run",
}

OUTCOME: dict[str | None, str] = {
    "success": "✓ success",
    "failure": "✕ failure",
    "abandoned": "◌ abandoned",
    None: "… none yet",
}


def usd(value: Decimal | float | None, *, like: Decimal | float | None = None) -> str:
    """Return money as finance reads it: `$1,162`, `$12.40`, `$0.0075`, negative in parentheses, unknown as a dash.

    Args:
        value: USD.
        like: an amount that decides the decimals, so that a column lines up; by default the value itself.
    """
    if value is None:
        return UNKNOWN
    amount = abs(value)
    if amount == 0:
        return "$0"
    text = f"${amount:,.{_places(Decimal(str(amount if like is None else abs(like))))}f}"
    return f"({text})" if value < 0 else text


def exact_usd(value: Decimal | None) -> str:
    """Return money with every digit that it has, unknown as a dash; for the line that an auditor compares."""
    if value is None:
        return UNKNOWN
    text = f"{value:f}"
    return f"${text.rstrip('0').rstrip('.') if '.' in text else text}"


def deduction(value: Decimal | None, *, like: Decimal | None = None) -> str:
    """Return an amount that is taken off, in parentheses and without a sign: `(116)`."""
    if value is None:
        return UNKNOWN
    return f"({usd(abs(value), like=like).removeprefix('$')})" if value else "0"


def percent(share: float | Decimal | None) -> str:
    """Return a share of 0 to 1 as a percentage: `22%`, `4.2%`, `<0.1%`; unknown as a dash."""
    if share is None:
        return UNKNOWN
    value = float(share) * 100
    if 0 < abs(value) < 0.1:
        return "<0.1%"
    whole = abs(value) >= 10 or value == 0
    if 99.5 <= value < 100:
        return f"{min(value, 99.9):.1f}%"
    return f"{value:.0f}%" if whole else f"{value:.1f}%"


def change(ratio: float | None) -> str | None:
    """Return a relative change with its sign, `+4.2%`; None where there is nothing to compare with."""
    if ratio is None:
        return None
    if abs(ratio) < 0.0005:
        return "0.0%"
    return f"{ratio * 100:+.1f}%" if abs(ratio) < 10 else f"×{ratio + 1:,.0f}"


def short_versions(versions: Sequence[str]) -> list[str]:
    """Return rate cards by name and version, without the hash that tells two of one version apart."""
    return list(dict.fromkeys(version.split(" sha256:")[0] for version in versions))


def points(share: float | None, before: float | None) -> str | None:
    """Return the change of a share in percentage points, `+3.1 pts`; None where there is nothing to compare with."""
    if share is None or before is None:
        return None
    return f"{(share - before) * 100:+.1f} pts"


def days(value: float | None) -> str:
    """Return a number of days in the unit that reads best: `5 minutes`, `7 hours`, `3.5 days`."""
    if value is None:
        return UNKNOWN
    if value >= 2:
        return f"{value:.1f} days"
    if value * 24 >= 2:
        return f"{value * 24:.0f} hours"
    return f"{value * 1440:.0f} minutes" if value * 1440 >= 1.5 else "a minute"


def count(value: int | None) -> str:
    """Return a whole number with thousands separated; unknown as a dash."""
    return UNKNOWN if value is None else f"{value:,}"


def counted(value: int, one: str, many: str = "") -> str:
    """Return the number with its noun: `1 run`, `2,140 runs`."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def unfinished(batches_behind: int) -> str:
    """Return what figures are worth while the books do not hold all that arrived: above 0 batches are missing."""
    return f"Books are {counted(batches_behind, 'batch', 'batches')} behind: figures are unfinished"


def tokens(value: int | None) -> str:
    """Return a token count, shortened from ten thousand on: `9,326`, `12k`, `1.2M`."""
    if value is None:
        return UNKNOWN
    if value >= 1_000_000:
        return f"{value / 1_000_000:.1f}M"
    return f"{value / 1_000:.0f}k" if value >= 10_000 else f"{value:,}"


def duration(milliseconds: float | None) -> str:
    """Return a duration in the unit that reads best: `850 ms`, `2.3 s`, `4 min 05 s`, `2 h 10 min`."""
    if milliseconds is None:
        return UNKNOWN
    seconds = milliseconds / 1000
    if seconds < 1:
        return f"{milliseconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def moment(at: datetime | None) -> str:
    """Return a time in UTC to the minute: `24 Nov 2026 08:41 UTC`."""
    return UNKNOWN if at is None else f"{at.astimezone(UTC):%-d %b %Y %H:%M} UTC"


def day(at: datetime) -> str:
    """Return a date in UTC: `24 Nov 2026`."""
    return f"{at.astimezone(UTC):%-d %b %Y}"


def window(since: datetime, until: datetime) -> str:
    """Return the days of [since, until) in UTC: `26 Oct to 24 Nov 2026`."""
    last = until - timedelta(microseconds=1)
    if since.date() == last.date():
        return day(since)
    first = f"{since:%-d %b}" if since.year == last.year else day(since)
    return f"{first} to {day(last)}"


def days_of(period: Period) -> str:
    """Return the days of a period; an open one is all time."""
    if period.since is None or period.until is None:
        return "all time"
    return window(period.since, period.until)


def versus(period: Period) -> str:
    """Return what a figure is compared with, short enough for a tile: `vs 22 Sep to 21 Oct`."""
    return f"vs {days_of(period)}".rsplit(" ", 1)[0] if period.until is not None else "vs all time"


def with_share(value: Decimal | None, share: float | None) -> str:
    """Return money with its share: `$6.64 (20%)`."""
    return usd(value) if share is None else f"{usd(value)} ({percent(share)})"


def interval(low: float | Decimal | None, high: float | Decimal | None) -> str:
    """Return a 95% interval in words; an absent bound is said, not invented."""
    if low is None and high is None:
        return "no interval"
    if high is None or low is None:
        return f"95% interval from {usd(low)}, no upper bound"
    return f"95% interval {between(low, high)}"


def between(low: float | Decimal, high: float | Decimal) -> str:
    """Return a range of money with the decimals of its upper end, unless the lower end needs more."""
    return f"{usd(low, like=high if low * 10 > high else None)} to {usd(high)}"


def markdown(text: str) -> str:
    """Return the text so that Markdown shows it as it is: money is no formula, a name no markup."""
    return re.sub(r"([\\`*_{}\[\]<>#|$~:])", r"\\\1", text)


def code(text: str) -> str:
    """Return the text as Markdown code on one line; what would end the code is left out."""
    return f"`{' '.join(text.replace('`', '').split())}`"


def title(word: str) -> str:
    """Return an identifier as a title: `input_cache_read` becomes `Input cache read`."""
    return word.replace("_", " ").capitalize()


def category(word: str | None) -> str:
    """Return the title of a cost category."""
    return UNKNOWN if word is None else CATEGORY.get(word, title(word))


def listed(parts: Sequence[str]) -> str:
    """Return the parts as a list in a sentence: `a, b and c`."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def _places(amount: Decimal) -> int:
    if amount >= 1000:
        return 0
    if amount >= Decimal("0.995"):
        return 2
    if amount == 0:
        return 2
    # Two significant digits, never fewer than four places: cost per success is often a fraction of a cent.
    return min(max(4, -amount.adjusted() + 1), 12)
