"""Public trace formats, from bytes to references: libCacheSim CSV, Mooncake JSONL, and a plain CSV of keys."""

import io
import json
from dataclasses import dataclass, field

import polars as pl

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.whatif.caching.references import block_references

BLOCK_TOKENS = 512
_WANTED = (
    "expected libCacheSim CSV (version,time,op,size,lbn), Mooncake JSON lines (timestamp,input_length,hash_ids) "
    "or a CSV with the columns key and, if known, size and time (seconds)"
)


@dataclass(frozen=True)
class Trace:
    """What a trace file says.

    Attributes:
        form: libcachesim, mooncake or keys.
        unit: of sizes and amounts: bytes, tokens, or objects where the file has no sizes.
        references: `key, size, amount, time_us`, in the order of the file.
        requests: prompts in blocks, where the trace has them; see `references`.
    """

    form: str
    unit: str
    references: pl.DataFrame = field(repr=False)
    requests: pl.DataFrame | None = field(default=None, repr=False)


def read_trace(data: bytes, *, name: str) -> Trace:
    """Return the trace in a file's bytes; the form is told by its first line.

    Args:
        data: the file, not compressed.
        name: of the file, for messages.

    Raises:
        RefusedInputError: no known form, a value that is none (with its line), or a trace without keys.
    """
    first = data.split(b"\n", 1)[0].strip().decode("utf-8", "replace")
    if not first:
        raise RefusedInputError(f"{name}: {_WANTED}; the file is empty")
    if first.startswith("{"):
        return _mooncake(data, name)
    columns = [column.strip() for column in first.split(",")]
    if {"ContextTokens", "GeneratedTokens"} <= set(columns):
        raise RefusedInputError(
            f"{name}: an Azure LLM trace has lengths ({', '.join(columns)}) but no keys, so nothing tells which prompt "
            "came again; a cache needs hash_ids of blocks or a key for each request"
        )
    if {"time", "size", "lbn"} <= set(columns):
        return Trace("libcachesim", "bytes", _table(data, name, {"key": "lbn", "size": "size", "time": "time"}))
    if "key" in columns:
        there: dict[str, str] = {column: column for column in ("key", "size", "time") if column in columns}
        return Trace("keys", "units" if "size" in columns else "objects", _table(data, name, there))
    raise RefusedInputError(f"{name}: {_WANTED}; the first line is {first[:80]!r}")


def _table(data: bytes, name: str, columns: dict[str, str]) -> pl.DataFrame:
    """Return the references of a CSV; `columns` maps key, size and time to the names that they have in the file."""
    try:
        read = pl.read_csv(io.BytesIO(data), columns=list(columns.values()), infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise RefusedInputError(f"{name}: cannot be read as CSV: {str(error).splitlines()[0]}; {_WANTED}") from error
    table = read.rename({there: ours for ours, there in columns.items()})
    size = (
        _number(table, "size", name, low=0)
        if "size" in columns
        else pl.Series("size", [1.0]).new_from_index(0, len(table))
    )
    time = _number(table, "time", name, low=None) if "time" in columns else size * 0.0
    _whole(table["key"].is_null() | (table["key"] == ""), name, "a key")
    _whole(time < time.shift(), name, "a time that is not before the one above it")
    return table.select(
        "key",
        size.cast(pl.Int64).alias("size"),
        size.cast(pl.Int64).alias("amount"),
        (time * 1_000_000).round().cast(pl.Int64).alias("time_us"),
    )


def _number(table: pl.DataFrame, column: str, name: str, *, low: float | None) -> pl.Series:
    found = table[column].cast(pl.Float64, strict=False)
    bad = found.is_null() | found.is_nan() | found.is_infinite()
    _whole(bad if low is None else bad | (found < low), name, f"a number as {column}", table[column])
    return found


def _whole(bad: pl.Series, name: str, wanted: str, values: pl.Series | None = None) -> None:
    if (row := bad.fill_null(value=False).arg_true()).len():
        came = "" if values is None else f", {values[int(row[0])]!r} came"
        raise RefusedInputError(f"{name}, line {int(row[0]) + 2}: {wanted} was expected{came}")


def _mooncake(data: bytes, name: str) -> Trace:
    """Return the prompts of a Mooncake trace; blocks of 512 tokens, chained, so that equal ids mean equal prefixes."""
    rows = [_prompt(line, f"{name}, line {place}") for place, line in enumerate(data.splitlines(), 1) if line.strip()]
    requests = pl.DataFrame(
        rows,
        schema={
            "time_us": pl.Int64(),
            "input_tokens": pl.Int64(),
            "output_tokens": pl.Int64(),
            "blocks": pl.List(pl.Int64()),
        },
        orient="row",
    ).with_columns(pl.lit(BLOCK_TOKENS, pl.Int64).alias("block_tokens"))
    _whole(requests["time_us"] < requests["time_us"].shift(), name, "a timestamp that is not before the one above it")
    references = block_references(requests)
    return Trace("mooncake", "tokens", references.select("key", "size", "amount", "time_us"), requests)


def _prompt(line: bytes, where: str) -> tuple[int, int, int, list[int]]:
    try:
        said = json.loads(line)
        time_us, n_in, n_out = round(said["timestamp"] * 1000), said["input_length"], said.get("output_length", 0)
        blocks = said["hash_ids"]
    except (ValueError, KeyError, TypeError) as error:
        wanted = "a JSON object with timestamp (ms), input_length and hash_ids was expected"
        raise RefusedInputError(f"{where}: {wanted}; {type(error).__name__}: {error}") from error
    whole = isinstance(blocks, list) and all(type(one) is int for one in (n_in, n_out, *blocks))
    if not whole or not (len(blocks) - 1) * BLOCK_TOKENS < max(n_in, 1) <= max(len(blocks), 1) * BLOCK_TOKENS:
        raise RefusedInputError(
            f"{where}: hash_ids must be whole numbers, one for each {BLOCK_TOKENS} tokens of input_length ({n_in}); "
            f"{len(blocks) if isinstance(blocks, list) else type(blocks).__name__} came"
        )
    return time_us, n_in, n_out, blocks
