"""A policy asked again about recorded decisions, each by the definition of then; and when it cannot be asked.

Nothing is guessed: where a rule reads what was not recorded, or what a definition that nobody has any more would say,
the call cannot be decided. Which facts rules can read, `policy.memo.reads_of` says.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from interlock.core.decision import Decision
from interlock.core.event import DEFINITIONS, Kind
from interlock.core.tool import CallContext, Effect, Tool
from interlock.errors import PolicyError
from interlock.evals.asked import ERASED, Asked
from interlock.ledger.store import Store
from interlock.policy.cedar import Policy
from interlock.policy.memo import Memo, Path, reads_of
from interlock.policy.schema import action_of
from interlock.registry.foreign import tool_of

LOOKUP, DEFINITION, UNFIT = "lookup", "definition", "unfit"

WHY: Final = {
    ERASED: "what it was decided on was erased",
    "unrecorded": "a fact that the rules read was not recorded",
    "provenance": "where its arguments came from was not recorded",
    LOOKUP: "what it names was not looked up then",
    DEFINITION: "the definition of its tool is not known any more, and the rules read its arguments",
    UNFIT: "the rules do not fit the definition that its tool had",
    "broken": "it stands behind a place where its run's record was changed",
}
"""Why a call cannot be decided."""


class Answer(NamedTuple):
    """What a policy says of a recorded call, or why it cannot be said.

    Attributes:
        decision: What it says; None where it cannot be said.
        why: A key of `WHY`; empty where it can.
        path: The fact that is not there, dotted; empty where it is none.
        tool: The definition of then; None where nobody has it.
        reads: What the rules that concern the tool can read.
        rightless: No call of the tool by this principal could be let, so that nothing is looked up for it, and no other
            fact counts.
    """

    decision: Decision | None
    why: str = ""
    path: str = ""
    tool: Tool | None = None
    reads: tuple[Path, ...] = ()
    rightless: bool = False


class Known:
    """Definitions by digest: those of the tools that there are, and those that the ledger has whole.

    Args:
        tools: Every version of every tool that there is now.
    """

    def __init__(self, tools: Iterable[Tool]) -> None:
        self.tools = tuple(tools)
        self._by_digest = {tool.digest: tool for tool in self.tools}

    async def read(self, store: Store) -> Known:
        """Take in what servers listed and people accepted, and return this.

        Raises:
            LedgerError: It cannot be read.
        """
        for event in await store.read(DEFINITIONS):
            fact = event.fact
            if fact.kind in (Kind.TOOL_SEEN, Kind.TOOL_ACCEPTED) and fact.tool_hash not in self._by_digest:
                try:
                    tool = tool_of(fact.body["definition"])
                except (TypeError, ValueError, KeyError, AttributeError):
                    continue  # set aside, erased, or of a version of Interlock that knew other fields
                if tool.digest == fact.tool_hash:
                    self._by_digest[tool.digest] = tool
        return self

    def find(self, digest: str) -> Tool | None:
        """The definition with this digest; None for one that nobody has."""
        return self._by_digest.get(digest)


@dataclass(frozen=True, slots=True)
class _Ready:
    """A policy that knows the definition of some calls.

    Attributes:
        policy: It.
        tool: The definition, or what stands for one of which only a decision's facts are known.
        reads: What the rules that concern it can read.
        whole: Whether the definition is known.
    """

    policy: Policy
    tool: Tool
    reads: tuple[Path, ...]
    whole: bool


class Again:
    """One policy, asked about what was recorded. Pure but for what it remembers.

    Args:
        policy: Loaded against the tools of now; one that does not fit them asks nothing.
        known: The definitions.

    Attributes:
        policy: As given.
    """

    def __init__(self, policy: Policy, known: Known) -> None:
        self.policy = policy
        self._known = known
        self._ready: Memo[_Ready | str] = Memo(512)

    def ask(self, asked: Asked) -> Answer:
        """What the policy says of the recorded facts, or why it cannot say it."""
        if asked.facts is None or asked.arguments is None or asked.tool is None:
            return Answer(None, ERASED, tool=self._known.find(asked.tool_hash))
        if asked.stopped:
            return Answer(self.policy.refusal("stopped"), tool=self._known.find(asked.tool_hash))
        ready = self._known_as(asked)
        if isinstance(ready, str):
            return Answer(None, ready, tool=self._known.find(asked.tool_hash))
        tool = ready.tool if ready.whole else None
        for path in ready.reads:
            why = asked.lack(path, ready.tool, whole=ready.whole)
            if why or (not ready.whole and _by_definition(path)):
                return Answer(None, why or DEFINITION, ".".join(path), tool, ready.reads)
        facts = asked.facts_for(ready.tool, acts=ready.whole)
        if (ready.tool.entities or asked.unresolved) and not ready.policy.may_have(facts.principal, ready.tool):
            return Answer(ready.policy.refusal("not_available"), tool=tool, rightless=True)
        if asked.unresolved:
            return Answer(None, LOOKUP, "resource", tool, ready.reads)
        return Answer(ready.policy.decide(facts), tool=tool, reads=ready.reads)

    def bars(self, tool_hash: str, asked: Asked) -> bool:
        """Whether no call of a tool could be let for whoever made this one; yes, too, where nobody can say it.

        Args:
            tool_hash: Digest of the tool's definition.
        """
        if asked.facts is None or self._known.find(tool_hash) is None:
            return True
        ready = self._known_as(replace(asked, tool_hash=tool_hash))
        if isinstance(ready, str):
            return True
        return not ready.policy.may_have(asked.facts_for(ready.tool, acts=False).principal, ready.tool)

    def _known_as(self, asked: Asked) -> _Ready | str:
        """The policy with the definition that the call was decided by, made once for each; or why there is none."""
        found = self._ready.get(asked.tool_hash)
        if found is None:
            found = self._made(asked)
            if found != DEFINITION:  # a later record may say more
                self._ready.put(asked.tool_hash, found)
        return found

    def _made(self, asked: Asked) -> _Ready | str:
        tool = self._known.find(asked.tool_hash)
        whole = tool is not None
        if tool is None and (tool := _stand_in(asked)) is None:
            return DEFINITION
        policy = self.policy
        if policy.types_of(tool) is None:
            others = [each for each in self._known.tools if action_of(each) != action_of(tool)]
            try:
                policy = policy.with_tools([*others, tool])
            except PolicyError:
                return UNFIT if whole else DEFINITION
        return _Ready(policy, tool, tuple(sorted(reads_of(policy.concerning(tool)))), whole)


def _by_definition(path: Path) -> bool:
    """Whether what stands there has its type, or its place, by the tool's definition."""
    return (
        path[0] == "resource" or path == ("context",) or path[:2] in (("context", "arguments"), ("context", "counts"))
    )


def _stand_in(asked: Asked) -> Tool | None:
    """A tool with nothing but what a decision sees of a definition, of a call whose definition is gone."""
    said: Any = (asked.facts or {}).get("tool")
    if said is None:
        return None
    try:
        return Tool(
            name=said["name"], server=said["server"], version=said["version"], effect=Effect(said["effect"]),
            category=said["category"], tags=tuple(said["tags"]), outward=said["outward"], keyed=said["keyed"],
            idempotent=said["idempotent"], input_schema={"type": "object"}, body=_nobody,
        )  # fmt: skip
    except (KeyError, ValueError, TypeError):
        return None  # written by a version of Interlock that saw other parts


async def _nobody(arguments: dict[str, Any], context: CallContext) -> object:
    raise AssertionError("a recorded call is decided again, and never runs")
