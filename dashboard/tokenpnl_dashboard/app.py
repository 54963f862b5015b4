"""The frame of every page: navigation, the edition of the data, and the watch that redraws when data arrive."""

from pathlib import Path

import streamlit as st

from tokenpnl_dashboard import state
from tokenpnl_dashboard.parts import filters

ASSETS = Path(__file__).parent / "assets"

st.set_page_config(page_title="tokenpnl", page_icon=str(ASSETS / "icon.png"), layout="wide")
st.logo(str(ASSETS / "logo.svg"), size="large")
st.html(ASSETS / "pages.css")

page = st.navigation(
    {
        "P&L": [
            st.Page("views/overview.py", title="Overview", default=True),
            st.Page("views/pnl.py", title="P&L statement", url_path="pnl"),
            st.Page("views/units.py", title="Unit economics", url_path="units"),
            st.Page("views/allocation.py", title="Allocation", url_path="allocation"),
        ],
        "Investigate": [
            st.Page("views/capacity.py", title="Capacity", url_path="capacity"),
            st.Page("views/waste.py", title="Waste", url_path="waste"),
            st.Page("views/runs.py", title="Runs", url_path="runs"),
            st.Page("views/run.py", title="Run", url_path="run", visibility="hidden"),
        ],
        "Act": [
            st.Page("views/whatif.py", title="What-if lab", url_path="whatif"),
            st.Page("views/verdict.py", title="Verdict", url_path="verdict"),
            st.Page("views/budgets.py", title="Budgets", url_path="budgets"),
        ],
        "Trust": [
            st.Page("views/close.py", title="Close", url_path="close"),
        ],
    },
    position="top",
)
state.begin()
state.watch()
filters.follow_link(page.url_path)
if page.url_path in filters.OF_PAGE:
    # Drawn here and not by the page: widgets of the frame keep their place in the address from page to page.
    st.session_state["choice"] = filters.choose(*filters.OF_PAGE[page.url_path])
page.run()
