"""Which records describe one and the same model call: by nesting, by response id, by overlap, by signal."""

import polars as pl

from tokenpnl_analytics.resolving.bill import MODEL_OPERATIONS, Bearers
from tokenpnl_analytics.resolving.forest import Forest
from tokenpnl_analytics.resolving.pairs import groups, one_to_one

START_SLACK_NS = 2_000_000
END_SLACK_NS = 50_000_000
# Two records of one call start, and a log record is written, within this time of each other.
BUCKET_NS = 2_000_000_000
SILENT_BUCKET_NS = 500_000_000
_NO_PAIRS = pl.DataFrame(schema={"left": pl.Int64, "right": pl.Int64})

_COMPARED = (
    *("row", "_class", "_start", "_end", "_request", "_response", "_input", "_output"),
    *("response_id", "call_id", "session_id", "resource_hash", "output_tokens", "reasoning_tokens"),
    *("cache_read_tokens", "cache_write_tokens"),
)


def model_key(column: str) -> pl.Expr:
    """Return the model's name in lower case without vendor prefix; emitters disagree on both."""
    return pl.col(column).str.to_lowercase().str.replace(r"^.*/", "").str.replace(r"^([a-z]{2,}\.)+", "")


def members(trees: Forest, roles: Bearers, session: pl.Series) -> pl.DataFrame:
    """Return the records that describe a model call, with the call that each describes.

    Args:
        trees: the spans.
        roles: who speaks of which model call within each trace.
        session: the session that each span belongs to.

    Returns:
        One row per member: all span columns, `wraps` (it is the upper of a nested pair), `unit` (the smallest row of
        those that describe the same call) and `rule` (leaf, id, overlap, signal: how the record is known to repeat
        another one; NULL when it does not).
    """
    frame = trees.spans.with_columns(session_id=session).filter(pl.Series(roles.members))
    frame = frame.with_columns(
        wraps=pl.col("row").is_in(roles.wrapped["upper"].implode()),
        _start=pl.col("started_at").dt.epoch("ns"),
        _end=pl.col("ended_at").dt.epoch("ns"),
        _request=model_key("request_model"),
        _response=model_key("response_model"),
        _failed=pl.col("status_code") == "error",
        _input=pl.col("input_tokens").fill_null(-1),
        _output=pl.col("output_tokens").fill_null(-1),
    )
    lowest = frame.filter(~pl.col("wraps") & ~pl.col("cache_hit").fill_null(value=False))
    found = {
        "leaf": roles.wrapped.select(
            left=pl.min_horizontal("lower", "upper"), right=pl.max_horizontal("lower", "upper")
        ),
        "id": _same_answer(frame),
        "signal": _repeated_in_logs(lowest),
        "overlap": _overlapping(lowest.filter(pl.col("signal") == "span")),
    }
    certain = groups(trees.size, pl.concat([found["leaf"], found["id"]]))
    likely = groups(trees.size, pl.concat(found.values()))
    frame = frame.with_columns(
        _certain=pl.Series(certain[frame["row"].to_numpy()]), unit=pl.Series(likely[frame["row"].to_numpy()])
    )
    rules = pl.concat(
        pl.concat([pairs["left"], pairs["right"]]).unique().to_frame("row").with_columns(rule=pl.lit(rule))
        for rule, pairs in found.items()
    ).unique("row", keep="first", maintain_order=True)
    frame = _apart(frame).join(rules, on="row", how="left", maintain_order="left")
    return frame.select(*trees.spans.columns, "wraps", "unit", "rule")


def _apart(frame: pl.DataFrame) -> pl.DataFrame:
    """Split a group that holds two calls of one library; only nesting and ids may join these."""
    crowded = frame.filter(pl.len().over("unit") > 1)
    place = pl.col("_certain").rank("dense").over("unit", "scope_name", "signal", "name")
    crowded = crowded.with_columns(_place=place).with_columns(_place=pl.col("_place").max().over("unit", "_certain"))
    crowded = crowded.select("row", _unit=pl.col("row").min().over("unit", "_place"))
    return frame.join(crowded, on="row", how="left", maintain_order="left").with_columns(
        unit=pl.coalesce("_unit", "unit")
    )


def _same_answer(frame: pl.DataFrame) -> pl.DataFrame:
    """Pair the records of one response id; a library that reports two usages under one id reports two calls."""
    group = ["tenant", "response_id"]
    known = frame.filter(pl.col("response_id").fill_null("") != "")
    known = known.filter(pl.len().over(group) > 1)
    usage = pl.struct("_input", "_output")
    contradicts = (usage.n_unique().over([*group, "scope_name", "signal", "name"]) > 1) & ~pl.col("wraps")
    known = known.with_columns(_split=contradicts.any().over(group)).with_columns(
        _a=pl.when("_split").then("_input"), _b=pl.when("_split").then("_output")
    )
    first = pl.col("row").min().over([*group, "_a", "_b"])
    return known.select(left=first, right="row").filter(pl.col("left") != pl.col("right"))


def _overlapping(spans: pl.DataFrame) -> pl.DataFrame:
    """Pair spans of different scopes that cover the same time with the same usage, one of them without an id.

    Where a record lacks the usage, time alone has to decide, so the other one must come from the same process or
    trace and start very soon after it.
    """
    spans = spans.filter(pl.col("operation").is_in(MODEL_OPERATIONS) & pl.col("_end").is_not_null())
    spans = spans.with_columns(
        _class=pl.col("scope_name").fill_null(""), _known=(pl.col("_input") >= 0) | (pl.col("_output") >= 0)
    )
    told, silent = spans.filter("_known"), spans.filter(~pl.col("_known"))
    near = [
        _neighbours(told, ["tenant", "operation", "_input", "_output", "_failed"], "_start", BUCKET_NS),
        _neighbours(silent, ["tenant", "operation", "_failed", "resource_hash"], "_start", SILENT_BUCKET_NS),
        _neighbours(spans, ["tenant", "operation", "_failed", "trace"], "_start", SILENT_BUCKET_NS).filter(
            (pl.max_horizontal("_input", "_output") < 0) != (pl.max_horizontal("_input_right", "_output_right") < 0)
        ),
    ]
    alike = _same_time() & _same_model() & _no_contradiction()
    return one_to_one(pl.concat(_candidates(pairs.filter(alike)) for pairs in near))


def _repeated_in_logs(records: pl.DataFrame) -> pl.DataFrame:
    """Pair a log record with the span, or other log record, of the same emitter that reports the same usage."""
    if not (records["signal"] == "log").any():
        return _NO_PAIRS
    records = records.filter((pl.col("_input") > 0) | (pl.col("_output") > 0)).with_columns(
        _class=pl.when(pl.col("signal") == "log").then("name").otherwise(pl.lit("")),
        _end=pl.coalesce("_end", "_start"),
    )
    near = _neighbours(records, ["tenant", "dialect", "_input"], "_end", BUCKET_NS)
    one_session = (pl.col("session_id") == pl.col("session_id_right")).fill_null(value=True)
    # An emitter may leave the reasoning out of the output of one signal and tell it in the other.
    answer, answer_right = (
        pl.col(f"output_tokens{side}") - pl.col(f"reasoning_tokens{side}").fill_null(0) for side in ("", "_right")
    )
    same_output = (
        (pl.col("_output") == pl.col("_output_right"))
        | (pl.col("_output") == answer_right)
        | (answer == pl.col("_output_right"))
    ).fill_null(value=True)
    close = (pl.col("_end") - pl.col("_end_right")).abs() <= BUCKET_NS
    no_two_ids = (pl.col("response_id") == pl.col("response_id_right")).fill_null(value=True)
    return one_to_one(_candidates(near.filter(one_session & same_output & close & no_two_ids & _same_model())))


def _neighbours(records: pl.DataFrame, key: list[str], moment: str, bucket_ns: int) -> pl.DataFrame:
    """Return the pairs of records of different classes that agree in the key and lie in neighbouring buckets."""
    crowd = records.filter(pl.col("_class").n_unique().over(key) > 1).select(list(dict.fromkeys([*_COMPARED, *key])))
    crowd = crowd.with_columns(_bucket=pl.col(moment) // bucket_ns, **{f"_key_{name}": pl.col(name) for name in key})
    crowd = crowd.with_columns(_rank=pl.struct("_start", "row").rank("ordinal").over([*key, "_bucket", "_class"]))
    around = pl.concat(crowd.with_columns(pl.col("_bucket") + shift) for shift in (-1, 0, 1))
    pairs = crowd.join(around, on=[*(f"_key_{name}" for name in key), "_bucket"], suffix="_right")
    return pairs.filter((pl.col("row") < pl.col("row_right")) & (pl.col("_class") != pl.col("_class_right")))


def _same_time() -> pl.Expr:
    start, end, start_right, end_right = (pl.col(name) for name in ("_start", "_end", "_start_right", "_end_right"))
    inside = (start - START_SLACK_NS <= start_right) & (end_right <= end + END_SLACK_NS)
    around = (start_right - START_SLACK_NS <= start) & (end <= end_right + END_SLACK_NS)
    return inside | around


def _same_model() -> pl.Expr:
    model, model_right = pl.coalesce("_response", "_request"), pl.coalesce("_response_right", "_request_right")
    alike = model.str.starts_with(model_right) | model_right.str.starts_with(model)
    return (alike | (pl.col("_request") == pl.col("_request_right"))).fill_null(value=True)


def _no_contradiction() -> pl.Expr:
    same = [
        (pl.col(name) == pl.col(f"{name}_right")).fill_null(value=True)
        for name in ("response_id", "cache_read_tokens", "cache_write_tokens", "call_id")
    ]
    both_known = pl.col("response_id").is_not_null() & pl.col("response_id_right").is_not_null()
    return pl.all_horizontal(*same, ~both_known)


def _candidates(pairs: pl.DataFrame) -> pl.DataFrame:
    apart = (pl.col("_start") - pl.col("_start_right")).abs() + (pl.col("_end") - pl.col("_end_right")).abs()
    stranger = (pl.col("resource_hash") != pl.col("resource_hash_right")).cast(pl.Int64)
    rank = (pl.col("_rank").cast(pl.Int64) - pl.col("_rank_right").cast(pl.Int64)).abs()
    return pairs.select(
        left="row",
        right="row_right",
        left_class="_class",
        right_class="_class_right",
        distance=stranger * 10**12 + apart + rank,
    ).unique(["left", "right"], keep="any")
