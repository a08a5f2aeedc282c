"""Proofs for whoever has a signed checkpoint: that an event is in the log, or that the log only grew (RFC 6962)."""

from __future__ import annotations

import base64
from typing import Any

from interlock.errors import BadInput, NotFound
from interlock.ledger.sealing import Stored
from interlock.ledger.sqlite_log import Log


def inclusion(log: Log, run_id: str, seq: int, size: int | None = None) -> dict[str, Any]:
    """That an event is in the log: its leaf, the path to the root, and the checkpoint that it is against.

    Args:
        size: Of the checkpoint; None for the newest.

    Raises:
        NotFound: No such event or checkpoint.
        BadInput: The event came after the checkpoint.
    """
    stored = _checkpoint(log, size)
    pos = log.position(run_id, seq)
    if pos is None:
        raise NotFound(f"no event {seq} in {run_id!r}", code="prove.no_event", remedy="See `interlock runs replay`.")
    if pos > stored.size:
        raise BadInput(
            f"event {seq} of {run_id!r} is number {pos} and the checkpoint is over {stored.size}", code="prove.later",
            remedy="Run `interlock ledger seal`, or name a later checkpoint.",
        )  # fmt: skip
    tree = log.tree()
    return {
        "event": f"{run_id}/{seq}", "index": pos - 1, "leaf": _hash(tree.leaf(pos - 1)), "to": stored.size,
        "proof": [_hash(part) for part in tree.prove_inclusion(pos - 1, stored.size)], "checkpoint": stored.note,
    }  # fmt: skip


def consistency(log: Log, older: int, size: int | None = None) -> dict[str, Any]:
    """That the log of a checkpoint is the beginning of that of a later one.

    Args:
        older: Events that the older checkpoint is over.
        size: Of the later one; None for the newest.

    Raises:
        NotFound: No such checkpoint.
        BadInput: The older one is the later one.
    """
    stored = _checkpoint(log, size)
    if older > stored.size:
        raise BadInput(f"--from {older} is after {stored.size}", code="prove.order", remedy="Turn them round.")
    proof = log.tree().prove_consistency(older, stored.size)
    return {
        "from": older, "to": stored.size, "proof": [_hash(part) for part in proof], "checkpoint": stored.note,
    }  # fmt: skip


def _checkpoint(log: Log, size: int | None) -> Stored:
    stored = log.newest if size is None else log.at(size)
    if stored is None:
        raise NotFound(
            "no checkpoint" + (f" over {size} events" if size else ""), code="prove.no_checkpoint",
            remedy="Run `interlock ledger seal`; `interlock ledger status` says which is the newest.",
        )  # fmt: skip
    return stored


def _hash(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
