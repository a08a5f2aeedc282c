"""How the service misbehaves on demand: the ways in which a far end leaves its caller guessing.

Armed per endpoint through `POST /admin/faults`, kept in memory, used up one request at a time. A request
that is refused does not use up a fault of the kinds «after effect»; one that is answered from its key does.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import NamedTuple

DROP_BEFORE = "drop_before"
"""Hang up without doing or answering anything."""

STALL_BEFORE = "stall_before"
"""Take the request and never do or answer anything: the caller cannot tell this from the next one."""

STALL_AFTER_EFFECT = "stall_after_effect"
"""Do it, commit it, and never answer: the caller times out on something that happened."""

ERROR_AFTER_EFFECT = "error_after_effect"
"""Do it, commit it, and answer 500: the caller is told of a failure that was none."""

REFUSE = "refuse"
"""Refuse it in the typed form, as a service does that cannot do it at present: nothing was done, and it says so."""

MODES = (REFUSE, DROP_BEFORE, STALL_BEFORE, STALL_AFTER_EFFECT, ERROR_AFTER_EFFECT)


class Fault(NamedTuple):
    """One armed endpoint. `times`: requests that it will still spoil."""

    endpoint: str
    mode: str
    times: int


class Faults:
    """The armed endpoints, at most one fault each; safe to use from every request's thread.

    Args:
        endpoints: The names that can be armed.
    """

    def __init__(self, endpoints: Sequence[str]) -> None:
        self.endpoints = endpoints
        self._lock = threading.Lock()
        self._armed: dict[str, Fault] = {}

    def arm(self, fault: Fault) -> None:
        """Put `fault` in place of the endpoint's present one; `times=0` disarms it."""
        with self._lock:
            self._armed.pop(fault.endpoint, None)
            if fault.times > 0:
                self._armed[fault.endpoint] = fault

    def armed(self) -> list[Fault]:
        """What is armed now, by endpoint."""
        with self._lock:
            return sorted(self._armed.values())

    def spend(self, endpoint: str, mode: str) -> bool:
        """Use up one time of the endpoint's fault, if it is of this mode; whether it was."""
        with self._lock:
            fault = self._armed.get(endpoint)
            if fault is None or fault.mode != mode:
                return False
            left = fault._replace(times=fault.times - 1)
            if left.times:
                self._armed[endpoint] = left
            else:
                del self._armed[endpoint]
            return True
