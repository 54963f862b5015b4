"""The exception tree.

::

    TokenpnlError
    ├── ConfigurationError   a file, option or environment variable is wrong
    ├── RefusedInputError    a payload, file or value cannot be taken; nothing of it was stored
    │   └── TooLargeError    it is larger than the limit, as sent or after decompression
    ├── OverloadedError      no room at the moment; the same request may be sent again later
    ├── StoreError           the store cannot be opened, read or written
    │   ├── StoreDeadError   the database has declared itself unusable until it is opened again
    │   ├── StoreHeldError   another process holds it
    │   └── StoreMemoryError the answer needs more memory than the store may use
    ├── DeliveryError        a receiver did not take an alert; it is tried again
    └── RateNotFoundError    the rate card has no price for a usage

A message says what was expected, what came, and what to do.
"""


class TokenpnlError(Exception):
    """Base of every error that tokenpnl raises on purpose."""


class ConfigurationError(TokenpnlError):
    """A file, option or environment variable is wrong."""


class RefusedInputError(TokenpnlError):
    """A payload, file or value cannot be taken; nothing of it was stored."""


class TooLargeError(RefusedInputError):
    """A payload is larger than the limit, as sent or after decompression."""


class OverloadedError(TokenpnlError):
    """There is no room at the moment; the same request may be sent again later."""


class StoreError(TokenpnlError):
    """The store cannot be opened, read or written."""


class StoreHeldError(StoreError):
    """Another process holds the store."""


class StoreDeadError(StoreError):
    """The database has declared itself unusable until it is opened again."""


class StoreMemoryError(StoreError):
    """The answer needs more memory than the store may use; a smaller question may not."""


class DeliveryError(TokenpnlError):
    """A receiver did not take an alert; it is tried again."""


class RateNotFoundError(TokenpnlError):
    """The rate card has no price for a usage."""
