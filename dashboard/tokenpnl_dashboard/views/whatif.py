"""What-if lab: what would a change save, how sure is that, and what must be logged to be surer?"""

import getpass

import streamlit as st

from tokenpnl.errors import TokenpnlError
from tokenpnl.tables import LINE_ITEMS
from tokenpnl_analytics.rules.scenarios import SCENARIOS, Family, ScenarioFile
from tokenpnl_dashboard import words
from tokenpnl_dashboard.parts import cards, whatif_results
from tokenpnl_dashboard.questions import scenario_files
from tokenpnl_dashboard.questions.whatif import Report, run_file
from tokenpnl_dashboard.rules.configuration import Configuration
from tokenpnl_dashboard.shapes import scenario_builder
from tokenpnl_dashboard.shapes.scenario_builder import FIELDS, TITLES, Asked, Value
from tokenpnl_dashboard.state import ask, book, edition, home
from tokenpnl_ingest.home import Home

Stamp = tuple[tuple[str, int, int], ...]
TEXT, RUN = "whatif_text", "whatif_run"
NEW = "(a new one)"


@st.cache_resource(max_entries=8, show_spinner="Replaying the traffic…")
def _report(version: int, text: str, stamp: Stamp) -> Report:  # noqa: ARG001 version and stamp are part of the key
    place = home()
    assert place is not None
    return run_file(book(), place, _parsed(text))


def _parsed(text: str) -> ScenarioFile:
    return SCENARIOS.parse(text, name="the scenario")


def _draw(place: Home) -> None:
    cards.chip("replayed on recorded traffic; nothing here changes any")
    _choose(place)
    text = st.session_state.get(RUN)
    if text is None:
        st.caption("Pick or write a scenario and press Run: each change is replayed alone, then all together.")
        return
    try:
        with st.skeleton(height=480):
            report = _report(edition().data_version, text, Configuration.of(place).stamp())
    except TokenpnlError as error:
        st.warning(words.markdown(str(error)), icon=":material/rule:")
        return
    whatif_results.draw(report)


def _choose(place: Home) -> None:
    known = scenario_files.offered(place)
    with st.container(border=True, key="card_scenario"):
        cards.heading("Scenario")
        name = st.selectbox(
            "Start from",
            [*known, NEW],
            key="scenario",
            bind="query-params",
            help="Files in `scenarios` of the configuration folder, and scenarios that somebody saved.",
        )
        if st.session_state.get("whatif_shown") != name:
            st.session_state["whatif_shown"] = name
            st.session_state[TEXT] = known.get(str(name), scenario_builder.BLANK)
        with st.expander("Add a change", icon=":material/add:"):
            _builder()
        with st.expander("The file", icon=":material/edit_note:", expanded=name == NEW):
            st.text_area(
                "Scenario file (YAML)",
                key=TEXT,
                height=320,
                help="Every field is described by `tokenpnl config schema scenario`.",
            )
        _buttons(place)


def _buttons(place: Home) -> None:
    text = st.session_state[TEXT]
    with st.container(horizontal=True):
        st.button("Run", type="primary", icon=":material/play_arrow:", on_click=_run)
        if st.button("Save", icon=":material/bookmark:", help="For everybody who reads this home."):
            _save(place, text)
        st.download_button("Download", text, "scenario.yaml", "application/yaml", icon=":material/download:")


def _run() -> None:
    st.session_state[RUN] = st.session_state[TEXT]


def _save(place: Home, text: str) -> None:
    try:
        name = _parsed(text).name
        scenario_files.save(place, name, text, actor=getpass.getuser())
    except TokenpnlError as error:
        st.warning(words.markdown(str(error)), icon=":material/rule:")
    else:
        st.success(f"Saved as {words.markdown(name)}.", icon=":material/check:")


def _builder() -> None:
    family = st.selectbox("Kind of change", list(FIELDS), format_func=lambda one: TITLES[one], key="whatif_family")
    with st.form("whatif_change", border=False):
        left, right = st.columns(2, gap="medium")
        with left:
            where = {name: _names(name) for name in ("workflow", "step", "model")}
        with right:
            values = {asked.path: _value(family, asked) for asked in FIELDS[family]}
        st.form_submit_button(
            "Add to the file", icon=":material/add:", on_click=_add, args=(family, list(where), list(values))
        )


def _names(name: str) -> list[str]:
    column = ask("distinct", name=LINE_ITEMS.name, column=name)[name]
    return st.multiselect(name.capitalize(), column.to_list(), placeholder="All", key=f"whatif_where_{name}")


def _value(family: Family, asked: Asked) -> Value:
    key = f"whatif_{family.value}_{asked.path}"
    if asked.choices:
        return st.selectbox(asked.label, asked.choices, index=asked.choices.index(str(asked.default)), key=key)
    if isinstance(asked.default, str) or asked.default is None:
        return st.text_input(asked.label, asked.default or "", key=key)
    return st.number_input(asked.label, value=asked.default, min_value=type(asked.default)(0), key=key)


def _add(family: Family, limits: list[str], paths: list[str]) -> None:
    """Write the form into the file; a callback, because a drawn text area takes no new text."""
    state = st.session_state
    where = {name: state[f"whatif_where_{name}"] for name in limits}
    values = {path: state[f"whatif_{family.value}_{path}"] for path in paths}
    state[TEXT] = scenario_builder.with_change(state[TEXT], scenario_builder.change(family, values, where))


st.title("What would a change save, and how sure are we?", anchor=False)
served = home()
if edition().newest_at is None:
    cards.nothing_yet()
elif served is None:
    cards.nothing_here("No home", "Scenarios need the prices and rules of a home; start with `tokenpnl serve`.")
else:
    _draw(served)
