"""Which calls of a run are under way, and which were alike: how an equal call is known for one."""

from __future__ import annotations

from dataclasses import dataclass, field

from interlock.core.repeats import Repeats


@dataclass(slots=True)
class UnderWay:
    """A part of a run's fold.

    Attributes:
        open_writes: Call digest to the call that is on its way, held or unknown with it.
        repeats: Its calls that are alike, and whether anything came of them.
        calls_before: Calls that there were when its user last said something.
    """

    open_writes: dict[str, str] = field(default_factory=dict)
    repeats: Repeats = field(default_factory=Repeats)
    calls_before: int = 0

    def note_valid(self, call_id: str, digest: str, outline: str, *, writes: bool, counted: bool) -> None:
        """A call was found valid: it is under way, and counts among its likes if it is `counted`.

        Noting it twice is noting it once, so that a process may note what it is about to record.
        """
        if counted:
            self.repeats.note(call_id, digest, outline)
        if writes:
            self.open_writes.setdefault(digest, call_id)

    def forget(self, call_id: str, digest: str, outline: str) -> None:
        """A call that was noted is not under way (any more) as what it was noted as."""
        self.forget_open(call_id, digest)
        self.repeats.forget(call_id, digest, outline)

    def forget_open(self, call_id: str, digest: str) -> None:
        """The call is over: an equal one may run."""
        if self.open_writes.get(digest) == call_id:
            del self.open_writes[digest]

    def begin_anew(self, calls: int) -> None:
        """Its user goes on: what limits how the run answers is counted from here, after so many calls."""
        self.repeats, self.calls_before = Repeats(), calls
