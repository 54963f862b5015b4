"""The verdict in words and in tables that a reader without statistics understands; for page and command line."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from tokenpnl_analytics.verdict.headline import Headline, Verdict
from tokenpnl_analytics.verdict.report import Report
from tokenpnl_analytics.verdict.shares import IDLE, SHARES
from tokenpnl_analytics.verdict.signs import AT_MOST, SIGN
from tokenpnl_dashboard import words

HEADLINE: Mapping[str, str] = {
    Headline.MOSTLY_GLUE: "Mostly glue",
    Headline.MOSTLY_REASONING: "Mostly reasoning",
    Headline.MIXED: "Mixed",
    Headline.NOT_ENOUGH_EVIDENCE: "Not enough evidence",
}
SHARE: Mapping[str, str] = {
    "reasoning": "Reasoning, proven",
    "glue": "Glue",
    "unclassified": "Unclassified",
    "waste": "Waste",
    "other": "Other",
}
DEFINITION: Mapping[str, str] = {
    "reasoning": "Steps where a cheaper model did worse on the same inputs, or a person said so.",
    "glue": "Steps with at least two independent signs that plain code, a cache or a smaller model would do.",
    "unclassified": "Steps for which neither is shown. Never counted as reasoning.",
    "waste": "Timeouts, invalid output, retries, loops, and what failed and abandoned runs cost.",
    "other": "Evaluation, escalation, runs without an outcome, tools, retrieval and idle capacity.",
}
CLASS: Mapping[str, str] = {"reasoning": "Reasoning", "glue": "Glue", "unclassified": "Unclassified"}
CAUSE: Mapping[str, str] = {
    "repeated_call": "The same call again in one run",
    "repeated_answer": "The same input and answer again",
    "context_resent": "Nearly the same prompt sent again (its input)",
    "dearer_model": "A dearer model where a cheaper one did as well",
    "invalid_output": "Invalid output",
    "failed_attempt": "Failed or timed-out attempts",
}
EVIDENCE: Mapping[str, str] = {
    "recomputed": "recomputed from facts",
    "assumed": "assumed",
    "estimated": "estimated",
    "bounded": "bounded",
    "not_identifiable": "unknown",
    "verified": "verified",
}
_MORE = {
    "cheaper_same": "A cheaper model did as well",
    "cheaper_worse": "A cheaper model did worse",
    "label": "A person",
}


def headline(found: Verdict) -> str:
    """Return the headline as one or two sentences."""
    text = f"{HEADLINE[found.headline]}: {found.reason}."
    return text if found.next_thing is None else f"{text}\nNext: {found.next_thing}."


def doubted(report: Report) -> tuple[str, str] | None:
    """Return workflow and step of the most dollars that nobody could classify; None: there are none, or no name."""
    found = report.steps.filter(pl.col("unclassified_usd") > 0).drop_nulls(["workflow", "step"])
    found = found.sort("unclassified_usd", "workflow", "step", descending=[True, False, False])
    return None if found.is_empty() else found.select("workflow", "step").row(0)


def shares(report: Report) -> pl.DataFrame:
    """Return the five shares: `share, usd, counted, corrected, low, high`; the counted ones sum to 100%."""
    found = report.verdict.shares
    return pl.DataFrame(
        {
            "share": list(SHARES),
            "usd": [report.steps[f"{name}_usd"].sum() for name in SHARES],
            "counted": [found[name].counted for name in SHARES],
            "corrected": [found[name].corrected for name in SHARES],
            "low": [found[name].low for name in SHARES],
            "high": [found[name].high for name in SHARES],
        },
        schema_overrides={"usd": pl.Decimal(38, 12), "low": pl.Float64, "high": pl.Float64},
    )


def shares_shown(report: Report) -> pl.DataFrame:
    """Return the five shares for eyes."""
    return pl.DataFrame(
        {
            "Share": [SHARE[row["share"]] for row in shares(report).to_dicts()],
            "Cost": [words.usd(row["usd"]) for row in shares(report).to_dicts()],
            "Of the cost": [words.percent(row["counted"]) for row in shares(report).to_dicts()],
            "95% interval": [_range(row["low"], row["high"]) for row in shares(report).to_dicts()],
            "What it is": [DEFINITION[row["share"]] for row in shares(report).to_dicts()],
        }
    )


def steps(report: Report) -> pl.DataFrame:
    """Return the steps for eyes, dearest first: what each is, its cost, the signs with their numbers, what to log."""
    told = signs_told(report)
    rows = [row for row in report.steps.to_dicts() if row["step"] != IDLE and row["n_known"] is not None]
    return pl.DataFrame(
        {
            "Step": [f"{row['workflow']} / {row['step']}" for row in rows],
            "It is": [CLASS[row["class"]] + (" (contradicted)" if row["contradicted"] else "") for row in rows],
            "Cost": [words.usd(row["total_usd"]) for row in rows],
            "Without result": [words.usd(row["waste_usd"]) for row in rows],
            "Because": [told.get((row["workflow"], row["step"]), "no sign holds") for row in rows],
            "To know more, log": [
                row["to_log"] or "a cheaper model's results (a router's probabilities), or a person's label"
                for row in rows
            ],
        },
        schema=dict.fromkeys(("Step", "It is", "Cost", "Without result", "Because", "To know more, log"), pl.String()),
    )


def signs_told(report: Report) -> dict[tuple[str, str], str]:
    """Return of each step the signs that hold, with number, threshold and n."""
    told: dict[tuple[str, str], list[str]] = {}
    for row in report.evidence.filter(pl.col("holds").fill_null(value=False)).to_dicts():
        told.setdefault((row["workflow"], row["step"]), []).append(_sign(row))
    return {step: "; ".join(parts) for step, parts in told.items()}


def signs(report: Report) -> pl.DataFrame:
    """Return every sign of every step for eyes, also those that do not hold or could not be measured."""
    rows = report.evidence.to_dicts()
    holds = {True: "yes", False: "no", None: "not known"}
    return pl.DataFrame(
        {
            "Step": [f"{row['workflow']} / {row['step']}" for row in rows],
            "Sign": [SIGN[row["sign"]].title if row["sign"] in SIGN else _MORE[row["sign"]] for row in rows],
            "Number": [words.percent(row["value"]) for row in rows],
            "Threshold": [_threshold(row) for row in rows],
            "Answers": [words.count(row["n"]) for row in rows],
            "Holds": [holds[row["holds"]] for row in rows],
        }
    )


_CURES = ("Step", "Cause", "It cost", "Would have saved", "95% interval", "How sure", "Cure")


def cures(found: pl.DataFrame) -> pl.DataFrame:
    """Return the two largest reversible causes of each step for eyes, the dearest step first.

    Args:
        found: result of `cures`.
    """
    rows = found.to_dicts()
    return pl.DataFrame(
        {
            "Step": [f"{row['workflow']} / {row['step']}" for row in rows],
            "Cause": [CAUSE[row["cause"]] for row in rows],
            "It cost": [words.usd(row["gross_usd"]) for row in rows],
            "Would have saved": [_saved(row) for row in rows],
            "95% interval": [_interval(row) for row in rows],
            "How sure": [_sure(row) for row in rows],
            "Cure": [row["cure"] for row in rows],
        },
        schema=dict.fromkeys(_CURES, pl.String()),
    )


def _saved(row: Mapping[str, Any]) -> str:
    if row["saving_usd"] is None:
        return "unknown"
    if row["saving_usd"] < 0:
        return f"nothing: a loss of {words.usd(-row['saving_usd'])}"
    return ("at most " if row["ceiling"] else "") + words.usd(row["saving_usd"])


def _interval(row: Mapping[str, Any]) -> str:
    if row["ceiling"] or row["saving_usd"] is None or row["low_usd"] is None:
        return words.UNKNOWN
    return f"{words.usd(row['low_usd'])} to {words.usd(row['high_usd'])}"


def _sure(row: Mapping[str, Any]) -> str:
    if row["saving_usd"] is None:
        return f"unknown: {row['because']}"
    return f"{EVIDENCE[row['evidence']]}, if {row['because']}"


def _sign(row: dict[str, object]) -> str:
    name = str(row["sign"])
    if name == "label":
        return f"a person read {row['n']} cases: {row['speaks_for']}"
    value = words.percent(row["value"])  # type: ignore[arg-type]  # a share
    if name not in SIGN:
        return f"{_MORE[name].lower()} ({value} points, {row['n']:,} runs)"
    side = "up to" if name in AT_MOST else "from"
    limit = words.percent(row["threshold"])  # type: ignore[arg-type]  # a share
    return f"{SIGN[name].title.lower()}: {value} of {row['n']:,} answers (a sign {side} {limit})"


def _threshold(row: Mapping[str, object]) -> str:
    side = "at most" if row["sign"] in AT_MOST else "at least"
    return f"{side} {words.percent(row['threshold'])}"  # type: ignore[arg-type]  # a share


def _range(low: float | None, high: float | None) -> str:
    return words.UNKNOWN if low is None else f"{words.percent(low)} to {words.percent(high)}"
