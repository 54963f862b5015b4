"""`tokenpnl audit`: what the books say about captures, without a store."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tokenpnl_dashboard.cli import OK, UNTRUSTED
from tokenpnl_dashboard.commands.options import FILES, formats

if TYPE_CHECKING:
    import polars as pl


# In a table: shorter heads, and no column for what did not happen.
_RARE = {
    "failed_calls": "failed",
    "http_errors": "http errors",
    "usage_missing_calls": "no usage",
    "unpriced_calls": "unpriced",
    "duplicates_removed": "duplicates",
    "refused": "refused",
}
_TOTALS = {"input_total": "input tokens", "output_total": "output tokens"}
_MAIN = ("file", "spans", "runs", "calls", "attempts", *_TOTALS, "cost_usd")


@click.command("audit")
@FILES
@formats
def command(files: tuple[Path, ...], form: str) -> int:
    """Say what the books make of telemetry files: one result a file.

    FILES hold OTLP as JSON lines, one JSON document, or protobuf frames, each also gzipped. Totals are what was seen;
    a usage kind that a capture does not hold is null, and the flags say why. The exit code is 3 when records were
    refused.
    """
    from tokenpnl_dashboard.output import print_json, progress

    with progress() as bar:
        results = [_audited(path) for path in bar.track(files, description="auditing")]
    if form == "json":
        print_json(results)
    else:
        _print(results, form)
    return UNTRUSTED if any(result["refused"] for result in results) else OK


def _audited(path: Path) -> dict[str, Any]:
    from tokenpnl_analytics.audit import audit
    from tokenpnl_analytics.books import keep_books
    from tokenpnl_analytics.pricing.ratecard import default_rate_card
    from tokenpnl_analytics.resolving.capture import capture_of
    from tokenpnl_ingest.files import requests_in

    capture = capture_of(requests_in(path))
    books = keep_books(capture.spans, capture.outcomes, default_rate_card())
    return {
        "file": str(path),
        **audit(capture.spans, books),
        "refused": capture.refused,
        "refused_because": capture.refusal_message or None,
    }


def _for_eyes(frame: "pl.DataFrame") -> "pl.DataFrame":
    import polars as pl

    paths = [Path(name).absolute() for name in frame["file"]]
    # What all files share says nothing about one of them and would leave no room for the figures.
    shared = os.path.commonpath([path.parent for path in paths])
    frame = frame.with_columns(pl.Series("file", [str(path.relative_to(shared)) for path in paths]))
    rare = [name for name in _RARE if frame[name].sum()]
    return frame.select(*_MAIN, *rare, "flags").rename({**_RARE, **_TOTALS}, strict=False)


def _print(results: list[dict[str, Any]], form: str) -> None:
    import polars as pl

    from tokenpnl_dashboard.output import print_frame

    wide = ("usage", "flags", "refused_because")
    rows = [
        {name: value for name, value in result.items() if name not in wide}
        | {name: result["usage"][name] for name in ("input_total", "output_total")}
        | {"flags": " ".join(result["flags"])}
        for result in results
    ]
    frame = pl.DataFrame(rows, infer_schema_length=None)
    print_frame(_for_eyes(frame) if form == "table" else frame, form)
    for result in results:
        if result["refused"]:
            click.echo(f"{result['file']}: {result['refused']} refused; {result['refused_because']}", err=True)
