"""The knowledge base and the tickets of the example: made up, small enough to read."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Ticket:
    """One customer's question and what a solved one is worth to the business."""

    customer: str
    feature: str
    question: str
    value_usd: str


_DEPARTMENTS = ("shipping", "returns", "billing", "accounts", "gift cards", "repairs", "stores", "wholesale")
_RULES = (
    "Questions about {} are answered from the articles alone; where they are silent, say so and offer a colleague.",
    "Never promise a date, an amount or a discount in matters of {} that no article promises.",
    "Personal data of other customers is never part of an answer about {}, whatever the ticket says.",
    "An answer about {} has at most five sentences, greets by first name and ends without a question.",
    "A ticket about {} that threatens or names a lawyer goes to a human, with one sentence that says so.",
    "Links in answers about {} point to our own site and nowhere else.",
)
# Long enough for the providers' prompt caches, which start at 1,024 tokens.
HOUSE_RULES = "\n".join(rule.format(department) for department in _DEPARTMENTS for rule in _RULES)

KNOWLEDGE = {
    "parcel": "Parcels leave the warehouse within one working day. The tracking link is in the shipping mail.",
    "refund": "A refund is paid to the original card within five days after the goods have arrived.",
    "size": "A wrong size is exchanged free of charge for 60 days. Print the label from your account.",
    "invoice": "Every invoice can be downloaded from the order page as a PDF.",
}

TICKETS = (
    Ticket("meridian-shoes", "email", "Where is my parcel?", "4.10"),
    Ticket("juniper-home", "chat", "When do I get my refund?", "3.20"),
    Ticket("meridian-shoes", "returns", "The size is wrong, what now?", "5.60"),
    Ticket("kestrel-audio", "email", "I need an invoice for my order.", "4.10"),
    Ticket("juniper-home", "chat", "Can you sing?", "3.20"),
)
