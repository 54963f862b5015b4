"""Routes of runs: arms combined, propensities multiplied, inputs as numbers."""

from typing import Any

import polars as pl
import pytest
from tests.analytics.conftest import START

from tokenpnl_analytics.whatif.routing.logged_routes import runs_of_routes, with_inputs


def routed(*draws: dict[str, Any]) -> pl.DataFrame:
    usual = {
        "tenant": "t", "run_id": "r1", "started_at": START, "route_arm": "weak", "wanted": "strong",
        "route_propensity": 0.8, "route_candidates": ["weak", "strong"], "route_inputs": None, "stratum": "all",
    }  # fmt: skip
    rows = [usual | {"call_key": f"c{n}", "attempt_id": f"a{n}"} | draw for n, draw in enumerate(draws)]
    return pl.DataFrame(rows, schema_overrides={"route_inputs": pl.String, "route_candidates": pl.List(pl.String)})


def test_arms_of_several_draws_are_combined_and_their_propensities_multiplied() -> None:
    found = runs_of_routes(routed({}, {"route_arm": "strong", "route_propensity": 0.2})).row(0, named=True)
    assert (found["route_arm"], found["wanted"]) == ("weak + strong", "strong + strong")
    assert found["route_propensity"] == pytest.approx(0.16)
    assert found["route_candidates"] == ["weak + weak", "weak + strong", "strong + weak", "strong + strong"]
    assert found["stratum"] == "all (2 draws)"


def test_a_draw_that_holds_for_the_run_counts_once() -> None:
    found = runs_of_routes(routed({}, {}, {"run_id": "r2"}))
    assert found["route_arm"].to_list() == ["weak", "weak"]
    assert found["route_propensity"].to_list() == [0.8, 0.8]


def test_where_one_run_shows_that_each_call_is_drawn_all_runs_count_each_call() -> None:
    found = runs_of_routes(routed({}, {}, {"run_id": "r2"}, {"run_id": "r2", "route_arm": "strong"}))
    assert found["route_arm"].to_list() == ["weak + weak", "weak + strong"]


def test_attempts_of_one_call_share_its_draw() -> None:
    again = {"run_id": "r2", "route_arm": "strong", "call_key": "c9"}
    found = runs_of_routes(routed({}, {"call_key": "c0"}, {"run_id": "r2"}, again))
    assert found["route_arm"].to_list() == ["weak", "weak + strong"]


def test_one_unknown_propensity_makes_the_product_unknown() -> None:
    found = runs_of_routes(routed({}, {"route_arm": "strong", "route_propensity": None}))
    assert found["route_propensity"].to_list() == [None]


def test_numbers_stay_numbers_and_texts_become_one_column_a_value() -> None:
    said = ['{"length": 3, "risk": true, "intent": "a"}', '{"length": 4, "risk": false, "intent": "b"}', None]
    runs, names = with_inputs(pl.DataFrame({"route_inputs": said}))
    assert names == ("input:intent=a", "input:intent=b", "input:length", "input:risk")
    assert runs.select(names).rows() == [(1, 0, 3, 1), (0, 1, 4, 0), (0, 0, None, None)]


def test_what_is_no_object_and_what_never_varies_is_no_input() -> None:
    said = ['{"id": [1], "same": 1}', '{"id": [2], "same": 1}', "no json", "[]"]
    _, names = with_inputs(pl.DataFrame({"route_inputs": said[:2]}))
    assert names == ()
    assert with_inputs(pl.DataFrame({"route_inputs": said[2:]}))[1] == ()
