from dataclasses import replace
from decimal import Decimal

import pytest

from tokenpnl.errors import RefusedInputError
from tokenpnl_ingest.control import ControlStore, Reconciled

OPENAI = Reconciled(
    "2026-10", "openai", "org-1", passed=False, billed_usd=Decimal("1234.567890123456"),
    traced_usd=Decimal(1100), unexplained_usd=Decimal("-134.567890123456"), detail={"steps": ["coverage"]},
)  # fmt: skip


def test_a_result_comes_back_with_all_its_digits(control: ControlStore) -> None:
    number = control.record_reconciliation(OPENAI, actor="ann")
    [stored] = control.reconciliations("2026-10")
    assert (stored.id, stored.result, stored.recorded_by) == (number, OPENAI, "ann")
    assert not stored.settled
    assert control.reconciliations("2026-09") == []


def test_a_signed_reason_settles_what_is_unexplained(control: ControlStore) -> None:
    number = control.record_reconciliation(OPENAI, actor="ann")
    control.sign(number, "credit note follows", actor="bob")
    [stored] = control.reconciliations("2026-10")
    assert (stored.settled, stored.signed_by, stored.signed_reason) == (True, "bob", "credit note follows")


def test_new_figures_are_not_covered_by_an_old_signature(control: ControlStore) -> None:
    control.sign(control.record_reconciliation(OPENAI, actor="ann"), "credit note follows", actor="bob")
    control.record_reconciliation(replace(OPENAI, traced_usd=Decimal(900)), actor="ann")
    [stored] = control.reconciliations("2026-10")
    assert stored.result.traced_usd == Decimal(900)
    assert not stored.settled


def test_accounts_stand_side_by_side(control: ControlStore) -> None:
    control.record_reconciliation(replace(OPENAI, account="org-2", passed=True), actor="ann")
    control.record_reconciliation(OPENAI, actor="ann")
    told = [(stored.result.account, stored.settled) for stored in control.reconciliations("2026-10")]
    assert told == [("org-1", False), ("org-2", True)]


def test_a_signature_needs_a_reason_and_something_to_sign(control: ControlStore) -> None:
    with pytest.raises(RefusedInputError, match="no reconciliation 7"):
        control.sign(7, "because", actor="bob")
    number = control.record_reconciliation(OPENAI, actor="ann")
    with pytest.raises(RefusedInputError, match="with a reason only"):
        control.sign(number, "", actor="bob")


def test_the_months_that_were_reconciled_are_known(control: ControlStore) -> None:
    for month in ("2026-11", "2026-10", "2026-11"):
        control.record_reconciliation(replace(OPENAI, month=month), actor="ann")
    assert control.reconciled_months() == ["2026-10", "2026-11"]
