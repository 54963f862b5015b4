"""What-if results in plain words: the same sentences on the command line and on the page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from tokenpnl_analytics.whatif.baseline import Baseline
from tokenpnl_analytics.whatif.compose import Comparison
from tokenpnl_analytics.whatif.costs import cost_usd
from tokenpnl_analytics.whatif.result import Estimate, Evidence, Result
from tokenpnl_dashboard.words import UNKNOWN, duration, percent, usd

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
        lines.append(("To be sure", f"an experiment with {result.n_wanted:,} runs in each arm"))
    lines += [("Note", sentence) for sentence in result.caveats]
    return Block(result.name, headline(result, days), tuple(lines))


def headline(result: Result, days: float) -> str:
    """Return what a result saves or loses, in one sentence."""
    if result.saving_usd is None or result.saving.value is None:
        return f"No figure: {result.saving.refused_because or 'refused'}."
    month = DAYS_OF_A_MONTH / days
    value = result.saving.value * month
    verb = "saves" if value > 0 else "costs" if value < 0 else "saves nothing:"
    share = float(result.saving_usd / result.before_usd) if result.before_usd else None
    of_all = f", {percent(abs(share))} of this traffic's cost" if share else ""
    interval = _interval(result.saving, month if value >= 0 else -month)
    told = f"{verb} {usd(abs(value))} in {DAYS_OF_A_MONTH} days{interval}{of_all}"
    return f"{told}; {result.n_calls:,} calls change"


def _interval(estimate: Estimate, factor: float) -> str:
    """Return the ends in words; a negative factor turns a saving into the loss that the words before it speak of."""
    if estimate.low is None and estimate.high is None:
        return " (no interval)"
    ends = [None if end is None else end * factor for end in (estimate.low, estimate.high)]
    low, high = ends if factor > 0 else reversed(ends)
    if low == high:
        return ""
    return f" (95%: {usd(low)} to {usd(high)})"


def _success(result: Result) -> str:
    success, word = result.success, EVIDENCE[result.success_evidence]
    if success.value is None and success.low is None:
        return word
    if success.value == success.low == success.high == 0:
        return f"unchanged ({result.success_evidence.value})"
    value = UNKNOWN if success.value is None else f"{success.value * 100:+.1f} points"
    ends = [UNKNOWN if end is None else f"{end * 100:+.1f}" for end in (success.low, success.high)]
    return f"{value} ({ends[0]} to {ends[1]}); {word}"


def _per_success(result: Result) -> str:
    before, after = result.cost_per_success_before, result.cost_per_success_after
    if before.value is None:
        return f"not known: {before.refused_because}"
    now = f"{usd(before.value)} now{_ends(before)}"
    if after.value is None:
        least = "" if after.low is None else f"at least {usd(after.low)} after, "
        return f"{now}; {least}{after.refused_because}"
    return f"{now}, {usd(after.value)} after{_ends(after)}, {before.n:,} settled runs"


def _ends(estimate: Estimate) -> str:
    if estimate.low is None:
        return ""
    high = "no upper limit" if estimate.high is None else usd(estimate.high)
    return f" ({usd(estimate.low)} to {high})"


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
        f"usage have a price; runs of one {baseline.cluster_level} count as one when it comes to chance."
    )


def step_words(waterfall: pl.DataFrame) -> Iterator[str]:
    """Yield the steps of a composition, one line each."""
    if waterfall.height:
        yield "Together, step by step (each given the steps before it):"
        for row in waterfall.iter_rows(named=True):
            yield f"  {row['step']:<9}{row['scenario']}: {usd(row['saving_usd'])}, {usd(row['after_usd'])} left"
        yield ""


def tornado_words(tornado: pl.DataFrame) -> Iterator[str]:
    """Yield what each assumption moves, the widest first."""
    if tornado.height:
        yield "What the assumptions move (saving in the window, others as stated):"
        for row in tornado.iter_rows(named=True):
            ends = f"{usd(row['low_usd'])} to {usd(row['high_usd'])}"
            yield f"  {row['assumption']} ({row['scenario']}): {ends}, {usd(row['stated_usd'])} as stated"
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
                f"  {name}: room for {curve['capacity'][-1]:,} {of} finds {percent(1 - least)} of them again, room for "
                f"{enough['capacity']:,} {percent(1 - enough['miss_ratio'])}."
            )
        if by_ttl is not None and by_ttl.height:
            shares = ", ".join(
                f"{duration(1000 * row['ttl_s'])} {percent(row['hit_share'])}" for row in by_ttl.iter_rows(named=True)
            )
            told.append(f"  {name}: of {of} found again by lifetime, without a limit of size: {shares}.")
    if told:
        yield "What other sizes and lifetimes of the caches would hold (exact, from an empty cache):"
        yield from told
        yield ""


def week_words(weeks: Mapping[str, pl.DataFrame]) -> Iterator[str]:
    """Yield what each scenario would have saved week by week."""
    shown = {name: frame for name, frame in weeks.items() if frame["saving_usd"].count()}
    if shown:
        yield "Week by week, oldest first (saving of n calls changed):"
        for name, frame in shown.items():
            told = [f"{usd(row['saving_usd'])} of {row['n_changed']:,}" for row in frame.iter_rows(named=True)]
            yield f"  {name}: {', '.join(told)}"
        yield ""


def winner_words(compared: Comparison) -> Iterator[str]:
    """Yield what the best scenario is worth where it was not chosen, and what holds for all at once."""
    if compared.winner is not None:
        name, winner = compared.winner
        held = winner.held_out
        if (winner.chosen_on.value or 0) <= 0:
            yield "None of them saves on the half of the clusters that chose: keep what there is."
        else:
            yield (
                f"Best on one half of the clusters: {name}; on the other half, which had no say, its saving is "
                f"{usd(held.value)}{_interval(held, 1.0)} in the window."
            )
    if compared.simultaneous:
        yield "Intervals that hold for all scenarios at once (saving in the window):"
        for result, estimate in zip(compared.results, compared.simultaneous, strict=True):
            yield f"  {result.name}: {usd(estimate.value)}{_interval(estimate, 1.0)}"
