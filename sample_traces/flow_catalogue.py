"""catalogue_tagging: tag a seller's sheet of products, batch by batch, on a small GPU of our own."""

from decimal import Decimal
from typing import Final

from desk import Call, Desk, Verdict
from market import HOSTED_LLAMA, OWN_LLAMA, Trouble, tries
from world import Job

VALUE_USD: Final = Decimal("0.40")
# With this many requests on the replica the next sheet goes to a provider that hosts the same weights.
MOST_IN_FLIGHT: Final = 2
TAGGING: Final = Trouble(throttled=0.0, server_error=0.006, timed_out=0.0, invalid=0.03)


def catalogue_tagging(desk: Desk, job: Job) -> list[Verdict]:
    """Tag one sheet and return what will be known of its outcome."""
    desk.tool("read_sheet", f"sheet:{job.number}", ms=90)
    overflow = desk.in_flight() >= MOST_IN_FLIGHT
    for batch in range(1 + desk.count(3.2, 6)):
        call = Call(
            prompt=f"products:{job.number}:{batch}",
            answer=f"tags:{job.number}:{batch}",
            input_tokens=desk.about(3400),
            output_tokens=desk.about(820),
            schema="tags.v2",
        )
        plan = tries(desk.rng, HOSTED_LLAMA if overflow else OWN_LLAMA, TAGGING, fallback=HOSTED_LLAMA)
        if desk.ask("tag_products", call, plan) is None:
            return [Verdict(status="failure", source="program", reason="no_tags")]
    desk.tool("write_catalogue", f"sheet:{job.number}", ms=140)
    return _verdict(desk)


def _verdict(desk: Desk) -> list[Verdict]:
    # A merchandiser looks the tags over on the same day, as a rule; what nobody looked at has no outcome.
    looked_after = desk.delay_hours(5, most=40)
    if desk.chance(0.03):
        return []
    if desk.chance(0.92):
        return [Verdict(status="success", source="reviewer", value_usd=VALUE_USD, delay_ns=looked_after)]
    return [Verdict(status="failure", source="reviewer", reason="wrong_tags", delay_ns=looked_after)]
