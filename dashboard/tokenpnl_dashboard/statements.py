"""Outcomes on their way into a home: through its collector where one runs, else into the store itself."""

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

from tokenpnl.errors import RefusedInputError, StoreError
from tokenpnl_ingest.home import Home, running_collector

_AT_ONCE = 5_000


def state_outcomes(home: Home, statements: Sequence[dict[str, Any]]) -> None:
    """Store the statements, and book the runs they speak of.

    Args:
        home: where.
        statements: as `POST /v1/outcomes` takes them.

    Raises:
        RefusedInputError: one of them is wrong; those of its part (5,000) were not stored.
        StoreError: the collector does not answer.
    """
    parts = [statements[at : at + _AT_ONCE] for at in range(0, len(statements), _AT_ONCE)]
    bodies = [json.dumps(part).encode() for part in parts]
    running = running_collector(home)
    if running is not None:
        for body in bodies:
            _post(f"{running.http}/v1/outcomes", body)
    elif bodies:
        _store(home, bodies)


def _store(home: Home, bodies: Sequence[bytes]) -> None:
    from pydantic import ValidationError

    from tokenpnl_dashboard.processes.collect import bookkeeping
    from tokenpnl_ingest.collector import Collector
    from tokenpnl_ingest.statements import decoded_statements

    try:
        decoded = [decoded_statements(body) for body in bodies]
    except ValidationError as error:
        raise RefusedInputError(f"the outcome was not recorded: {error}") from None
    with Collector(home) as collector, bookkeeping(collector.store):
        for part in decoded:
            collector.submit_rows(part).result()
        collector.drain()


def _post(url: str, body: bytes) -> None:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310  # loopback
    try:
        urllib.request.urlopen(request, timeout=30).close()  # noqa: S310  # the same
    except urllib.error.HTTPError as error:
        raise RefusedInputError(f"the outcome was not recorded: {_reason(error.read())}") from None
    except OSError as error:
        raise StoreError(f"the collector at {url} does not answer: {error}; is it running?") from error


def _reason(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")
