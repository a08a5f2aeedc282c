"""Orders, and what is given back of them."""

from __future__ import annotations

import sqlite3

from examples.service.answer import Answer, Problem
from examples.service.request import Request
from examples.service.store import Store, created, find_one

AMOUNT_CENTS_MAX = 1_000_000
REASON_MAX = 500


def get_order(store: Store, request: Request) -> Answer:
    """One order, with what was refunded of it."""
    return Answer(200, store.one("order", request.whole("order_id")))


def refund_order(store: Store, request: Request) -> Answer:
    """Give back part or all of what was paid; irreversible, and never more than was paid."""
    order_id, amount_cents = request.whole("order_id"), request.whole("amount_cents", 1, AMOUNT_CENTS_MAX)
    reason = request.text("reason", REASON_MAX)

    def do(db: sqlite3.Connection) -> Answer:
        order = find_one(db, "order", order_id)
        left = order["amount_cents"] - order["refunded_cents"]
        if amount_cents > left:
            detail = f"Of order {order_id}, {left} cents can be refunded, not {amount_cents}."
            raise Problem(422, "refund_exceeds_order", detail, field="amount_cents", refundable_cents=left)
        db.execute("UPDATE orders SET refunded_cents = refunded_cents + ? WHERE id = ?", (amount_cents, order_id))
        refund = {"order_id": order_id, "amount_cents": amount_cents, "reason": reason}
        return created(db, "refunds", refund | {"at": store.timestamp()})

    return store.change("refund_order", request, do)
