"""invoice_extraction: classify, extract, normalise, format, book. Mostly short structured answers: glue."""

from decimal import Decimal
from typing import Final

from desk import Call, Desk, Verdict
from market import BEDROCK_HAIKU, GPT_LARGE, GPT_MINI, GPT_NANO, MISTRAL_SMALL, SONNET, Model, Trouble, tries
from world import Job

VALUE_USD: Final = Decimal("0.85")
VAT_FEE_USD: Final = Decimal("0.002")
KINDS: Final = ("invoice", "credit_note", "receipt", "reminder")
ACCOUNTS: Final = ("4400", "4410", "4980", "6300", "6805", "6815", "7310")
EXTRACTION: Final = Trouble(throttled=0.01, server_error=0.004, timed_out=0.006, invalid=0.075)


def invoice_extraction(desk: Desk, job: Job) -> list[Verdict]:
    """Read one invoice and return what will be known of its outcome."""
    # A third of the suppliers send four fifths of the invoices, and each keeps its layout.
    supplier = int(120 * desk.rng.random() ** 3)
    _classify(desk, job, supplier)
    if not _extract(desk, job):
        return [Verdict(status="failure", source="program", reason="extraction_invalid")]
    _reshape(desk, "normalise_dates", MISTRAL_SMALL, f"dates:{job.number}", input_tokens=620, output_tokens=190)
    _reshape(desk, "format_for_erp", GPT_MINI, f"erp:{job.number}", input_tokens=780, output_tokens=240)
    account = ACCOUNTS[supplier % len(ACCOUNTS)]
    _reshape(
        desk, "choose_account", GPT_MINI, f"account:{supplier}", input_tokens=1150, output_tokens=5, answer=account
    )
    if desk.chance(0.35):
        desk.tool("vat_registry", f"supplier:{supplier}", ms=340, fee_usd=VAT_FEE_USD)
    desk.tool("erp_post", f"{job.number}", ms=180)
    if job.in_production and desk.chance(0.03):
        desk.tonight("label_check", SONNET, f"labels:{job.number}", input_tokens=desk.about(3100))
    return _verdict(desk)


def _classify(desk: Desk, job: Job, supplier: int) -> None:
    prompt, kind = f"kind:{supplier}", KINDS[0 if supplier % 9 else supplier % len(KINDS)]
    known = supplier < 40 and desk.chance(0.75 if job.release == "1.8.1" else 0.3)
    if known:
        desk.answer_from_cache(
            "classify_document", GPT_NANO, prompt, kind="response", input_tokens=900, output_tokens=4
        )
        return
    call = Call(prompt=prompt, answer=kind, input_tokens=desk.about(900), output_tokens=4, schema="kind.v1")
    desk.ask("classify_document", call, tries(desk.rng, GPT_NANO))


def _extract(desk: Desk, job: Job) -> bool:
    # Release 1.8.0 bought a larger model for the extraction; nothing got better but the price.
    model = GPT_MINI if job.release == "1.7.2" else GPT_LARGE
    call = Call(
        prompt=f"extract:{job.number}",
        answer=f"fields:{job.number}",
        input_tokens=1664 + desk.about(9000, spread=0.4),
        output_tokens=desk.about(230),
        reasoning_tokens=0,
        prefix=f"fields:{job.release}",
        prefix_tokens=1664,
        prefix_hours=1,
        schema="invoice.v3",
    )
    return desk.ask("extract_fields", call, tries(desk.rng, model, EXTRACTION, fallback=BEDROCK_HAIKU)) is not None


def _reshape(  # noqa: PLR0913 - the numbers of one mechanical step
    desk: Desk,
    step: str,
    model: Model,
    prompt: str,
    *,
    input_tokens: int,
    output_tokens: int,
    answer: str | None = None,
) -> None:
    call = Call(
        prompt=prompt,
        answer=answer or f"answer:{prompt}",
        input_tokens=desk.about(input_tokens),
        output_tokens=output_tokens,
        schema=f"{step}.v1",
    )
    desk.ask(step, call, tries(desk.rng, model))


def _verdict(desk: Desk) -> list[Verdict]:
    if desk.chance(0.03):
        return []
    if not desk.chance(0.955):
        return [Verdict(status="failure", source="program", reason="totals_differ")]
    booked = Verdict(status="success", source="program", value_usd=VALUE_USD)
    if not desk.chance(0.04):
        return [booked]
    # The program believed it; the accountant found it wrong at the end of the week.
    found = Verdict(status="failure", source="reviewer", reason="wrong_amount", delay_ns=desk.delay_hours(90, most=220))
    return [booked, found]
