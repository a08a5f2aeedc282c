"""Which facts a rule can read, and answers remembered by exactly those.

A path is a root (`principal`, `resource`, `context`) and attribute names; it stands for everything below
it. What cannot be followed reads the whole record, so that a path missed is an evaluation more, never a
decision on less.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from operator import attrgetter
from typing import Any, Generic, TypeVar

from cedarpy import pst

from interlock.core.canonical import canonical
from interlock.policy.facts import PROVENANCE, Facts, counts_of, time_of
from interlock.policy.rules import Rule

V = TypeVar("V")

Path = tuple[str, ...]
Reading = Callable[[Facts], Hashable]

WHOLE: frozenset[Path] = frozenset({("principal",), ("resource",), ("context",)})
"""Everything that there is to read."""

_MEMBERSHIP = {"Role": ("principal", "roles"), "Tenant": ("principal", "tenant")}


class Memo(Generic[V]):
    """A bounded map that forgets what was not asked for lately.

    Two generations: when the young one is full it becomes the old one, and what is found in the old one
    is young again. A hit costs one look-up; nothing is moved about.
    """

    def __init__(self, size: int = 4096) -> None:
        self._size = size
        self._young: dict[Hashable, V] = {}
        self._old: dict[Hashable, V] = {}

    def get(self, key: Hashable) -> V | None:
        """The value that was put under the key, unless it is forgotten."""
        found = self._young.get(key)
        if found is None and (found := self._old.get(key)) is not None:
            self.put(key, found)
        return found

    def put(self, key: Hashable, value: V) -> None:
        """Remember the value; at most twice `size` are kept."""
        if len(self._young) >= self._size:
            self._old, self._young = self._young, {}
        self._young[key] = value


def reads_of(rules: Iterable[Rule]) -> frozenset[Path]:
    """The paths that any of the rules can read, without those that lie below another."""
    found: set[Path] = set()
    for rule in rules:
        found.update(_scope_reads("principal", rule.form.principal))
        found.update(_scope_reads("resource", rule.form.resource))
        for clause in rule.form.clauses:
            found.update(expression_reads(clause.expr))
    return frozenset(path for path in found if not any(path[:cut] in found for cut in range(1, len(path))))


def expression_reads(node: object) -> Iterator[Path]:
    """The paths that an expression can read.

    Read in full: a root that stands by itself, but for `principal in Role::"…"` and `in Tenant::"…"`;
    everything, where something is asked of an entity that is not a root, because then its identity counts.
    """
    match node:
        case pst.Var(name):
            if name != "action":  # the tool is not part of the key: each has a memo of its own
                yield (name,)
        case pst.GetAttr() | pst.HasAttr():
            path = _followed(node)
            if path is None:
                yield from WHOLE
            elif path[0] != "action":
                yield path
        case pst.BinaryOp("in", pst.Var("principal"), right):
            yield from _memberships(right)
        case pst.BinaryOp("in", left, right):
            yield from (WHOLE if not isinstance(left, pst.Var) else ())
            yield from expression_reads(left)
            yield from expression_reads(right)
        case pst.BinaryOp("get_tag" | "has_tag"):
            yield from WHOLE
        case pst.Is(pst.Var("principal"), _, None):
            return
        case tuple():
            for part in node:
                yield from expression_reads(part)
        case dict():
            yield from expression_reads(tuple(node.values()))
        case _ if is_dataclass(node):
            for part in fields(node):
                yield from expression_reads(getattr(node, part.name))


def reading(path: Path) -> Reading | None:
    """How to read a path of the facts as a key; None where it is the same for every call of a tool.

    Values of different JSON types never make equal keys, though Python counts 1, 1.0 and True as equal.
    """
    match path:
        case ("principal",):
            return attrgetter("principal")
        case ("principal", name, *_):
            return attrgetter(f"principal.{name}")
        case ("resource",):
            return lambda facts: (facts.resource.type, facts.resource.id, canonical(facts.resource.attributes))
        case ("resource", *rest):
            return lambda facts: _at(facts.resource.attributes, rest)
        case ("context", "arguments", name, *rest):
            return lambda facts: _at(facts.arguments.get(name), rest)
        case ("context", "arguments"):
            return attrgetter("text")
        case ("context", "counts", *_):
            return lambda facts: tuple(counts_of(facts.arguments).items())
        case ("context", "provenance", "least" | "levels" as part, *rest):
            return lambda facts: _at(PROVENANCE[part](facts.traced), rest)
        case ("context", "provenance", "lacks", *_):
            return lambda facts: facts.traced.lacks
        case ("context", "provenance", name, *_):
            return lambda facts: PROVENANCE[name](facts.traced)
        case ("context", "provenance"):
            return lambda facts: (facts.traced.lacks, facts.traced.profiled, facts.traced.provenance)
        case ("context", "session", name, *_):
            return attrgetter(f"session.{name}")
        case ("context", "session"):
            return attrgetter("session")
        case ("context", "time", name, *_):
            return lambda facts: time_of(facts.now_us)[name]
        case ("context", "time"):
            return attrgetter("now_us")
        case ("context", "tool", *_):
            return None
    return lambda facts: (facts.text, facts.session, facts.now_us, facts.traced.lacks, facts.traced.provenance)


def _at(value: Any, path: Iterable[str]) -> Hashable:
    for name in path:
        if not isinstance(value, dict):  # a text that policy sees as a record: a URL, an address
            break
        value = value.get(name)
    if value is None or isinstance(value, str):
        return value
    return (type(value), value) if isinstance(value, bool | int | float) else canonical(value)


def _followed(node: object) -> Path | None:
    match node:
        case pst.Var(name):
            return (name,)
        case pst.GetAttr(base, attr):
            path = _followed(base)
            return None if path is None else (*path, attr)
        case pst.HasAttr(base, attrs):
            path = _followed(base)
            return None if path is None else (*path, *attrs)
    return None


def _scope_reads(root: str, scope: pst.PrincipalOrResourceConstraint) -> Iterator[Path]:
    match scope:
        case pst.ScopeAny():
            return
        case pst.ScopeIs() if root == "principal":  # there is but one type of principal
            return
        case pst.ScopeIn(entity=pst.EntityUid() as group) | pst.ScopeIsIn(entity=pst.EntityUid() as group) if (
            root == "principal"
        ):
            yield _MEMBERSHIP.get(str(group.type), ("principal",))
        case _:
            yield (root,)


def _memberships(groups: object) -> Iterator[Path]:
    members = groups.elements if isinstance(groups, pst.Set) else (groups,)
    for member in members:
        if isinstance(member, pst.EntityLit):
            yield _MEMBERSHIP.get(str(member.value.type), ("principal",))
        else:
            yield ("principal",)
            yield from expression_reads(member)
