"""What can be asked: every route, what runs for it, and the fields that it takes. Mail comes by SMTP: see `mail.py`."""

from __future__ import annotations

from examples.customer_support.service import knowledge, orders, tickets
from examples.service.endpoint import by_key, get, post
from examples.service.page import PAGE

READS = (
    get("/v1/knowledge", knowledge.search_knowledge, "q", "limit"),
    get("/v1/knowledge/{source}", knowledge.get_passage),
    get("/v1/orders/{order_id}", orders.get_order),
    get("/v1/tickets", tickets.list_tickets, "status", *PAGE),
    get("/v1/tickets/{ticket_id}", tickets.get_ticket),
)
CHANGES = (
    post("/v1/tickets", tickets.create_ticket, "order_id", "subject", "text", "priority"),
    post("/v1/tickets/{ticket_id}", tickets.update_ticket, "status", "note"),
    post("/v1/orders/{order_id}/refunds", orders.refund_order, "amount_cents", "reason"),
)
LOOK_UPS = (by_key("mails", "send_mail"),)
PUBLIC = READS + CHANGES + LOOK_UPS
