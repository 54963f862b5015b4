from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry.propagate import extract

import tokenpnl
from tokenpnl.context import Owner, owner_of, with_owner
from tokenpnl.testing import Recording


def test_the_carrier_takes_a_run_to_another_process_and_back(
    recorded: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENPNL_BAGGAGE", "all")
    with tokenpnl.workflow("a", run_id="r-1", customer="ac,me=1", feature="ünbox") as run:
        headers = tokenpnl.carrier()
    assert set(headers) == {"traceparent", "baggage"}
    with tokenpnl.carried({name.upper(): value for name, value in headers.items()}), tokenpnl.step("far"):
        assert owner_of() == Owner("r-1", "a", "ac,me=1", "ünbox")
    far = recorded.span("step far")
    assert far.context.trace_id == run.span.get_span_context().trace_id
    assert far.attributes["tokenpnl.customer.id"] == "ac,me=1"
    assert owner_of() is None


def test_an_outcome_in_the_other_process_names_the_carried_run(recorded: Recording) -> None:
    with tokenpnl.workflow("a", run_id="r-1"):
        headers = tokenpnl.carrier()
    with tokenpnl.carried(headers):
        tokenpnl.outcome("success")
    assert recorded.logs[0].log_record.attributes["tokenpnl.run.id"] == "r-1"


def test_outside_of_a_run_the_carrier_is_empty(recorded: Recording) -> None:
    assert tokenpnl.carrier() == {}


def test_headers_that_make_no_sense_carry_nothing(recorded: Recording) -> None:
    with tokenpnl.carried({"traceparent": "nonsense", "baggage": "%%%;;=,"}):
        assert owner_of() is None


def test_baggage_of_any_length_is_cut(recorded: Recording) -> None:
    with tokenpnl.carried({"baggage": f"tokenpnl.run.id={'x' * 1000}"}):
        owner = owner_of()
    assert owner is not None
    assert len(owner.run_id) == 256


def test_an_owner_that_names_no_customer_takes_the_old_one_out(recorded: Recording) -> None:
    with tokenpnl.workflow("a", customer="acme") as run:
        assert owner_of(with_owner(Owner("r-2"), run.context)) == Owner("r-2")


def test_work_bound_to_its_run_stays_in_it_in_a_thread(recorded: Recording) -> None:
    def work() -> None:
        with tokenpnl.step("inside"):
            pass

    with ThreadPoolExecutor(1) as pool, tokenpnl.workflow("a", run_id="r-1"):
        pool.submit(tokenpnl.in_context(work)).result()
    assert recorded.span("step inside").attributes["tokenpnl.run.id"] == "r-1"


def test_a_thread_is_left_as_it_was_after_bound_work(recorded: Recording) -> None:
    with ThreadPoolExecutor(1) as pool:
        with tokenpnl.workflow("a"):
            pool.submit(tokenpnl.in_context(lambda: None)).result()
        assert pool.submit(tokenpnl.current_run).result() is None


@pytest.mark.parametrize(
    ("told", "carried"),
    [("all", Owner("r-1", "a", "acme", "inbox")), ("", Owner("r-1")), ("none", None)],
)
def test_what_leaves_in_baggage_can_be_limited(
    recorded: Recording, monkeypatch: pytest.MonkeyPatch, told: str, carried: Owner | None
) -> None:
    monkeypatch.setenv("TOKENPNL_BAGGAGE", told)
    with tokenpnl.workflow("a", run_id="r-1", customer="acme", feature="inbox"), tokenpnl.step("near"):
        headers = tokenpnl.carrier()
    with tokenpnl.carried(headers):
        assert owner_of() == carried
    assert recorded.span("step near").attributes["tokenpnl.customer.id"] == "acme"


def test_a_run_carried_into_a_run_is_the_one_that_counts(recorded: Recording) -> None:
    with tokenpnl.workflow("a", run_id="r-1"):
        headers = tokenpnl.carrier()
    with tokenpnl.workflow("b", run_id="r-2"):
        assert owner_of(extract(headers)) == Owner("r-1")


def test_a_carried_run_hides_the_one_it_is_carried_into(recorded: Recording) -> None:
    with tokenpnl.workflow("a", run_id="r-1"):
        headers = tokenpnl.carrier()
    with tokenpnl.workflow("b", run_id="r-2"):
        with tokenpnl.carried(headers):
            assert tokenpnl.current_run() is None
            tokenpnl.outcome("success")
        assert tokenpnl.current_run() is not None
    assert recorded.logs[0].log_record.attributes["tokenpnl.run.id"] == "r-1"
