"""What the shop's records look like: the output schemas of the tools, and what policies know of a resource."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict  # pydantic takes no other below Python 3.12


class Passage(TypedDict):
    """A piece of the knowledge base; `source` is what an answer cites."""

    source: str
    title: str
    text: str


class Order(TypedDict):
    """What somebody bought, and what was given back of its price."""

    id: int
    customer_id: int
    item: str
    amount_cents: int
    refunded_cents: int
    status: Literal["paid", "shipped", "delivered"]
    ordered_on: str


class Ticket(TypedDict):
    """What somebody wants. `subject` and `text` are a customer's words, and whatever else they put there."""

    id: int
    order_id: int
    customer_name: str
    customer_email: str
    subject: str
    text: str
    priority: Literal["low", "normal", "high"]
    status: Literal["open", "waiting", "solved"]
    note: str


class Refund(TypedDict):
    """What was given back."""

    id: int
    order_id: int
    amount_cents: int
    reason: str
    at: str


class Mail(TypedDict):
    """A mail that the server has taken."""

    recipient: str
    subject: str


class MailFound(TypedDict):
    """Whether a mail was sent, and which."""

    done: bool
    result: Mail | None
