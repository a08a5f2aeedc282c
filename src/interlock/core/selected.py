"""Which version of a tool a call got, and why: what `validate` says of a tool that has several, or is rolled out."""

from __future__ import annotations

from typing import NamedTuple

from interlock.core.canonical import Json


class Trial(NamedTuple):
    """A rollout that a call counts in.

    Attributes:
        rollout_id: Which.
        new: Whether the call got what is rolled out; else it is what that is compared with.
    """

    rollout_id: str
    new: bool


class Selected(NamedTuple):
    """How the version of one call was chosen.

    Attributes:
        by: `first` (what everybody has where nothing else is rolled out to them), `rollout`, or `kept`: an earlier
            decision of the same call chose it.
        percent: How many of a hundred principals get this version.
        rollout_id: What gave it to this principal; empty where nobody ever said so.
        trials: The rollouts that the call counts in.
        others: What the digest of the same call is as each other version.
    """

    by: str
    percent: int
    rollout_id: str
    trials: tuple[Trial, ...]
    others: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Json]:
        """As events keep it."""
        said: dict[str, Json] = {"by": self.by, "percent": self.percent}
        return said | {"rollout": self.rollout_id} if self.rollout_id else said
