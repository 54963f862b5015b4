"""AWS CUR 2.0, Bedrock's lines."""

import io
from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.closing.invoices import aws_cur
from tokenpnl_analytics.closing.invoices.form import Invoice
from tokenpnl_analytics.closing.invoices.tables import tabular

HEAD = (
    "line_item_usage_account_id,line_item_usage_start_date,line_item_line_item_type,line_item_product_code,"
    "line_item_usage_type,line_item_usage_amount,line_item_unblended_cost,line_item_currency_code,pricing_unit,"
    "bill_invoice_id,line_item_line_item_description\n"
)


def line(
    usage: str, amount: str, cost: str, *, kind: str = "Usage", code: str = "AmazonBedrock", unit: str = "1K tokens"
) -> str:
    return f"1234,2026-10-07T05:00:00Z,{kind},{code},{usage},{amount},{cost},USD,{unit},inv-1,words\n"


def read(*lines: str) -> Invoice:
    return aws_cur.read(tabular((HEAD + "".join(lines)).encode(), name="cur.csv"), name="cur.csv")


def test_four_token_lines_are_four_kinds_in_tokens() -> None:
    found = read(
        line("USE1-Claude4.6Sonnet-input-tokens", "120.5", "0.3615"),
        line("USE1-Claude4.6Sonnet-output-tokens", "3", "0.045"),
        line("USE1-Claude4.6Sonnet-cache-read-input-token-count", "1000", "0.3"),
        line("USE1-Claude4.6Sonnet-cache-write-input-token-count", "10", "0.0375"),
    ).lines
    assert found["usage_kind"].to_list() == ["input_uncached", "output", "input_cache_read", "input_cache_write"]
    assert found["quantity"].to_list() == [120_500, 3_000, 1_000_000, 10_000]
    assert found["model"].unique().to_list() == ["Claude4.6Sonnet"]
    assert found["cost"].sum() == Decimal("0.744")
    assert found.row(0, named=True)["day"] == date(2026, 10, 7)


@pytest.mark.parametrize(
    ("usage", "model", "tier"),
    [
        ("USE1-Nova2.0Lite-input-tokens-flex", "Nova2.0Lite", "flex"),
        ("USE1-openai.gpt-oss-120b-mantle-input-tokens-standard", "openai.gpt-oss-120b", None),
        ("EUC1-Claude4Sonnet-input-tokens-cross-region-global", "Claude4Sonnet", None),
        ("APN1-Claude4Sonnet-input-tokens-batch", "Claude4Sonnet", "batch"),
    ],
)
def test_model_and_tier_are_in_the_usage_type(usage: str, model: str, tier: str | None) -> None:
    (row,) = read(line(usage, "1", "0.001")).lines.to_dicts()
    assert (row["model"], row["service_tier"], row["usage_kind"]) == (model, tier, "input_uncached")


def test_charges_beside_usage_keep_their_category() -> None:
    found = read(
        line("", "", "12.40", kind="Tax"),
        line("", "", "-5", kind="Credit"),
        line("", "", "-2", kind="EdpDiscount"),
        line("USE1-Claude-ProvisionedThroughput-ModelUnits", "24", "480", unit="Hrs"),
    ).lines
    assert found["charge_category"].to_list() == ["Tax", "Credit", "Credit", "Purchase"]
    assert found["commitment"].to_list() == [False, False, False, True]


def test_other_services_are_left_out_and_counted() -> None:
    found = read(line("USE1-X-input-tokens", "1", "1"), line("BoxUsage:m7", "1", "9", code="AmazonEC2", unit="Hrs"))
    assert found.lines["cost"].to_list() == [Decimal(1)]
    assert "1 lines of other AWS services were left out" in found.notes


def test_an_amount_without_unit_is_no_number_of_tokens() -> None:
    found = read(line("USE1-X-input-tokens", "17", "1", unit=""))
    assert found.lines["quantity"].to_list() == [None]
    assert "their tokens are not compared" in found.notes[0]


def test_a_formula_or_a_missing_day_is_refused_by_row() -> None:
    broken = (
        line("USE1-X-input-tokens", "1", "=1+1"),
        line("USE1-X-input-tokens", "1", "1").replace("2026-10-07", "soon"),
    )
    with pytest.raises(RefusedInputError, match=r"row 4.*row 3"):
        read(line("USE1-X-input-tokens", "1", "1"), *broken)


def over(until: str, amount: str = "1", cost: str = "1") -> Invoice:
    head = HEAD.replace("line_item_usage_start_date,", "line_item_usage_start_date,line_item_usage_end_date,")
    long = line("USE1-X-input-tokens", amount, cost).replace("05:00:00Z,", f"05:00:00Z,{until},")
    return aws_cur.read(tabular((head + long).encode(), name="cur.csv"), name="cur.csv")


def test_usage_of_days_in_one_line_is_spread_over_them_by_hours() -> None:
    # From 5:00 on the 7th to 0:00 on the 9th: 19 and 24 of 43 hours of 43,000 tokens.
    found = over("2026-10-09T00:00:00.000Z", "43", "43")
    assert found.lines.select("day", "cost", "quantity", "spread").rows() == [
        (date(2026, 10, 7), Decimal(19), 19_000, True),
        (date(2026, 10, 8), Decimal(24), 24_000, True),
    ]
    assert "1 rows bill usage of more than a day" in found.notes[-1]


def test_usage_of_years_in_one_line_is_refused() -> None:
    with pytest.raises(RefusedInputError, match="row 2: usage of .* spans more than 366 days"):
        over("2029-11-01T00:00:00Z")


def test_parquet_doubles_become_the_decimals_they_were() -> None:
    frame = pl.read_csv(io.StringIO(HEAD + line("USE1-X-input-tokens", "0.1", "0.3")))
    content = io.BytesIO()
    frame.write_parquet(content)
    found = aws_cur.read(tabular(content.getvalue(), name="cur.parquet"), name="cur.parquet")
    assert found.lines.select("cost", "quantity", "row").row(0) == (Decimal("0.3"), 100, "row 1")
    assert "binary floats" in found.notes[0]
