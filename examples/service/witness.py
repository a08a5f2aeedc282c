"""What became of a request: for a caller that does not know, and for whoever runs the demonstration."""

from __future__ import annotations

from collections.abc import Callable

from examples.service.answer import Answer
from examples.service.faults import MODES, Fault, Faults
from examples.service.request import KEY_MAX, Request
from examples.service.store import Store

Run = Callable[[Store, Request], Answer]
TIMES_MAX = 1000


def by_key(kind: str) -> Run:
    """Look up what an idempotency key did, among effects of this kind."""

    def look_up(store: Store, request: Request) -> Answer:
        effect = store.by_key(kind, request.text("key", KEY_MAX))
        # Absent is a 200 too: a 404 could come from a wrong address, and must not be read as «not done».
        if effect is None:
            return Answer(200, {"status": "absent"})
        return Answer(200, {"status": "done", "at": effect["at"], "answer": effect["answer"]})

    return look_up


def list_effects(store: Store, request: Request) -> Answer:
    """Every effect after number `after`: what really happened."""
    items = store.effects(request.whole("after", 0, default=0))
    return Answer(200, {"items": items, "total": len(items)})


def list_faults(faults: Faults) -> Run:
    """The faults that are armed."""

    def run(store: Store, request: Request) -> Answer:
        return Answer(200, {"items": [fault._asdict() for fault in faults.armed()]})

    return run


def arm_fault(faults: Faults) -> Run:
    """Spoil the next `times` requests to an endpoint (1 unless said); 0 disarms it."""

    def run(store: Store, request: Request) -> Answer:
        endpoint, mode = request.choice("endpoint", faults.endpoints), request.choice("mode", MODES)
        fault = Fault(endpoint, mode, request.whole("times", 0, TIMES_MAX, default=1))
        faults.arm(fault)
        return Answer(200, fault._asdict())

    return run
