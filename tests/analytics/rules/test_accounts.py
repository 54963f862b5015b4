"""accounts.yaml: what may stand in it, and the map that we offer to begin with."""

import pytest

from tokenpnl.errors import ConfigurationError
from tokenpnl_analytics.rules.accounts import ACCOUNTS, TEMPLATE


def test_an_empty_file_maps_nothing() -> None:
    assert ACCOUNTS.parse("").accounts == ()


def test_the_template_holds_and_has_its_version() -> None:
    found = ACCOUNTS.parse(TEMPLATE)
    assert found.version == "1"
    assert [rule.account for rule in found.accounts] == ["6100", "6110", "6200", "5110", "5120", "5100"]
    assert [rule.account for rule in found.payables] == ["2310", "2150"]


def test_a_rule_without_account_names_its_line() -> None:
    with pytest.raises(ConfigurationError, match=r"accounts.yaml:2: accounts.0.account: Field required"):
        ACCOUNTS.parse("accounts:\n  - {workflow: a}\n")


def test_an_unknown_dimension_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"accounts.yaml:2: .*wrkflow"):
        ACCOUNTS.parse('accounts:\n  - {wrkflow: a, account: "1"}\n')
