"""The knowledge base and the tickets of the example: made up, small enough to read."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Ticket:
    """One customer's question and what a solved one is worth to the business."""

    customer: str
    feature: str
    question: str
    value_usd: str


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
