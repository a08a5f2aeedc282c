"""Identifiers: where they come from and what they look like.

An id is a kind prefix, an underscore and 32 hexadecimal digits: 48 bits of milliseconds and 80 random
bits, so that ids of one kind sort by time of making.
"""

from __future__ import annotations

import hashlib
import os
from typing import Protocol

from interlock.core.clock import Clock


class IdMaker(Protocol):
    """Makes a fresh id of a kind; tests and replay pass their own."""

    def __call__(self, kind: str) -> str:
        """Return an id that was never returned before."""
        ...


class RandomIds:
    """Ids from the operating system's randomness and the given clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __call__(self, kind: str) -> str:
        """Return `kind_` and 32 digits; 80 bits are random."""
        return f"{kind}_{self._clock.wall_us() // 1000 & 0xFFFFFFFFFFFF:012x}{os.urandom(10).hex()}"


class CountedIds:
    """Ids that count upwards from 1 for each kind: the double for tests and replay."""

    def __init__(self) -> None:
        self._made: dict[str, int] = {}

    def __call__(self, kind: str) -> str:
        """Return `kind_1`, `kind_2`, and so on."""
        self._made[kind] = number = self._made.get(kind, 0) + 1
        return f"{kind}_{number}"


def named_call_id(run_id: str, name: str) -> str:
    """The call id of a call that its client named: one per run and name, the same on every ask."""
    text = f"{len(run_id)}:{run_id}{name}"
    return "call_" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def fallback_call_id(run_id: str, call_id: str) -> str:
    """The call id of the call that is made in the place of one that failed: the same, however often it is asked."""
    return derived_call_id(run_id, "fallback", call_id)


def derived_call_id(run_id: str, how: str, call_id: str) -> str:
    """The call id of a call that Interlock makes for another one; no client can name a call of its own like it.

    Args:
        how: Why it is made, a word.
    """
    text = f"{how}/{len(run_id)}:{run_id}{call_id}"  # what a client names begins with a digit
    return "call_" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def named_id(kind: str, tenant: str, principal_id: str, name: str) -> str:
    """The id of what somebody made and named: one for each kind, principal and name, the same on every ask."""
    text = f"{kind}/" + "".join(f"{len(part)}:{part}" for part in (tenant, principal_id, name))
    return f"{kind}_" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def child_run_id(run_id: str, call_id: str) -> str:
    """The id of the run that a call starts: one per call, the same on every ask."""
    return "run_" + named_call_id(run_id, f"child/{call_id}").removeprefix("call_")
