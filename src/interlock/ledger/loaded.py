"""That the policy was loaded again: the last word on it in the ledger, which every process takes up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from interlock.core.canonical import Json
from interlock.core.event import Event, Kind
from interlock.ledger.store import DEPLOYMENT

_WHAT: Final = "policy"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was loaded last by a person's word.

    Attributes:
        seq: Number of that event in the deployment's chain; 0 where nobody ever said so.
        files: Of what was loaded; see `Rules.files`.
    """

    seq: int = 0
    files: str = ""

    def after(self, events: Iterable[Event]) -> Loaded:
        """This and what further events say."""
        found = self
        for event in events:
            body = event.fact.body
            if event.fact.kind is Kind.CONFIG and event.chain == DEPLOYMENT and body.get("config") == _WHAT:
                found = Loaded(event.seq, str(body.get("files", "")))
        return found


def loaded_body(files: str, was: str) -> dict[str, Json]:
    """The body of the event that says so.

    Args:
        was: Digest of the policy that was in force where it was said.
    """
    return {"config": _WHAT, "files": files, "was": was}
