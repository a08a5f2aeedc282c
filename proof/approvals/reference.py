"""What the rules of approvals say, as a state machine: it imports nothing of Interlock and computes no digest.

It is told what people and machines do, in the order in which they do it. It says which answers count, and of every
execution whether a valid, unconsumed, unexpired quorum on exactly that call stands behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PENDING_MAX = 20


@dataclass(frozen=True)
class Needs:
    """What a policy asks for: people of these groups, so many, within so many seconds. `denies` lets nothing pass."""

    groups: frozenset[str] = frozenset()
    quorum: int = 0
    expires_s: int = 86_400
    denies: bool = False

    @property
    def holds(self) -> bool:
        return bool(self.groups) and not self.denies


FREE = Needs()
DENIED = Needs(denies=True)


@dataclass
class Voice:
    """Somebody who approved: the groups that they spoke for, by themselves and by what was lent, and their pairs.

    `lenders` are those in whose place alone they spoke; nobody where a group is their own.
    """

    own: frozenset[str]
    lent: frozenset[str]
    pairs: frozenset[str]
    lenders: frozenset[str]


@dataclass
class Request:
    """One request: what it is about, what it needs, and how it stands."""

    request_id: str
    call_id: str
    version: int
    arguments: str
    needs: Needs
    asked_s: float
    editors: frozenset[str]
    state: str = "pending"
    voices: dict[str, Voice] = field(default_factory=dict)
    edit: str = ""
    editor: str = ""
    value: object = None

    @property
    def expires_s(self) -> float:
        return self.asked_s + self.needs.expires_s


@dataclass
class Call:
    """One call: what it would do, who wrote it in another's place, and whether it ran."""

    call_id: str
    arguments: str
    editors: frozenset[str] = frozenset()
    request: Request | None = None
    version: int = -1
    taken: bool = False
    died: bool = False
    runs: int = 0


class Reference:
    """The world as the rules see it.

    Attributes:
        subject: On whose behalf every call runs.
        roles: Who is in which groups now; somebody who is not there is nobody.
        services: Those of them that are programs.
    """

    def __init__(self, subject: str, roles: Mapping[str, frozenset[str]], services: frozenset[str]) -> None:
        self.subject = subject
        self.roles = dict(roles)
        self.services = services
        self.needs = FREE
        self.version = 0
        self.lent: dict[tuple[str, str], tuple[frozenset[str], float]] = {}
        self.calls: dict[str, Call] = {}
        self.requests: dict[str, Request] = {}
        self._wall_s = self._mono_s = self._start_wall_s = self._start_mono_s = 0.0

    # ------------------------------------------------------------------ time

    @property
    def now_s(self) -> float:
        """By the later of the wall and of what has passed since the process began."""
        return max(self._wall_s, self._start_wall_s + self._mono_s - self._start_mono_s)

    def time(self, wall_s: float, mono_s: float) -> None:
        self._wall_s, self._mono_s = wall_s, mono_s

    def process_begins(self) -> None:
        self._start_wall_s, self._start_mono_s = self._wall_s, self._mono_s

    # ------------------------------------------------------------------ people

    def lend(self, lender: str, borrower: str, groups: frozenset[str], seconds: float) -> bool:
        """Whether it counts."""
        own = self.roles.get(lender, frozenset())
        if lender in self.services or lender == borrower or not groups or not groups <= own:
            return False
        self.lent[lender, borrower] = (groups, self.now_s + seconds)
        return True

    def take_back(self, lender: str, borrower: str) -> bool:
        standing = (lender, borrower) in self._lent()
        if standing:
            del self.lent[lender, borrower]
        return standing

    def answer(self, request_id: str, who: str, decision: str, *, about: str, content: object = None) -> bool:
        """Whether an answer counts; if so, the request is what it makes of it.

        Args:
            about: Id of the request whose digest and nonce it bears; empty for one that bears others.
            content: The edited arguments, or the value; None for one that the tool would not take.
        """
        request = self.requests[request_id]
        if request.state != "pending" or self.now_s >= request.expires_s or about != request_id:
            return False
        barred = {self.subject, *request.editors}
        if who in self.services or who in barred:
            return False
        own = self.roles.get(who, frozenset()) & request.needs.groups
        borrowed = self._borrowed(who, request)
        lent = frozenset(borrowed) - own
        lenders = frozenset() if own else frozenset(borrowed.values())
        pairs = self._pairs(who, request)
        if not own | lent or who in request.voices or pairs & request.voices.keys():
            return False
        if any(who in voice.pairs or lenders & voice.lenders for voice in request.voices.values()):
            return False
        if decision in ("edit", "respond"):
            if content is None or self.version != request.version or content == request.arguments:
                return False
            request.state, request.editor = ("edited" if decision == "edit" else "responded"), who
            if decision == "edit":
                request.edit = str(content)
            else:
                request.value = content
        elif decision == "reject":
            request.state = "rejected"
        else:
            request.voices[who] = Voice(own, lent, pairs, lenders)
            spoken = frozenset[str]().union(*(voice.own | voice.lent for voice in request.voices.values()))
            if len(request.voices) >= request.needs.quorum and request.needs.groups <= spoken:
                request.state = "approved"
        return True

    def withdraw(self, request_id: str, who: str) -> bool:
        request = self.requests[request_id]
        operator = "operator" in self.roles.get(who, frozenset()) and who not in self.services
        if request.state != "pending" or not (who == self.subject or operator):
            return False
        request.state = "withdrawn"
        return True

    # ------------------------------------------------------------------ calls

    def proposed(self, call_id: str, arguments: str, editors: frozenset[str] = frozenset()) -> None:
        self.calls.setdefault(call_id, Call(call_id, arguments, editors))

    def asked(self, request_id: str, call_id: str) -> Request:
        """A request was made for a call, now."""
        call = self.calls[call_id]
        made = Request(request_id, call_id, self.version, call.arguments, self.needs, self.now_s, call.editors)
        self.requests[request_id] = call.request = made
        return made

    @property
    def paused(self) -> bool:
        return sum(request.state == "pending" for request in self.requests.values()) > PENDING_MAX

    def why_not(self, call: Call) -> str:
        """Why a call may not run now; empty where it may."""
        if self.needs.denies:
            return "policy denies it"
        request = call.request
        if request is None:
            return "policy holds it and nobody was asked" if self.needs.holds else ""
        if request.state not in ("pending", "approved"):
            return f"its request is {request.state}"
        if self.now_s >= request.expires_s:
            return "its request has expired"
        if (request.version, request.arguments) != (self.version, call.arguments):
            return "what was approved is another call"
        if request.state == "pending":
            return "its request is pending"
        return self._lacks(request) if self.needs.holds else ""

    def executed(self, call_id: str, arguments: str, version: int) -> str:
        """A tool ran. What is wrong with that; empty where nothing is."""
        call = self.calls.get(call_id)
        if call is None:
            return "it ran though nobody proposed it"
        call.runs += 1
        if (arguments, version) != (call.arguments, self.version):
            return f"{arguments} of version {version} ran, and {call.arguments} of {self.version} was to"
        if call.taken:
            again, call.died = call.died, False
            if (arguments, version) != (call.arguments, call.version):
                return "it was taken up as another call"
            return "" if again else "it ran a second time though nobody was lost over it"
        if why := self.why_not(call):
            return f"it ran though {why}"
        call.taken, call.version = True, version
        if call.request is not None:
            call.request.state = "consumed"
        return ""

    def expired(self, request: Request) -> bool:
        """A request was ended because its time was up: whether it was, now or before."""
        if request.state == "expired":
            return True
        was_up = request.state in ("pending", "approved") and self.now_s >= request.expires_s
        if was_up:
            request.state = "expired"
        return was_up

    def superseded(self, request: Request) -> str:
        """A request was ended because the ground moved. What is wrong with that; empty where nothing is."""
        if request.state == "approved" and not self._moved(request):
            return "it was superseded though nothing changed"
        request.state = "superseded"
        return ""

    # ------------------------------------------------------------------ rules

    def _moved(self, request: Request) -> str:
        call = self.calls[request.call_id]
        if (request.version, request.arguments) != (self.version, call.arguments):
            return "another call"
        return self._lacks(request) if self.needs.holds else ""

    def _lacks(self, request: Request) -> str:
        """What is missing today: the policy's demand, or the voices' right to speak."""
        today, then = self.needs, request.needs
        if not today.groups <= then.groups or today.quorum > then.quorum or today.expires_s < then.expires_s:
            return "policy asks for more than it was approved by"
        for who, voice in request.voices.items():
            own = self.roles.get(who, frozenset())
            if who in self.services or not (voice.own <= own and voice.lent <= self._borrowed(who, request).keys()):
                return f"{who} may not speak for it any more"
        spoken = frozenset[str]().union(*(voice.own | voice.lent for voice in request.voices.values()))
        complete = len(request.voices) >= then.quorum and then.groups <= spoken
        return "" if complete else "there is no quorum"

    def _lent(self) -> dict[tuple[str, str], frozenset[str]]:
        return {pair: groups for pair, (groups, until_s) in self.lent.items() if self.now_s < until_s}

    def _borrowed(self, who: str, request: Request) -> dict[str, str]:
        """The groups of the request that are lent to somebody, each with the first of its lenders by name."""
        barred = {self.subject, *request.editors}
        found: dict[str, str] = {}
        for (lender, borrower), groups in sorted(self._lent().items(), key=lambda lent: lent[0]):
            if borrower == who and lender not in barred and lender not in self.services:
                for group in groups & self.roles.get(lender, frozenset()) & request.needs.groups:
                    found.setdefault(group, lender)
        return found

    def _pairs(self, who: str, request: Request) -> frozenset[str]:
        found = set()
        for (lender, borrower), groups in self._lent().items():
            still = groups & self.roles.get(lender, frozenset())
            if who == borrower and still & request.needs.groups and lender not in self.services:
                found.add(lender)
            if who == lender and groups & request.needs.groups:
                found.add(borrower)
        return frozenset(found)
