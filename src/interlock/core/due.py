"""What a run waits for, and from when on something can be done about it."""

from __future__ import annotations

from typing import NamedTuple


class Due(NamedTuple):
    """Something that a run waits for has come, or its time has.

    Attributes:
        run_id, tenant: Which run, whose.
        at_us: From when.
        why: `approval.decided`, `approval.expires`, `budget.reserved` (and not settled in time), or `claim.lapsed`:
            the worker of a run was lost or left while it executed a call, or while it drove the run.
        ref: The approval or the reservation that it is about; empty for a lapsed claim.
    """

    run_id: str
    tenant: str
    at_us: int
    why: str
    ref: str

    @property
    def place(self) -> tuple[int, str, str]:
        """What it is ordered by: earliest first."""
        return self.at_us, self.run_id, self.ref
