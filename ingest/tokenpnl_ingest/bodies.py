"""Reading a request body over HTTP within its limits of size and time."""

import asyncio

from aiohttp import web

from tokenpnl.errors import OverloadedError, RefusedInputError, TooLargeError
from tokenpnl_ingest import limits


class BodyReader:
    """Reads bodies; all that are being read at one time share one allowance of memory."""

    def __init__(self) -> None:
        self._reading_bytes = 0

    async def read(self, request: web.BaseRequest) -> bytes:
        """Return the body as sent.

        Raises:
            TooLargeError: it is larger than the limit.
            OverloadedError: too many bodies are being read.
            TimeoutError: it did not arrive in time.
            RefusedInputError: the client went away in the middle.
        """
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(limits.BODY_SECONDS):
                async for chunk in request.content.iter_any():
                    size += len(chunk)
                    self._reading_bytes += len(chunk)
                    self._check(size)
                    chunks.append(chunk)
        except TimeoutError:
            raise TimeoutError(f"the body did not arrive within {limits.BODY_SECONDS:.0f} s") from None
        except (ConnectionError, asyncio.IncompleteReadError, web.RequestPayloadError) as error:
            raise RefusedInputError(f"the body ended early: {error}") from None
        finally:
            self._reading_bytes -= size
        return b"".join(chunks)

    def _check(self, size: int) -> None:
        if size > limits.HTTP_BODY_BYTES:
            raise TooLargeError(_too_large("more arrived"))
        if self._reading_bytes > limits.PENDING_BYTES:
            raise OverloadedError("too many bodies are being received; send again later")


def refuse_announced(request: web.BaseRequest) -> None:
    """Return when the body's announced length is within the limit.

    Raises:
        TooLargeError: it is not; nothing was read.
    """
    if (request.content_length or 0) > limits.HTTP_BODY_BYTES:
        raise TooLargeError(_too_large(f"{request.content_length} bytes are announced"))


def _too_large(came: str) -> str:
    return f"expected at most {limits.HTTP_BODY_BYTES} bytes, {came}; send smaller batches"
