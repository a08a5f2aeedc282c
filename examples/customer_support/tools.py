"""The desk's operations as tools, each with its effect, its checks and its limits.

The docstrings are what a model reads; the options are what Interlock goes by. Documents are a tool like any other:
what it finds comes passage by passage, each with its source.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import Field

import interlock
from examples.customer_support import client
from examples.customer_support.records import Mail, MailFound, Order, Passage, Refund, Ticket

FAR_END_S = 20.0
"""What cannot be taken back is waited for: an answer that comes late saves asking what became of it."""

OrderId = Annotated[int, Field(ge=1, le=999_999, description="Number of the order.", examples=[70412])]
TicketId = Annotated[int, Field(ge=1, le=999_999, description="Number of the ticket.", examples=[9001])]
Source = Annotated[
    str, Field(min_length=3, max_length=100, description="As a passage names it.", examples=["returns#2"])
]
Words = Annotated[str, Field(min_length=1, max_length=200, description="Words to look for.", examples=["return tent"])]
Subject = Annotated[str, Field(min_length=3, max_length=200, description="In a few words.", examples=["A leak"])]
Text = Annotated[str, Field(min_length=3, max_length=4000, description="As it will be read.", examples=["It leaks."])]
Status = Annotated[Literal["open", "waiting", "solved"], Field(description="How far it has come.")]

OF_AN_ORDER = interlock.Entity(type="Order", lookup="get_order")
OF_A_TICKET = interlock.Entity(type="Ticket", lookup="get_ticket")


# What the shop says


@interlock.tool(effect="read", category="knowledge", timeout_s=5, examples=[{"query": "return a used tent"}])
def search_knowledge(
    context: interlock.CallContext,
    query: Words,
    limit: Annotated[int, Field(ge=1, le=5, description="How many at most.", examples=[3])] = 3,
) -> list[Passage]:
    """Find what the shop says about something, the best passages first. Call it before saying what the rules are.

    Cite the `source` of each passage that you use, in brackets; say that you do not know where none fits.
    """
    found: list[Passage] = client.get(context, "/v1/knowledge", q=query, limit=limit)["items"]
    return found


@interlock.tool(effect="read", category="knowledge", timeout_s=5, examples=[{"source": "returns#2"}])
def get_passage(context: interlock.CallContext, source: Source) -> Passage | None:
    """Read the passage that a source names; null where there is none. Call it when somebody cites one."""
    path = f"/v1/knowledge/{quote(source, safe='')}"
    found: Passage | None = client.look_up(context, path, "passage_not_found")
    return found


# Orders and their money


@interlock.tool(effect="read", category="orders", timeout_s=5, examples=[{"order_id": 70412}])
def get_order(context: interlock.CallContext, order_id: OrderId) -> Order | None:
    """Look up one order by its number; null where there is none. Says how much was given back already."""
    found: Order | None = client.look_up(context, f"/v1/orders/{order_id}", "order_not_found")
    return found


@interlock.tool(
    effect="irreversible",
    keyed=True,
    category="orders",
    tags=["money"],
    resource="order_id",
    entities={"order_id": OF_AN_ORDER},
    roles={"order_id": "target", "amount_cents": "amount", "reason": "content"},
    costs={"cents": "amount_cents"},
    timeout_s=FAR_END_S,
    examples=[{"order_id": 70415, "amount_cents": 1200, "reason": "One of two bags was missing"}],
)
def refund_order(
    context: interlock.CallContext,
    order_id: OrderId,
    amount_cents: Annotated[int, Field(ge=1, le=500_000, description="How much, in cents.", examples=[1200])],
    reason: Annotated[
        str, Field(min_length=3, max_length=500, description="Why, as the customer reads it.", examples=["Missing"])
    ],
) -> Refund:
    """Give back part of the price of an order, or all of it. It cannot be taken back."""
    made: Refund = client.post(
        context, f"/v1/orders/{order_id}/refunds", {"amount_cents": amount_cents, "reason": reason}
    )
    return made


# Tickets


@interlock.tool(effect="read", category="tickets", timeout_s=5, examples=[{"status": "open"}])
def list_tickets(
    context: interlock.CallContext,
    status: Status = "open",
    limit: Annotated[int, Field(ge=1, le=20, description="How many at most.", examples=[5])] = 5,
) -> list[Ticket]:
    """Tickets in a state, the newest first. Call it to see what is to be done."""
    found: list[Ticket] = client.get(context, "/v1/tickets", status=status, limit=limit)["items"]
    return found


@interlock.tool(effect="read", category="tickets", timeout_s=5, examples=[{"ticket_id": 9001}])
def get_ticket(context: interlock.CallContext, ticket_id: TicketId) -> Ticket | None:
    """Read one ticket, and whose it is; null where there is none."""
    found: Ticket | None = client.look_up(context, f"/v1/tickets/{ticket_id}", "ticket_not_found")
    return found


@interlock.tool(
    effect="reversible",
    keyed=True,
    category="tickets",
    resource="order_id",
    entities={"order_id": OF_AN_ORDER},
    roles={"order_id": "target", "subject": "content", "text": "content"},
    timeout_s=5,
    examples=[{"order_id": 70412, "subject": "Leaks at the seam", "text": "The tent leaks at its rear seam."}],
)
def create_ticket(
    context: interlock.CallContext,
    order_id: OrderId,
    subject: Subject,
    text: Text,
    priority: Annotated[Literal["low", "normal", "high"], Field(description="How soon it must be seen to.")] = "normal",
) -> Ticket:
    """Open a ticket about an order. Call it once per concern that is not solved at once."""
    body = {"order_id": order_id, "subject": subject, "text": text, "priority": priority}
    made: Ticket = client.post(context, "/v1/tickets", body)
    return made


@interlock.tool(
    effect="reversible",
    keyed=True,
    category="tickets",
    resource="ticket_id",
    entities={"ticket_id": OF_A_TICKET},
    roles={"ticket_id": "target", "note": "content"},
    timeout_s=5,
    examples=[{"ticket_id": 9001, "status": "solved", "note": "Refunded in full"}],
)
def update_ticket(
    context: interlock.CallContext,
    ticket_id: TicketId,
    status: Status,
    note: Annotated[str, Field(min_length=3, max_length=1000, description="What was done.", examples=["Refunded"])],
) -> Ticket:
    """Say how far a ticket has come, and what was done. Call it after doing it."""
    made: Ticket = client.post(context, f"/v1/tickets/{ticket_id}", {"status": status, "note": note})
    return made


# Mail


@interlock.tool(effect="read", category="mail", timeout_s=5, examples=[{"idempotency_key": "k-1"}])
def find_mail(context: interlock.CallContext, idempotency_key: Words) -> MailFound:
    """Whether a mail was sent under a key of Interlock's. Asked when nobody knows; not for an agent to call."""
    found: dict[str, Any] = client.get(context, f"/v1/mails/by-key/{quote(idempotency_key, safe='')}")
    mail = found.get("answer")
    kept: Mail | None = None if mail is None else {"recipient": mail["recipient"], "subject": mail["subject"]}
    return {"done": found["status"] == "done", "result": kept}


@interlock.tool(
    effect="irreversible",
    outward=True,
    reconcile="find_mail",
    category="mail",
    resource="ticket_id",
    entities={"ticket_id": OF_A_TICKET},
    roles={"ticket_id": "target", "to": "target", "subject": "content", "text": "content"},
    timeout_s=FAR_END_S,
    examples=[
        {"ticket_id": 9001, "to": "noor@haddad.example", "subject": "Your dry bag", "text": "It comes on Friday."}
    ],
)
def send_mail(
    context: interlock.CallContext,
    ticket_id: TicketId,
    to: Annotated[
        str,
        Field(
            min_length=3, max_length=200, description="Address of the ticket's customer.",
            examples=["noor@haddad.example"], json_schema_extra={"format": "email"},
        ),
    ],
    subject: Subject,
    text: Text,
) -> Mail:  # fmt: skip
    """Write to the customer of a ticket, once there is something to tell; what is sent cannot be called back."""
    client.mail(context, to, subject, text)
    return {"recipient": to, "subject": subject}
