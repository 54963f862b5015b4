"""What-if results in plain words: the same sentences on the command line and on the page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from tokenpnl_analytics.whatif.baseline import Baseline
from tokenpnl_analytics.whatif.compose import Comparison
from tokenpnl_analytics.whatif.costs import cost_usd
from tokenpnl_analytics.whatif.result import Estimate, Evidence, Result
from tokenpnl_dashboard.words import UNKNOWN, counted, percent, usd

EVIDENCE: dict[Evidence, str] = {
    Evidence.RECOMPUTED: "recomputed: arithmetic on recorded facts, nothing else changes",
    Evidence.ASSUMED: "assumed: arithmetic that holds if the assumption does",
    Evidence.ESTIMATED: "estimated: statistics on calls that were really handled both ways",
    Evidence.BOUNDED: "bounded: the data allow limits only",
    Evidence.NOT_IDENTIFIABLE: "not identifiable: nobody has tried it, so no data can tell",
    Evidence.VERIFIED: "verified: seen in an experiment",
}
"""The word of each kind of evidence with its meaning."""

DAYS_OF_A_MONTH = 30
_LIFETIMES = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


@dataclass(frozen=True)
class Block:
    """A result to be read: a headline, then named sentences.

    Attributes:
        title: what was tried.
        headline: what it saves.
        lines: name and sentence, in the order of reading.
    """

    title: str
    headline: str
    lines: tuple[tuple[str, str], ...]


def block(result: Result, days: float) -> Block:
    """Return one result in words.

    Args:
        result: of a scenario, or of all together.
        days: length of the window that it was replayed on.
    """
    lines: list[tuple[str, str]] = [("Evidence", EVIDENCE[result.evidence])]
    lines += [("Assumes", sentence) for sentence in result.assumptions]
    lines += [("Wrong if", sentence) for sentence in result.falsified_by]
    lines.append(("Success", _success(result)))
    lines.append(("Per success", _per_success(result)))
    lines += [("Log next", sentence) for sentence in result.to_log]
    if result.n_wanted is not None and result.success_evidence is not Evidence.RECOMPUTED:
        wanted = f"{result.n_wanted:,}"
        lines.append(("To be sure", f"an experiment: {wanted} runs with the change, and {wanted} at random without it"))
    lines += [("Note", sentence) for sentence in result.caveats]
    return Block(result.name, headline(result, days), tuple(lines))


def headline(result: Result, days: float) -> str:
    """Return what a result saves or loses, in one sentence."""
    if result.saving_usd is None or result.saving.value is None:
        return f"No figure: {result.saving.refused_because or 'refused'}."
    month = DAYS_OF_A_MONTH / days
    value = result.saving.value * month
    if value == 0:
        return f"saves nothing; {counted(result.n_calls, 'call')} {_change(result.n_calls)}"
    verb, more = ("saves", "") if value > 0 else ("costs", " more")
    share = float(result.saving_usd / result.before_usd) if result.before_usd else None
    of_all = f", {percent(abs(share))} of this traffic's cost" if share else ""
    interval = _interval(result.saving, month if value >= 0 else -month)
    told = f"{verb} {usd(abs(value))}{more} in {DAYS_OF_A_MONTH} days{interval}{of_all}"
    return f"{told}; {counted(result.n_calls, 'call')} {_change(result.n_calls)}"


def signed_usd(value: float | Decimal | None) -> str:
    """Return an amount for the middle of a sentence, where parentheses stand already: a loss has a minus, `−$0.42`."""
    return usd(value) if value is None or value >= 0 else f"−{usd(-value)}"


def _change(n_calls: int) -> str:
    return "changes" if n_calls == 1 else "change"


def _interval(estimate: Estimate, factor: float) -> str:
    """Return the ends in words; a negative factor turns a saving into the loss that the words before it speak of."""
    if estimate.low is None and estimate.high is None:
        return " (no interval)"
    ends = [None if end is None else end * factor for end in (estimate.low, estimate.high)]
    low, high = ends if factor > 0 else reversed(ends)
    if low == high:
        return ""
    return f" (95%: {signed_usd(low)} to {signed_usd(high)})"


def _success(result: Result) -> str:
    success, word = result.success, EVIDENCE[result.success_evidence]
    if success.value is None and success.low is None:
        return word
    if success.value == success.low == success.high == 0:
        return f"unchanged ({result.success_evidence.value})"
    low, high = (UNKNOWN if end is None else _points(end) for end in (success.low, success.high))
    if success.value is None:
        return f"somewhere from {low} to {high} points; {word}"
    return f"{_points(success.value)} points (95%: {low} to {high}); {word}"


def _points(share: float) -> str:
    """Return a change of a share in percentage points with its sign; no change has none."""
    points = round(share * 100, 1)
    return "0" if points == 0 else f"{points:+.1f}".replace("-", "−")


def _per_success(result: Result) -> str:
    before, after = result.cost_per_success_before, result.cost_per_success_after
    if before.value is None:
        return f"not known: {before.refused_because}"
    now = f"{usd(before.value)} now{_ends(before)}"
    if after.value is None:
        least = "" if after.low is None else f"at least {usd(after.low)} after: "
        return f"{now}; {least}{after.refused_because}"
    return f"{now}, {usd(after.value)} after{_ends(after)}, {before.n:,} settled runs"


def _ends(estimate: Estimate) -> str:
    if estimate.low is None:
        return ""
    high = "no upper limit" if estimate.high is None else usd(estimate.high)
    return f" (95%: {usd(estimate.low)} to {high})"


def sentences_of(blocks: Sequence[Block]) -> list[str]:
    """Return blocks as lines of text."""
    lines = []
    for one in blocks:
        lines += [f"{one.title}: {one.headline}", *(f"  {name:<12}{text}" for name, text in one.lines), ""]
    return lines


def baseline_words(baseline: Baseline) -> str:
    """Return what everything below was replayed on, in one sentence."""
    calls, runs = f"{baseline.attempts.height:,}", f"{baseline.runs.height:,}"
    return (
        f"Baseline: {calls} model calls from {baseline.since:%Y-%m-%d} to {baseline.until:%Y-%m-%d} (not included), "
        f"{runs} production runs, {usd(cost_usd(baseline.attempts))}; {percent(baseline.priced_share)} of calls with "
        f"usage have a price. A range after 95% is what chance leaves open{_together_by(baseline.cluster_level)}."
    )


def _together_by(level: str) -> str:
    return "" if level == "run" else f"; runs of one {level} count as one there, because they are alike"


def step_words(waterfall: pl.DataFrame) -> Iterator[str]:
    """Yield the steps of a composition, one line each."""
    if waterfall.height:
        yield "Together, step by step (each given the steps before it):"
        for row in waterfall.iter_rows(named=True):
            saving = row["saving_usd"]
            told = f"costs {usd(-saving)} more" if saving < 0 else f"saves {usd(saving)}"
            yield f"  {row['step']:<9}{row['scenario']}: {told}, {usd(row['after_usd'])} left"
        yield ""


def tornado_words(tornado: pl.DataFrame) -> Iterator[str]:
    """Yield what each assumption moves, the widest first."""
    if tornado.height:
        yield "What the saving in the window is at both ends of an assumption, the others as stated:"
        for row in tornado.iter_rows(named=True):
            stated = f"{signed_usd(row['stated_usd'])} as stated"
            ends = f"{signed_usd(row['low_usd'])} to {signed_usd(row['high_usd'])}, {stated}"
            told = f"{stated}, and at both ends" if row["low_usd"] == row["high_usd"] else ends
            yield f"  {row['scenario']}, {row['assumption']}: {told}"
        yield ""


def curve_words(measured: Mapping[str, Mapping[str, pl.DataFrame]]) -> Iterator[str]:
    """Yield one sentence for each cache curve that a family measured: what other sizes and lifetimes would hold."""
    told = []
    for name, frames in measured.items():
        of = "input tokens" if "cached_share" in frames else "answers"
        curve, by_ttl = frames.get("curve"), frames.get("ttl_curve")
        if curve is not None and curve.height:
            least = curve["miss_ratio"][-1]
            # The first size that holds nine tenths of what the largest does.
            enough = curve.filter(1 - pl.col("miss_ratio") >= 0.9 * (1 - least)).row(0, named=True)
            told.append(
                f"  {name}: with room for {enough['capacity']:,} {of}, {percent(1 - enough['miss_ratio'])} of all that "
                f"is asked is found again; with room for {curve['capacity'][-1]:,}, {percent(1 - least)}."
            )
        if by_ttl is not None and by_ttl.height:
            shares = ", ".join(
                f"{percent(row['hit_share'])} within {_lifetime(row['ttl_s'])}" for row in by_ttl.iter_rows(named=True)
            )
            told.append(f"  {name}: with room for all {of}, found again by lifetime: {shares}.")
    if told:
        yield "What other sizes and lifetimes of the caches would hold (exact, from an empty cache):"
        yield from told
        yield ""


def _lifetime(seconds: float) -> str:
    """Return a lifetime in the largest unit that divides it: `5 minutes`, `7 days`."""
    size, unit = next((one for one in _LIFETIMES if seconds >= one[0] and seconds % one[0] == 0), (1, "second"))
    return f"{seconds / size:g} {unit}" + ("" if seconds == size else "s")


def week_words(weeks: Mapping[str, pl.DataFrame]) -> Iterator[str]:
    """Yield what each scenario would have saved week by week."""
    shown = {name: frame for name, frame in weeks.items() if frame["saving_usd"].count()}
    if shown:
        yield "Week by week, oldest first (the saving of each week alone, and the calls that change):"
        for name, frame in shown.items():
            yield f"  {name}: {'; '.join(week_told(row) for row in frame.iter_rows(named=True))}"
        yield ""


def week_told(week: Mapping[str, Any]) -> str:
    """Return the saving of one week with the calls that change; a dash where none does.

    Args:
        week: a row of the weeks of a change: `saving_usd`, `n_changed`.
    """
    if not week["n_changed"]:
        return UNKNOWN
    return f"{signed_usd(week['saving_usd'])}, {counted(week['n_changed'], 'call')}"


def winner_told(compared: Comparison, level: str) -> str | None:
    """Return what the best of several changes is worth where it was not chosen; None: there was no choice.

    Args:
        compared: the changes, each alone.
        level: what is drawn as one: customer, session or run.
    """
    if compared.winner is None:
        return None
    name, winner = compared.winner
    tried = "Several changes were tried, so the best one may only look best."
    if (winner.chosen_on.value or 0) <= 0:
        return f"{tried} On the half of the {level}s that chose, none of them saves: keep what there is."
    held = winner.held_out
    return (
        f"{tried} Chosen on one half of the {level}s: {name}. On the other half, which had no say, its saving is "
        f"{signed_usd(held.value)}{_interval(held, 1.0)} in the window."
    )


def at_once_words(compared: Comparison) -> Iterator[str]:
    """Yield the interval of each change that holds for all of them at once."""
    if compared.simultaneous:
        yield "Saving in the window, with ranges so wide that all of them hold at once:"
        for result, estimate in zip(compared.results, compared.simultaneous, strict=True):
            yield f"  {result.name}: {signed_usd(estimate.value)}{_interval(estimate, 1.0)}"
