"""A page that fails shows a short text and an id; the traceback is in the log."""

import logging

import pytest
from streamlit.testing.v1 import AppTest


def known() -> None:
    from tokenpnl.errors import StoreError
    from tokenpnl_dashboard.parts.failure import on_script_error

    assert on_script_error(StoreError("the collector does not answer; start it with `tokenpnl serve`"))


def unknown() -> None:
    from tokenpnl_dashboard.parts.failure import on_script_error

    assert on_script_error(KeyError("secret customer name"))


def test_a_known_error_says_what_to_do() -> None:
    text = AppTest.from_function(known).run().error[0].value
    assert "start it with `tokenpnl serve`" in text


def test_an_unexpected_error_gives_away_nothing_but_an_id_that_the_log_has(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        text = AppTest.from_function(unknown).run().error[0].value
    assert "secret" not in text
    error_id = text.split("Error ")[1][:8]
    assert any(error_id in record.getMessage() and record.exc_info for record in caplog.records)
