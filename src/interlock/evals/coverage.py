"""What of a policy is used: which rules decide recorded calls, and which tools and roles no rule or call ever meets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from interlock.core.event import Event, Kind
from interlock.core.tool import Tool
from interlock.evals.again import Again
from interlock.evals.asked import Reader
from interlock.evals.walk import Walked, Window, walk
from interlock.ledger.store import Store
from interlock.policy.cedar import Policy
from interlock.policy.rules import Rule

NO_PERMIT = "no_permit"


@dataclass(slots=True, kw_only=True)
class Coverage:
    """What was found.

    Attributes:
        policy: The rules.
        tools: Every tool that there is.
        calls: Recorded calls that the policy was asked about again.
        undecided: Why it could not be asked about others, to how many.
        rules: Rule to the calls that it decides, alone or with others.
        fell: Tool to its calls that nothing permits.
        used: Tool to its calls that were asked about.
        seen: Roles that a calling principal had.
        walked: What was read.
    """

    policy: Policy
    tools: tuple[Tool, ...]
    calls: int = 0
    undecided: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    fell: Counter[str] = field(default_factory=Counter)
    used: Counter[str] = field(default_factory=Counter)
    seen: set[str] = field(default_factory=set)
    walked: Walked = field(default_factory=Walked)

    @property
    def idle(self) -> list[Rule]:
        """Rules that decide none of the calls, in the order of the files."""
        return [rule for rule in self.policy.rules if not self.rules[rule.rule_id]]

    @property
    def unreachable(self) -> tuple[Rule, ...]:
        """Those of them that concern no tool that there is."""
        return self.policy.unreachable()

    @property
    def unmatched(self) -> list[str]:
        """Tools that no rule permits anything of: every call is denied, whoever makes it."""
        return [tool.name for tool in self.tools if not any(rule.permits for rule in self.policy.concerning(tool))]

    @property
    def never_permitted(self) -> list[str]:
        """Tools that were called, and of which nothing permits a single call."""
        return [tool for tool, count in self.used.items() if self.fell[tool] == count]

    @property
    def unseen(self) -> list[str]:
        """Roles that a rule names and no caller had."""
        return sorted(_roles(self.policy.rules) - self.seen)

    def as_json(self) -> dict[str, Any]:
        """All of it, for a program."""
        dead = {rule.rule_id for rule in self.unreachable}
        return {
            "policy": self.policy.digest,
            "calls": self.calls,
            "undecidable": dict(self.undecided),
            "rules": [
                {
                    "rule": rule.rule_id, "place": rule.place, "decided": self.rules[rule.rule_id],
                    "unreachable": rule.rule_id in dead,
                }
                for rule in self.policy.rules
            ],
            "unused_rules": [rule.rule_id for rule in self.idle],
            "unmatched_tools": self.unmatched,
            "never_permitted_tools": self.never_permitted,
            "unseen_roles": self.unseen,
        }  # fmt: skip


async def coverage(store: Store, window: Window, again: Again, tools: Iterable[Tool]) -> Coverage:
    """Ask a policy about every recorded call of a tenant within a time, and count what decides. Nothing is dialled.

    Args:
        tools: Those that there are now.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    found = Coverage(policy=again.policy, tools=tuple(tools))

    def broken(event: Event) -> None:
        if event.fact.kind is Kind.CALL_DECIDED and event.fact.decision:
            found.undecided["broken"] += 1

    found.walked = await walk(store, window, lambda run_id: _Run(again, found), broken)
    return found


class _Run:
    """One run, followed."""

    def __init__(self, again: Again, found: Coverage) -> None:
        self._again, self._found = again, found
        self._reader = Reader()

    def take(self, event: Event, *, told: bool) -> None:
        """See `Follower.take`."""
        asked = self._reader.take(event)
        if asked is None or not told or asked.again:
            return
        found = self._found
        answer = self._again.ask(asked)
        found.seen.update((asked.facts or {}).get("principal", {}).get("roles", ()))
        if answer.decision is None:
            found.undecided[answer.why] += 1
            return
        found.calls += 1
        found.used[asked.name] += 1
        reasons = answer.decision.reasons
        found.rules.update(each.removeprefix("rule:") for each in reasons if each.startswith("rule:"))
        found.fell[asked.name] += NO_PERMIT in reasons or "not_available" in reasons

    def end(self) -> None:
        """See `Follower.end`."""


def _roles(rules: Iterable[Rule]) -> frozenset[str]:
    return frozenset(role for rule in rules for role in rule.names("Role"))
