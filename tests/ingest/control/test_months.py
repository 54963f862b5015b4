from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tokenpnl.errors import RefusedInputError
from tokenpnl_ingest.control import CloseState, ControlStore, FxRate, MonthSpan

OCTOBER = MonthSpan("2026-10", datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
SEPTEMBER = MonthSpan("2026-09", datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC))
HASH = "ab" * 32


def close(control: ControlStore, span: MonthSpan = OCTOBER, **more: list[FxRate]) -> None:
    control.soft_close(span, preparer="ann", detail={"accrued_usd": "12.5"})
    control.close(span, people=("ann", "bob"), snapshot_sha256=HASH, detail={"rows": 3}, **more)


def test_a_month_goes_from_open_to_soft_to_closed(control: ControlStore) -> None:
    assert control.state_of("2026-10") is CloseState.OPEN
    close(control)
    assert control.state_of("2026-10") is CloseState.CLOSED
    [closed] = control.closes()
    assert (closed.span, closed.preparer, closed.approver) == (OCTOBER, "ann", "bob")
    assert (closed.snapshot_sha256, closed.detail) == (HASH, {"rows": 3})
    assert [step.state for step in control.close_steps("2026-10")] == [CloseState.SOFT, CloseState.CLOSED]


@pytest.mark.parametrize(
    "approver", ["ann lee", "Ann LEE", " ann lee ", "ann\u00a0 lee", "ａｎｎ lee", "ann\u200b lee"]
)
def test_preparer_and_approver_are_two_persons(control: ControlStore, approver: str) -> None:
    control.soft_close(OCTOBER, preparer="ann lee", detail={})
    with pytest.raises(RefusedInputError, match="must be two persons"):
        control.close(OCTOBER, people=("ann lee", approver), snapshot_sha256=HASH, detail={})
    assert control.state_of("2026-10") is CloseState.SOFT


def test_who_approves_has_a_name(control: ControlStore) -> None:
    control.soft_close(OCTOBER, preparer="ann", detail={})
    with pytest.raises(RefusedInputError, match="must be named"):
        control.close(OCTOBER, people=("ann", " \u200b "), snapshot_sha256=HASH, detail={})


def test_a_month_is_not_closed_without_a_soft_close(control: ControlStore) -> None:
    with pytest.raises(RefusedInputError, match="2026-10 is open; a month is soft closed before"):
        control.close(OCTOBER, people=("ann", "bob"), snapshot_sha256=HASH, detail={})


def test_a_closed_month_is_not_closed_twice(control: ControlStore) -> None:
    close(control)
    with pytest.raises(RefusedInputError, match="2026-10 is closed; reopen it first"):
        control.soft_close(OCTOBER, preparer="ann", detail={})


def test_closed_months_are_frozen_until_they_are_reopened(control: ControlStore) -> None:
    close(control)
    close(control, SEPTEMBER)
    spans = [(span.since, span.until) for span in (SEPTEMBER, OCTOBER)]
    assert control.frozen_spans() == spans
    control.reopen("2026-10", actor="cfo", reason="wrong invoice")
    assert control.frozen_spans() == spans[:1]
    assert control.state_of("2026-10") is CloseState.REOPENED
    lifted = {freeze.since.month: freeze.lifted_at for freeze in control.freezes()}
    assert lifted[9] is None
    assert lifted[10] == control.close_steps("2026-10")[-1].at


def test_reopening_needs_a_reason_and_a_closed_month(control: ControlStore) -> None:
    with pytest.raises(RefusedInputError, match="2026-10 is open; there is nothing to reopen"):
        control.reopen("2026-10", actor="cfo", reason="why not")
    close(control)
    with pytest.raises(RefusedInputError, match="for a reason only"):
        control.reopen("2026-10", actor="cfo", reason=" ")
    control.reopen("2026-10", actor="cfo", reason="wrong invoice")
    with pytest.raises(RefusedInputError, match="nothing to reopen"):
        control.reopen("2026-10", actor="cfo", reason="again")


def test_the_close_freezes_rates_to_the_last_digit(control: ControlStore) -> None:
    rate = FxRate("EUR", Decimal("1.083141592653589793238462643"), "fx.yaml")
    assert control.fx_rates("2026-10") == []
    close(control, fx=[rate])
    assert control.fx_rates("2026-10") == [rate]
    control.reopen("2026-10", actor="cfo", reason="wrong rate")
    assert control.fx_rates("2026-10") == []


def test_sign_offs_do_not_outlive_a_reopening(control: ControlStore) -> None:
    control.sign_off("2026-10", "unpriced", "one model is free of charge", actor="ann")
    [signed] = control.sign_offs("2026-10")
    assert (signed.subject, signed.reason, signed.signed_by) == ("unpriced", "one model is free of charge", "ann")
    close(control)
    control.reopen("2026-10", actor="cfo", reason="wrong invoice")
    assert control.sign_offs("2026-10") == []


def test_a_sign_off_needs_a_reason(control: ControlStore) -> None:
    with pytest.raises(RefusedInputError, match="signed with a reason only"):
        control.sign_off("2026-10", "unpriced", "", actor="ann")


def test_every_step_stands_in_the_audit_chain(control: ControlStore) -> None:
    close(control, fx=[FxRate("EUR", Decimal("1.08"), "fx.yaml")])
    control.reopen("2026-10", actor="cfo", reason="wrong invoice")
    told = [(row.actor, row.action) for row in control.audit_trail()]
    assert told == [("ann", "soft_close"), ("ann", "close"), ("ann", "freeze_fx"), ("cfo", "reopen")]
    assert HASH in control.audit_trail()[1].detail
    assert control.verify() == []
