"""One decision as the ledger has it, and the facts that it was made on, whole again as far as they were recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from interlock.core.canonical import canonical
from interlock.core.decision import Decision, Mode, Verdict
from interlock.core.event import Event, Kind
from interlock.core.principal import Principal
from interlock.core.provenance import UNTRACED, Traced, provenance_from_json
from interlock.core.secret import standing
from interlock.core.tool import Tool
from interlock.grounding.grounding import WATCHED
from interlock.ledger.decided import Decided
from interlock.policy.facts import Facts, Resource, Session, server_resource
from interlock.policy.memo import Path

ERASED, UNRECORDED, PROVENANCE = "erased", "unrecorded", "provenance"
"""Why a fact is not there: its record was erased; nobody recorded it, as in an older record; nobody asked for it."""

NO_ROLES: Final = Principal("erased")
"""In the place of a principal that was erased, for rules that do not read it."""


class Terms(NamedTuple):
    """What a decision comes to for a call: two that are equal let it go the same way.

    Attributes:
        verdict: `allow`, `deny` or `require_approval`.
        groups, quorum, expires_s: What releases a hold.
        verify: Whether a second reader must agree.
    """

    verdict: str
    groups: tuple[str, ...] = ()
    quorum: int = 0
    expires_s: int = 0
    verify: bool = False


FREE: Final = Terms(Verdict.ALLOW.value)
"""What every decision comes to that does not bind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One time that policy was asked about a call.

    Attributes:
        run_id, call_id, seq, at_us: Where it stands, and when.
        tool_hash: Digest of the definition; empty where it was not recorded.
        verdict: What was said.
        decision: All that was said; empty where it was erased.
        facts: The closed record; None where it was erased.
        arguments: Beside it.
        tool: Server, name and version; None where erased.
        parent: The call that this one was made for; empty for none.
        again: It was asked about before: its hold was answered, or its worker was lost.
    """

    run_id: str
    call_id: str
    seq: int
    at_us: int
    tool_hash: str
    verdict: str
    decision: Mapping[str, Any]
    facts: Mapping[str, Any] | None
    arguments: dict[str, Any] | None
    tool: Mapping[str, str] | None
    parent: str
    again: bool

    @property
    def reasons(self) -> tuple[str, ...]:
        """The recorded reasons."""
        return tuple(self.decision.get("reasons", ()))

    @property
    def name(self) -> str:
        """The tool's name; empty where it was erased."""
        return "" if self.tool is None else self.tool["name"]

    @property
    def stopped(self) -> bool:
        """Whether it was the stop switch that spoke, and no policy."""
        return self.reasons == ("stopped",)

    @property
    def unresolved(self) -> bool:
        """Whether nothing that its arguments name was looked up, because no call of this tool could have been let."""
        return self.reasons == ("not_available",)

    @property
    def judged(self) -> bool:
        """Whether it counted where its arguments came from."""
        return bool((self.facts or {}).get("provenance", {}).get("judged"))

    @property
    def terms(self) -> Terms:
        """What the recorded decision came to: nothing, where it did not bind."""
        if self.decision.get("mode") == Mode.EVALUATE_ONLY.value:
            return FREE
        hold = self.decision.get("hold") or {}
        return Terms(
            self.verdict, tuple(hold.get("groups", ())), hold.get("quorum", 0), hold.get("expires_s", 0),
            bool(self.decision.get("verify", False)),
        )  # fmt: skip

    def lack(self, path: Path, tool: Tool, *, whole: bool = True) -> str:
        """Why what stands at a path is not known; empty where it is.

        Args:
            tool: The definition of then.
            whole: Whether it is known, and not only what a decision saw of it.
        """
        if self.facts is None:
            return ERASED
        match path:
            case ("principal", *_):
                return "" if "principal" in self.facts else ERASED
            case ("resource", *_):
                return "" if "resource" in self.facts else UNRECORDED
            case ("context", "arguments" | "counts", *_):
                return ERASED if self.arguments is None else ""
            case ("context", "session", name, *_):
                return "" if name in self.facts.get("session", ()) else UNRECORDED
            case ("context", "session"):
                return "" if set(Session._fields) <= set(self.facts.get("session", ())) else UNRECORDED
            case ("context", "time", *_):
                return "" if "now_us" in self.facts else UNRECORDED
            case ("context", "provenance", part, *_):
                # Of what is not judged nothing lacks, and nobody need have asked.
                free = part == "lacks" and not _is_judged(tool, whole)
                return "" if free or "provenance" in self.facts else PROVENANCE
            case ("context", "provenance"):
                return "" if "provenance" in self.facts else PROVENANCE
            case ("context", "tool", *_):
                return ""
            case ("context",):
                each = (self.lack(("context", name), tool, whole=whole) for name in _CONTEXT)
                return next(filter(None, each), "")
        return UNRECORDED

    def facts_for(self, tool: Tool, *, acts: bool = True) -> Facts:
        """The facts again. What is not known has a value that says nothing: only for rules that do not read it.

        Args:
            tool: The definition of then.
            acts: Whether what it acts on is known; else its server.
        """
        said = self.facts or {}
        arguments = self.arguments or {}
        session = said.get("session", {})
        known = {name: session[name] for name in Session._fields if name in session}
        resource = said.get("resource") if acts else None
        return Facts(
            _principal(said.get("principal")), tool, standing(arguments), canonical(arguments), Session(**known),
            said.get("now_us", 0),
            server_resource(tool.server) if resource is None else _resource(resource),
            _traced(said.get("provenance")),
        )  # fmt: skip


_CONTEXT: Final = ("arguments", "session", "time", "provenance")


def _is_judged(tool: Tool, whole: bool) -> bool:
    """Whether it counts, in every deployment, where the arguments of the tool's calls come from.

    It does of writes and outward reads whose author said what arguments are for, or that are a server's; of a plain
    read where one of them is a credential or the like.
    """
    theirs = not tool.sealed and tool.server != "local"
    if tool.writes or tool.outward:
        return not whole or theirs or bool(tool.roles)
    return not WATCHED.isdisjoint(tool.roles.values())


def terms_of(decision: Decision) -> Terms:
    """What a decision comes to where it binds."""
    hold = decision.hold
    if hold is None:
        return Terms(decision.verdict.value, verify=decision.verify)
    return Terms(decision.verdict.value, tuple(sorted(hold.groups)), hold.quorum, hold.expires_s, decision.verify)


def _principal(said: Mapping[str, Any] | None) -> Principal:
    if said is None:
        return NO_ROLES
    return Principal(said["id"], said["tenant"], frozenset(said["roles"]), said["kind"])


def _traced(said: Mapping[str, Any] | None) -> Traced:
    if said is None:
        return UNTRACED
    found = provenance_from_json(said)
    return Traced(lambda: found, profiled=found.profiled, judged=bool(said.get("judged")))


def _resource(said: Mapping[str, Any]) -> Resource:
    return Resource(said["type"], said["id"], said["attributes"])


class Reader:
    """Follows one run's chain from its start, and finds what policy was asked.

    Attributes:
        driver: What says which calls the run makes; empty before its start, or where that was erased.
        starter: Run and call that started it; None where none did.
        unasked: Whether the last event was of a call that did not come as far as policy, and why: the gate.
    """

    def __init__(self) -> None:
        self.driver = ""
        self.starter: tuple[str, str] | None = None
        self.unasked = ""
        self._decided = Decided()
        self._held: set[str] = set()

    def take(self, event: Event) -> Asked | None:
        """What policy was asked with this event; None where it was asked nothing."""
        fact = event.fact
        facts = self._decided.facts(event)
        self.unasked = ""
        if fact.kind is Kind.RUN_STARTED:
            self.driver = fact.body.get("driver", "")
            if "task" in fact.body:
                self.starter = fact.body.get("parent", ""), fact.body["task"].get("call", "")
        if fact.kind is not Kind.CALL_DECIDED:
            return None
        body = fact.body
        again = "proposed" not in body if body else fact.call_id in self._held
        self._held.discard(fact.call_id)
        if fact.outcome == "held":
            self._held.add(fact.call_id)
        if not fact.decision:
            self.unasked = body.get("stop", {}).get("gate", "") or "erased"
            return None
        return Asked(
            run_id=event.chain, call_id=fact.call_id, seq=event.seq, at_us=event.at_us, tool_hash=fact.tool_hash,
            verdict=fact.decision, decision=body.get("decision", {}), facts=facts, arguments=body.get("arguments"),
            tool=body.get("tool"), parent=body.get("proposed", {}).get("parent", ""),
            again=again,
        )  # fmt: skip
