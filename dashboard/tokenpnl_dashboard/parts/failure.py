"""What a reader sees when a page fails: a short text and an id; the traceback goes to the log."""

import logging
import uuid

import streamlit as st

from tokenpnl.errors import TokenpnlError

_log = logging.getLogger(__name__)


def on_script_error(error: Exception) -> bool:
    """Show the failure without its traceback and log it under the id that is shown; for `st.App`.

    Returns:
        True, so that Streamlit adds nothing.
    """
    error_id = uuid.uuid4().hex[:8]
    _log.error("page failed, error %s", error_id, exc_info=error)
    reason = str(error) if isinstance(error, TokenpnlError) else "Something went wrong while this page was drawn."
    st.error(
        f"{reason}\n\nError {error_id}. The log of `tokenpnl serve` has the details; reload the page to try again.",
        title="This page could not be shown",
    )
    return True
