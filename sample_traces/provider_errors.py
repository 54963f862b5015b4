"""What the providers' clients raise, by fate."""

from typing import Final

from market import Fate


class ProviderError(Exception):
    """An attempt failed."""

    status_code: int | None = None


class RateLimitError(ProviderError):
    """Too many requests."""

    status_code = 429


class InternalServerError(ProviderError):
    """The provider broke."""

    status_code = 500


class APITimeoutError(ProviderError):
    """The client waited long enough."""


FAILURES: Final[dict[Fate, type[ProviderError]]] = {
    Fate.THROTTLED: RateLimitError,
    Fate.SERVER_ERROR: InternalServerError,
    Fate.TIMED_OUT: APITimeoutError,
}
