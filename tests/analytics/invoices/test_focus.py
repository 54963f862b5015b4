"""FOCUS files."""

from datetime import date
from decimal import Decimal

import pytest

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.closing.invoices import focus
from tokenpnl_analytics.closing.invoices.form import Invoice
from tokenpnl_analytics.closing.invoices.tables import tabular

USUAL = {
    "BilledCost": "1.25", "BillingCurrency": "usd", "ChargeCategory": "Usage",
    "ChargePeriodStart": "2026-10-07T00:00:00Z", "ProviderName": "OpenAI", "SubAccountId": "proj_a",
    "ConsumedQuantity": "500", "ConsumedUnit": "1K Tokens", "SkuMeter": "Input Tokens", "ResourceName": "gpt-5.4",
    "ServiceCategory": "AI and Machine Learning",
}  # fmt: skip


def read(*rows: dict[str, str]) -> Invoice:
    whole = [USUAL | row for row in rows]
    columns = list(dict.fromkeys(name for row in whole for name in row))
    text = "\n".join([",".join(columns), *(",".join(row.get(name, "") for name in columns) for row in whole)])
    return focus.read(tabular(text.encode(), name="focus.csv"), name="focus.csv")


def line(**told: str) -> dict[str, object]:
    (row,) = read(told).lines.to_dicts()
    return row


def test_a_charge_is_model_kind_and_tokens() -> None:
    row = line()
    assert (row["provider"], row["account"], row["model"]) == ("openai", "proj_a", "gpt-5.4")
    assert (row["usage_kind"], row["quantity"], row["cost"]) == ("input_uncached", 500_000, Decimal("1.25"))
    assert row["currency"] == "USD"


def test_the_seller_of_later_versions_is_read() -> None:
    assert line(ProviderName="", ServiceProviderName="Amazon Web Services")["provider"] == "aws"
    assert line(ProviderName="Nobody Known")["provider"] == "nobody known"


def test_our_own_kind_and_model_win_over_words() -> None:
    row = line(x_UsageKind="input_cache_read", x_Model="gpt-5.4-mini")
    assert (row["usage_kind"], row["model"]) == ("input_cache_read", "gpt-5.4-mini")


def test_a_purchase_of_a_commitment_is_one() -> None:
    assert line(ChargeCategory="Purchase", CommitmentDiscountId="ptu-1")["commitment"] is True
    assert line(ChargeCategory="Purchase")["commitment"] is False


def test_usage_of_other_services_is_left_out_and_their_tax_kept() -> None:
    found = read({"ServiceCategory": "Compute"}, {"ServiceCategory": "Compute", "ChargeCategory": "Tax"})
    assert found.lines["charge_category"].to_list() == ["Tax"]
    assert "1 usage rows of services other than AI were left out" in found.notes


def test_a_meter_of_no_tokens_is_another_service() -> None:
    assert line(SkuMeter="Vector storage", ConsumedUnit="GB-Hours")["usage_kind"] == "other"
    assert line(SkuMeter="")["usage_kind"] is None


def test_every_gap_is_listed_by_row() -> None:
    with pytest.raises(RefusedInputError, match=r"row 3: no ChargeCategory.*row 4: no ChargePeriodStart"):
        read({}, {"ChargeCategory": "Fee"}, {"ChargePeriodStart": ""})


def test_usage_of_a_month_in_one_row_is_spread_over_its_days_and_a_tax_is_not() -> None:
    month = {"ChargePeriodStart": "2026-10-01T00:00:00Z", "ChargePeriodEnd": "2026-11-01T00:00:00Z"}
    assert read(month | {"ChargeCategory": "Tax"}).lines["spread"].to_list() == [False]
    found = read(month | {"BilledCost": "31.0"})
    assert found.lines.select("cost", "spread").unique().rows() == [(Decimal(1), True)]
    assert found.lines["day"].to_list() == [date(2026, 10, day) for day in range(1, 32)]


def test_a_formula_is_refused() -> None:
    with pytest.raises(RefusedInputError, match="a formula is not evaluated"):
        read({"BilledCost": "=1+1"})


def test_a_file_without_seller_is_refused() -> None:
    text = "BilledCost,BillingCurrency,ChargeCategory,ChargePeriodStart\n1,USD,Tax,2026-10-01\n"
    with pytest.raises(RefusedInputError, match="no column ServiceProviderName or ProviderName"):
        focus.read(tabular(text.encode(), name="focus.csv"), name="focus.csv")


@pytest.mark.parametrize(
    ("seller", "provider"),
    [
        ("OpenAI, LLC", "openai"),
        ("Open AI", "openai"),
        ("OpenAI OpCo, LLC", "openai"),
        ("Anthropic, PBC", "anthropic"),
        ("Amazon Web Services, Inc.", "aws"),
        ("Google Cloud  Platform", "google"),
        ("Microsoft Corporation", "azure"),
        ("Mistral AI SAS", "mistral"),
    ],
)
def test_a_seller_is_known_by_any_name_of_its_company(seller: str, provider: str) -> None:
    assert line(ProviderName=f'"{seller}"')["provider"] == provider


def test_a_local_time_belongs_to_its_utc_day() -> None:
    told = line(ChargePeriodStart="2026-10-31T23:30:00-05:00", ChargePeriodEnd="2026-11-01T00:30:00-05:00")
    assert f"{told['day']}" == "2026-11-01"


def test_a_number_that_nobody_can_mean_is_refused_and_breaks_nothing() -> None:
    with pytest.raises(RefusedInputError, match="ConsumedQuantity is '9999999999999999999', expected less than"):
        line(ConsumedQuantity="9999999999999999999")
    with pytest.raises(RefusedInputError, match="BilledCost is '-1e22', expected less than"):
        line(BilledCost="-1e22")
