"""The dashboard's process: hand the pages their book and serve them on loopback."""

import argparse
from pathlib import Path

import streamlit as st

from tokenpnl_dashboard import state
from tokenpnl_dashboard.book import ServedBook
from tokenpnl_dashboard.parts.failure import on_script_error
from tokenpnl_ingest.home import Home

CONFIG = {
    "browser.gatherUsageStats": False,
    "client.toolbarMode": "minimal",
    # The command that started this prints the address, once.
    "logger.hideWelcomeMessage": True,
    "server.enableStaticServing": False,
    "server.fileWatcherType": "none",
    "server.headless": True,
}


def main() -> None:
    """Serve the pages of a home until a signal."""
    parser = argparse.ArgumentParser(prog="python -m tokenpnl_dashboard.processes.show", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="folder of the store")
    parser.add_argument("--host", required=True, help="a loopback address")
    parser.add_argument("--port", type=int, required=True, help="port on loopback")
    asked = parser.parse_args()
    home = Home.at(asked.home)
    state.serve(ServedBook(home), home)
    app = st.App(Path(__file__).parents[1] / "app.py", on_script_error=on_script_error)
    app.run(config={**CONFIG, "server.address": asked.host, "server.port": asked.port})


if __name__ == "__main__":
    main()
