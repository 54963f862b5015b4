"""One export request over HTTP to a collector, sent again as long as it asks to be sent again."""

import time
import urllib.error
import urllib.request

from tokenpnl.errors import RefusedInputError, StoreError
from tokenpnl_ingest.answers import refused_in
from tokenpnl_ingest.files import Request

_RETRYABLE = (429, 502, 503, 504)
_TRIES = 60


def deliver(address: str, request: Request) -> tuple[int, str]:
    """Return how many records were refused, and why.

    Raises:
        RefusedInputError: the collector cannot take the request at all.
        StoreError: the collector did not take it within a minute.
    """
    headers = {"Content-Type": request.content_type}
    post = urllib.request.Request(f"{address}/v1/{request.signal}", request.body, headers)  # noqa: S310  # loopback
    reason = ""
    for _ in range(_TRIES):
        try:
            with urllib.request.urlopen(post, timeout=30) as answer:  # noqa: S310  # the same
                return refused_in(request.signal, answer.read(), request.content_type)
        except urllib.error.HTTPError as error:
            reason = f"{error.code} {error.read().decode(errors='replace')}"
            if error.code not in _RETRYABLE:
                raise RefusedInputError(f"the collector refused the request for good: {reason}") from None
        except OSError as error:
            reason = str(error)
        time.sleep(1)
    raise StoreError(f"the collector at {address} did not take the request: {reason}; is it running?")
