"""Outcomes that the configuration derives: from the run's status, its attributes, and scores of evaluations.

A rule speaks only where nobody else did: a stated outcome always beats it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise, zip_longest

import polars as pl

from tokenpnl.model import OutcomeSource
from tokenpnl.tables import EVALUATIONS, OUTCOMES, SPANS
from tokenpnl_analytics.frames import MONEY, conform, empty, schema_of
from tokenpnl_analytics.rules.outcomes import Definition, OutcomeRule, OutcomesFile, When

NO_DEFINITION = "no success definition"
_RUN = ["tenant", "run_id"]
_SPAN = ["tenant", "trace_id", "span_id"]
_ATTRIBUTES = "attributes_json"


def ruled_outcomes(
    runs: pl.DataFrame,
    spans: pl.DataFrame,
    evaluations: pl.DataFrame,
    rules: OutcomesFile,
    *,
    homes: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return what the rules say of the runs, as rows of `outcomes` with source `rule`; at most one a run, sorted.

    The version of the definition that holds when the run starts decides, the first rule that fits wins.

    Args:
        runs: table `runs`.
        spans: table `spans`; `attributes_json` may be absent where no rule asks for an attribute.
        evaluations: table `evaluations`; a score speaks of a span, of an answer, or of a trace that holds one run.
        rules: the success definitions.
        homes: `tenant, trace_id, span_id, run_id` of the spans of traces that hold several runs.

    Returns:
        Table `outcomes`. `effective_at` is the time of the evaluation, else the end of the run, else its start.

    Raises:
        ValueError: a rule asks for an attribute and `spans` has no `attributes_json`.
    """
    versions = _definitions_of(runs, rules)
    if not any(definition.rules for definition in rules.workflows) or runs.is_empty():
        return empty(OUTCOMES)
    facts = _facts(runs, spans)
    scores = _scores_of_runs(evaluations, runs, spans, homes)
    ruled = [
        _fitting(facts.join(of, on=_RUN, how="semi"), scores, rule, f"{definition.workflow} v{definition.version}")
        for definition, of in versions
        for rule in definition.rules
    ]
    if not ruled:
        return empty(OUTCOMES)
    # Rules of one definition stand in their order, and no run has two definitions.
    first = pl.concat(ruled).unique(_RUN, keep="first", maintain_order=True)
    return conform(first.sort(_RUN), OUTCOMES)


def with_default_values(runs: pl.DataFrame, rules: OutcomesFile) -> pl.DataFrame:
    """Return the runs with the configured value of their outcome where nobody stated or removed one.

    Args:
        runs: table `runs` with outcomes attached, and `value_given`: whether a statement carried or removed a value.
        rules: the success definitions.

    Returns:
        The runs without `value_given`; `value_source` is `stated`, `default` or NULL.
    """
    defaults = [
        of.select(*_RUN).with_columns(pl.lit(status.value).alias("outcome"), pl.lit(value, MONEY).alias("_default"))
        for definition, of in _definitions_of(runs, rules)
        for status, value in definition.values.items()
    ]
    none = pl.DataFrame(schema={"tenant": pl.String, "run_id": pl.String, "outcome": pl.String, "_default": MONEY})
    open_to_default = ~pl.col("value_given").fill_null(value=False)
    joined = runs.join(pl.concat([none, *defaults]), on=[*_RUN, "outcome"], how="left", maintain_order="left")
    filled = pl.when(open_to_default).then(pl.coalesce("value_usd", "_default")).otherwise("value_usd")
    source = pl.when(pl.col("value_usd").is_not_null()).then(pl.lit("stated"))
    defaulted = pl.when(open_to_default & pl.col("_default").is_not_null()).then(pl.lit("default"))
    return joined.with_columns(filled.alias("value_usd"), pl.coalesce(source, defaulted).alias("value_source")).drop(
        "_default", "value_given"
    )


def needs_attributes(rules: OutcomesFile) -> bool:
    """Return whether a rule asks for an attribute that is no column of `spans`."""
    asked = [rule.when.attribute for one in rules.workflows for rule in one.rules]
    return any(name is not None and name not in SPANS.names for name in asked)


def windows_of(rules: OutcomesFile) -> dict[str, timedelta]:
    """Return the stated outcome windows by workflow pattern, in order of precedence; of versions the newest counts."""
    patterns = dict.fromkeys(one.workflow for one in rules.workflows)
    newest = {pattern: rules.versions_of(pattern)[-1] for pattern in patterns}
    return {pattern: one.window for pattern, one in newest.items() if one.window is not None}


def definitions(workflows: Sequence[str | None], rules: OutcomesFile, at: datetime) -> pl.DataFrame:
    """Return which success definition holds for each workflow at a moment, in the order given.

    Returns:
        `workflow, owner, definition, version, since, window_hours`; without one, `definition` says so and the rest
        is NULL.
    """
    found = [(name, rules.definition_of(name, at)) for name in workflows]
    rows = [
        (name, None, NO_DEFINITION, None, None, None)
        if one is None
        else (name, one.owner, one.success, one.version, one.since, _hours(one.window))
        for name, one in found
    ]
    schema = {"workflow": pl.String, "owner": pl.String, "definition": pl.String, "version": pl.String}
    return pl.DataFrame(rows, schema={**schema, "since": pl.Date, "window_hours": pl.Float64}, orient="row")


def definition_changes(rules: OutcomesFile, since: datetime | None, until: datetime | None) -> pl.DataFrame:
    """Return where the meaning of success changed in [since, until): a trend line breaks there.

    Returns:
        `workflow` (the pattern), `changed_on`, `version`, `version_before`, `owner`, `definition`, sorted by day and
        workflow. The first version of a pattern changes nothing.
    """
    rows = []
    for pattern in dict.fromkeys(one.workflow for one in rules.workflows):
        versions = rules.versions_of(pattern)
        for before, after in pairwise(versions):
            at = after.starts_at
            if at is not None and (since is None or at >= since) and (until is None or at < until):
                rows.append((pattern, after.since, after.version, before.version, after.owner, after.success))
    names = ("workflow", "changed_on", "version", "version_before", "owner", "definition")
    schema = dict.fromkeys(names, pl.String()) | {"changed_on": pl.Date()}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("changed_on", "workflow")


def definitions_in(
    workflows: Sequence[str | None],
    rules: OutcomesFile,
    at: datetime,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> pl.DataFrame:
    """Return `definitions` with `changed_on`: the last day in [since, until) on which it changed; NULL: it did not."""
    changes = definition_changes(rules, since, until)
    days = dict(changes.select("workflow", "changed_on").iter_rows())
    patterns = [next((one.workflow for one in rules.versions_of(name)), None) for name in workflows]
    changed = pl.Series("changed_on", [days.get(pattern) for pattern in patterns], pl.Date)
    return definitions(workflows, rules, at).with_columns(changed)


def _hours(window: timedelta | None) -> float | None:
    return None if window is None else window / timedelta(hours=1)


def _definitions_of(runs: pl.DataFrame, rules: OutcomesFile) -> list[tuple[Definition, pl.DataFrame]]:
    """Return each version with the runs that started while it held."""
    if not rules.workflows:
        return []
    parts = []
    for workflow in runs["workflow"].drop_nulls().unique().sort():
        versions = rules.versions_of(workflow)
        of = runs.filter(pl.col("workflow") == workflow).select(*_RUN, "started_at")
        for version, following in zip_longest(versions, versions[1:]):
            started = pl.lit(value=True)
            if version.starts_at is not None:
                started &= pl.col("started_at") >= pl.lit(version.starts_at)
            if following is not None and following.starts_at is not None:
                started &= pl.col("started_at") < pl.lit(following.starts_at)
            parts.append((version, of.filter(started)))
    return parts


def _facts(runs: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """Return the runs' own spans, one row a run, with `run_id` and the run's end as `_ended`."""
    own = runs.select(*_RUN, "trace_id", "span_id", pl.coalesce("ended_at", "started_at").alias("_ended"))
    kept = spans.drop("run_id").sort("ended_at", "content_hash", nulls_last=False)
    return own.join(kept.unique(_SPAN, keep="last", maintain_order=True), on=_SPAN, how="left", maintain_order="left")


def _scores_of_runs(
    evaluations: pl.DataFrame, runs: pl.DataFrame, spans: pl.DataFrame, homes: pl.DataFrame | None
) -> pl.DataFrame:
    """Return the newest score of each name for each run: `tenant, run_id, name, score, label, evaluated_at`."""
    told = conform(evaluations, EVALUATIONS)
    answers = spans.filter(pl.col("response_id").is_not_null()).select("tenant", "response_id", *_SPAN[1:])
    by_answer = told.filter(pl.col("trace_id").is_null()).drop("trace_id", "span_id")
    placed = pl.concat(
        [
            told.filter(pl.col("trace_id").is_not_null()),
            by_answer.join(answers.unique(["tenant", "response_id"], keep="first", maintain_order=True),
                           on=["tenant", "response_id"]).select(told.columns),
        ]
    )  # fmt: skip
    trace = ["tenant", "trace_id"]
    single = runs.filter(pl.len().over(trace) == 1).select(*trace, "run_id")
    several = runs.select(*_SPAN, "run_id") if homes is None else homes.select(*_SPAN, "run_id")
    of_run = placed.join(single, on=trace)
    of_home = placed.join(single, on=trace, how="anti").join(several.unique(_SPAN, keep="first"), on=_SPAN)
    return (
        pl.concat([of_run, of_home.select(of_run.columns)])
        .sort("evaluated_at", "content_hash")
        .unique([*_RUN, "name"], keep="last", maintain_order=True)
        .select(*_RUN, "name", "score", "label", "evaluated_at")
        .sort(*_RUN, "name")
    )


def _fitting(facts: pl.DataFrame, scores: pl.DataFrame, rule: OutcomeRule, named: str) -> pl.DataFrame:
    """Return the outcomes that one rule gives to the runs it fits."""
    when = rule.when
    fitting = facts.filter(_of_span(when, facts))
    score, at = pl.lit(None, pl.Float64), pl.col("_ended")
    if when.evaluation is not None:
        judged = scores.filter((pl.col("name") == when.evaluation) & _of_score(when)).drop("name")
        fitting = fitting.join(judged, on=_RUN, how="inner", maintain_order="left")
        score, at = pl.col("score"), pl.col("evaluated_at")
    key = pl.format("rule {}: {}", pl.lit(named), "run_id")
    said = pl.concat_str(key, pl.lit(rule.outcome.value), at.dt.epoch("ns"), separator=" ")
    return fitting.select(
        "tenant",
        key.alias("outcome_id"),
        "run_id",
        pl.lit(rule.outcome.value).alias("status"),
        pl.lit(value=False).alias("value_given"),
        score.alias("score"),
        pl.lit(OutcomeSource.RULE.value).alias("source"),
        pl.lit(rule.reason, pl.String).alias("reason"),
        at.alias("effective_at"),
        at.alias("recorded_at"),
        said.alias("content_hash"),
        pl.lit(0, pl.Int64).alias("batch_no"),
    )


def _of_span(when: When, facts: pl.DataFrame) -> pl.Expr:
    holds = pl.lit(value=True)
    if when.status is not None:
        holds &= pl.col("status_code").fill_null("unset") == when.status
    if when.attribute is not None:
        told = _attribute(when.attribute, facts)
        holds &= told.is_not_null() if when.equals is None else told.is_in(when.equals)
    return holds.fill_null(value=False)


def _attribute(name: str, facts: pl.DataFrame) -> pl.Expr:
    if name in SPANS.names:
        is_truth = schema_of(SPANS)[name] == pl.Boolean()
        text = pl.col(name).cast(pl.String)
        return text.str.to_lowercase() if is_truth else text
    if _ATTRIBUTES not in facts.columns:
        raise ValueError(f"a rule asks for the attribute {name!r}; read the spans with {_ATTRIBUTES}")
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return pl.col(_ATTRIBUTES).str.json_path_match(f'$["{quoted}"]')


def _of_score(when: When) -> pl.Expr:
    holds = pl.lit(value=True)
    if when.score_at_least is not None:
        holds &= pl.col("score") >= float(when.score_at_least)
    if when.score_below is not None:
        holds &= pl.col("score") < float(when.score_below)
    if when.label is not None:
        holds &= pl.col("label").is_in(when.label)
    return holds.fill_null(value=False)
