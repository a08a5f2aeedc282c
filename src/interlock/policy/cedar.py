"""A policy in force: rules read from a folder, checked against the tools, and asked for decisions.

Cedar itself skips a rule that errors; here any error denies. A `forbid` with `@approvers` holds the call
for people instead, where something permits it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from interlock.core.canonical import Written, canonical, digest
from interlock.core.decision import Decision, Mode, Verdict
from interlock.core.principal import Principal
from interlock.core.tool import Effect, Tool
from interlock.errors import PolicyError
from interlock.policy.check import check, unreachable
from interlock.policy.entitle import relaxed
from interlock.policy.evaluator import Evaluator
from interlock.policy.facts import Facts, Session, forged, record_of, server_resource
from interlock.policy.memo import WHOLE, Memo
from interlock.policy.rules import DEFAULT_POLICY, Rule, Source, parse_rules, read_sources
from interlock.policy.schema import ToolTypes, action_of, cedar_schema, tool_facts, types_of
from interlock.policy.shape import Gap

HOLD_S = {Effect.PRIVILEGED: 900}
"""Seconds that a request of a tier stays open where its rules name no `@expires` (spec: approvals)."""

HOLD_USUAL_S = 86_400
"""The same for every other tier."""


class Policy:
    """Rules in force for a set of tools. Immutable; a changed file or tool makes another one.

    Attributes:
        digest: Hex SHA-256 of the sources and of what they can see of the tools.
        files: Hex SHA-256 of the sources alone, the shadow's among them.
        mode: Whether decisions bind.
        rules: Every rule, in the order of the files.
        approvers: Every group that may release what some rule holds.
        shadow: A candidate that is asked as well and only recorded; None for none.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        tools: Iterable[Tool],
        *,
        mode: Mode = Mode.ENFORCE,
        shadow: Policy | None = None,
    ) -> None:
        """Parse and check the sources against the tools.

        Raises:
            PolicyError: With file and line: what does not parse, names something that does not exist or
                has another type, or is an annotation that means nothing there.
        """
        tools = list(tools)
        self.mode = mode
        self.shadow = shadow
        self.rules = parse_rules(sources)
        self.approvers = frozenset(group for rule in self.rules for group in rule.approvers)
        self._sources = tuple(sources)
        self._types, self._versions = _types(tools)
        check(self.rules, self._types.values())
        for layer in _layers(self._versions.values()):  # a rule must fit every version of the tools that it is about
            check(self.rules, (self._types | layer).values())
        self.digest = _digest(self._sources, (*self._types.values(), *self._versions.values()))
        self.files = _files(self._sources, shadow)
        self._by_id = {rule.rule_id: rule for rule in self.rules}
        self._compiled: dict[tuple[str, str], _Compiled] = {}
        self._decisions: Memo[Decision] = Memo()
        self._determined: Memo[Decision] = Memo(256)
        self._rights: Memo[str] = Memo()

    @classmethod
    def load(
        cls, path: Path | None, tools: Iterable[Tool], *, mode: Mode = Mode.ENFORCE, shadow: Path | None = None
    ) -> Policy:
        """The policy in a folder of `*.cedar` files, or in one file, checked against the tools.

        Args:
            path: None for the policy that ships, `default.cedar`.
            shadow: Folder or file of a candidate that is asked as well and only recorded.

        Raises:
            PolicyError: With file and line; nothing of it is in force.
        """
        tools = list(tools)
        candidate = cls.load(shadow, tools, mode=Mode.EVALUATE_ONLY) if shadow is not None else None
        return cls(read_sources(path or DEFAULT_POLICY), tools, mode=mode, shadow=candidate)

    def with_tools(self, tools: Iterable[Tool]) -> Policy:
        """The same sources and mode, checked against other tools.

        Raises:
            PolicyError: A rule does not fit them; this policy stays as it is.
        """
        tools = list(tools)
        shadow = self.shadow.with_tools(tools) if self.shadow is not None else None
        return Policy(self._sources, tools, mode=self.mode, shadow=shadow)

    def decide(self, facts: Facts) -> Decision:
        """Allow, deny, or hold for approval. An error anywhere denies.

        About 1 µs where the decision on these facts is remembered; else one evaluation, and for a held
        call a second one, which asks whether anything permits it.
        """
        compiled = self._compile(facts.tool)
        if compiled is None:
            return self.refusal("error", f"the policy does not know this definition of {facts.tool.name!r}")
        if forged(facts.text):
            return self.refusal("error", "an argument key is one of Cedar's own")
        key = (compiled.types.tool.digest, compiled.whole.key(facts))
        decision = self._decisions.get(key)
        if decision is None:
            decision = self._evaluate(compiled, facts)
            self._decisions.put(key, decision)
        if self.shadow is not None:
            decision = replace(decision, shadow=self.shadow.decide(facts))
        return decision

    def may_have(self, principal: Principal, tool: Tool) -> bool:
        """Whether any call of the tool by this principal could be allowed or held; never a wrong no."""
        compiled = self._compile(tool)
        if compiled is None:
            return False
        facts = Facts(principal, tool, {}, b"{}", _NO_SESSION, 0, server_resource(tool.server))
        key = (compiled.types.tool.digest, compiled.rights.key(facts))
        found = self._rights.get(key)
        if found is None:
            answer = compiled.rights.ask(facts)
            found = "yes" if answer.allowed or answer.errors else "no"
            self._rights.put(key, found)
        return found == "yes"

    def refusal(self, reason: str, error: str = "") -> Decision:
        """A denial for a reason that is no rule's: `stopped`, `not_available`, `error`.

        Args:
            error: What it was, for the audit.
        """
        return Decision(
            verdict=Verdict.DENY,
            reasons=(reason,),
            policy_digest=self.digest,
            mode=self.mode,
            errors=(error,) if error else (),
        )

    def record(self, facts: Facts) -> Written:
        """The facts as they are kept with the decision; see `facts.record_of`."""
        compiled = self._compile(facts.tool)
        return record_of(facts, tool_facts(facts.tool) if compiled is None else compiled.types.facts)

    def tool(self, action: str) -> Tool | None:
        """The tool of an action id (`refund`, `server:refund`), among those that the policy was checked against."""
        types = self._types.get(action)
        return None if types is None else types.tool

    def concerning(self, tool: Tool) -> tuple[Rule, ...]:
        """The rules whose action scope admits the tool."""
        compiled = self._compile(tool)
        return () if compiled is None else compiled.whole.rules

    def types_of(self, tool: Tool) -> ToolTypes | None:
        """What the policy can see of a tool; None for a definition that it was not checked against."""
        types = self._types.get(action_of(tool))
        known = types is not None and (types.tool is tool or types.tool.digest == tool.digest)
        return types if known else self._versions.get(tool.digest)

    def unreachable(self) -> tuple[Rule, ...]:
        """The rules that concern no tool that there is: dead, or waiting for one."""
        return unreachable(self.rules, self._types.values())

    def untyped(self) -> dict[str, tuple[Gap, ...]]:
        """Tool to the parts of its arguments that no rule can see; tools without any are left out."""
        return {types.tool.name: types.gaps for types in self._types.values() if types.gaps}

    def _compile(self, tool: Tool) -> _Compiled | None:
        found = self._compiled.get((tool.name, tool.version))
        if found is not None and found.types.tool is tool:
            return found
        types = self.types_of(tool)
        if types is None:
            return None
        found = self._compiled[tool.name, tool.version] = _Compiled(types, self.rules)
        return found

    def _evaluate(self, compiled: _Compiled, facts: Facts) -> Decision:
        answer = compiled.whole.ask(facts)
        if answer.errors:
            return self.refusal("error", "; ".join(answer.errors))
        if answer.allowed:
            return self._decision(Verdict.ALLOW, answer.rules)
        rules = [self._by_id[rule_id] for rule_id in answer.rules]
        if final := [rule.rule_id for rule in rules if not rule.holds]:
            return self._decision(Verdict.DENY, final)
        # Cedar names the forbids alone, so whether anything permits has to be asked without the holds.
        permit = compiled.without_holds.ask(facts) if rules else answer
        if permit.errors or not permit.allowed:
            return Decision(verdict=Verdict.DENY, reasons=("no_permit",), policy_digest=self.digest, mode=self.mode)
        return self._held(facts.tool, rules, permit.rules)

    def _held(self, tool: Tool, rules: list[Rule], permits: Sequence[str]) -> Decision:
        usual_s = HOLD_S.get(tool.effect, HOLD_USUAL_S)
        hold = rules[0].hold(usual_s)
        for rule in rules[1:]:
            hold = hold.join(rule.hold(usual_s))
        decision = self._decision(Verdict.ALLOW, [*(rule.rule_id for rule in rules), *permits])
        return replace(decision, verdict=Verdict.REQUIRE_APPROVAL, hold=hold)

    def _decision(self, verdict: Verdict, rules: Sequence[str]) -> Decision:
        """What these rules determine: one object, however many facts lead there, because its text is kept with it."""
        key = (verdict, *rules)
        found = self._determined.get(key)
        if found is None:
            found = Decision(
                verdict=verdict,
                reasons=tuple(f"rule:{rule_id}" for rule_id in rules),
                policy_digest=self.digest,
                verify=verdict is Verdict.ALLOW and any(self._by_id[rule_id].verify for rule_id in rules),
                mode=self.mode,
            )
            self._determined.put(key, found)
        return found


_NO_SESSION = Session()


class _Compiled:
    """What of the policy concerns one tool, compiled when it is first asked for."""

    def __init__(self, types: ToolTypes, rules: Sequence[Rule]) -> None:
        self.types = types
        self.whole = Evaluator(types, rules)

    @cached_property
    def without_holds(self) -> Evaluator:
        """Every rule but those that people may release."""
        return Evaluator(self.types, [rule for rule in self.whole.rules if not rule.holds])

    @cached_property
    def rights(self) -> Evaluator:
        """As far as principal and definition decide; the resource is not known yet."""
        return Evaluator(replace(self.types, resources=("Server",)), relaxed(self.whole.rules))


def _types(tools: Sequence[Tool]) -> tuple[dict[str, ToolTypes], dict[str, ToolTypes]]:
    """What rules see of the tools: of the first version of each by action, and of further ones by digest.

    A version is the same action with types of its own, by which its calls are decided.
    """
    lookups: dict[str, Tool] = {}
    for tool in tools:
        lookups.setdefault(tool.name, tool)
    found: dict[str, ToolTypes] = {}
    versions: dict[str, ToolTypes] = {}
    for tool in tools:
        types = types_of(tool, lookups)
        first = found.setdefault(types.action, types)
        if first is types:
            continue
        if (first.tool.server, first.tool.name) != (tool.server, tool.name) or first.tool.version == tool.version:
            raise PolicyError(f"two tools are named {types.action!r}", code="policy.tool", remedy="Rename one.")
        versions[tool.digest] = types
    return found, versions


def _layers(versions: Iterable[ToolTypes]) -> list[dict[str, ToolTypes]]:
    """Further versions of tools, of each tool one at a time."""
    found: list[dict[str, ToolTypes]] = []
    for types in versions:
        layer = next((each for each in found if types.action not in each), None)
        if layer is None:
            found.append(layer := {})
        layer[types.action] = types
    return found


def _files(sources: Sequence[Source], shadow: Policy | None) -> str:
    texts = canonical([[source.name, source.text] for source in sources])
    return digest("interlock/policy-files/1", texts, b"" if shadow is None else shadow.files.encode()).hex()


def _digest(sources: Sequence[Source], tools: Iterable[ToolTypes]) -> str:
    texts = [part.encode() for source in sources for part in source]
    seen = [canonical([types.action, types.facts, cedar_schema([types], WHOLE)]) for types in tools]
    return digest("interlock/policy/1", len(texts).to_bytes(8, "big"), *texts, *seen).hex()
