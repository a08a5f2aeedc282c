"""What an operator says of a tool: what its arguments are for, and what of its results is trusted how far."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from typing import Any, Final, NamedTuple

from interlock.core.canonical import canonical, digest
from interlock.core.provenance import Level
from interlock.core.tool import Tool

TARGETS_MAX: Final = 10
"""Distinct targets that a run may send to where the profile says nothing else."""

PUBLIC: Final = "public"
"""Among readers: everybody."""

USER_ONLY: Final = "user"
"""Among readers: nobody but the user."""


_ABOVE_TARGET: Final = frozenset({"credential", "command"})
"""Roles that ask for more than that of a target."""

_KNOWN_MAX: Final = 4096
"""Pointers whose rules are remembered: results name their keys as they like."""


class FieldRule(NamedTuple):
    """Which leaves of a tool's results are more than free text by others.

    Attributes:
        glob: Pointer into the result with `*` for one key or item and `**` for any number; without a slash at its
            beginning, the name of a key anywhere, together with the items of a list under it. A last step `~keys`
            stands for the keys of an object.
        level: What a leaf is that passes the check of its shape.
        shape: One of `typed.SHAPES`.
        secret: Any eight characters of it in what goes out are shown.
    """

    glob: str
    level: Level = Level.RECORD
    shape: str = "name"
    secret: bool = False


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What is trusted of one tool. Never taken from the server that offers it.

    Attributes:
        roles: Pointer glob or name glob of an argument to its role; the most particular one counts. A name stands for
            what is beneath it too. An argument that nothing names is a target.
        shapes: The same to the shape that its values have, one of `typed.SHAPES`.
        fields: Rules for leaves of results, the first that fits.
        default: Level of every other leaf.
        form: `json` where a result that is a text is a JSON document.
        readers: Who may read its results: `public`, `user` (nobody else), globs over targets such as `*@acme.com`, and
            pointer globs such as `/*/participants` to who stands in the record itself; empty where nobody said.
        directory: Its results list who or what belongs to the tenant.
        creates: Pointer into the result: the id of what the call made.
        phrases: What a user says who wants the tool: words in their order, `*` for any few words between.
        allowed: `recipients`, `hosts`, `paths`: globs of what may always be named.
        caps: Argument name to the most that its amount may be.
        nouns: Argument name to words beside which a short number or text is this argument's.
        targets_max: Distinct targets of it that a run may have.
        profiled: Somebody said what the arguments are for.
        reviewed: A person has read it, and the schema's constants with it. One that nobody has read is put in force as
            `until_reviewed` says.
    """

    roles: Mapping[str, str] = field(default_factory=dict)
    shapes: Mapping[str, str] = field(default_factory=dict)
    fields: tuple[FieldRule, ...] = ()
    default: Level = Level.THIRD
    form: str = ""
    readers: tuple[str, ...] = ()
    directory: bool = False
    creates: str = ""
    phrases: tuple[str, ...] = ()
    allowed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    caps: Mapping[str, Decimal] = field(default_factory=dict)
    nouns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    targets_max: int = TARGETS_MAX
    profiled: bool = True
    reviewed: bool = False

    @cached_property
    def digest(self) -> str:
        """Hex SHA-256 of all of it: what decisions and reviews name."""
        return digest("interlock/profile/1", canonical({each.name: _plain(getattr(self, each.name))
                                                        for each in fields(self)})).hex()  # fmt: skip

    def role(self, pointer: str) -> str:
        """What the argument leaf at the pointer is for."""
        return self._said("roles", pointer) or "target"

    def shape(self, pointer: str) -> str:
        """The shape of the argument leaf at the pointer; empty where nothing is said."""
        return self._said("shapes", pointer)

    def rule(self, pointer: str) -> FieldRule | None:
        """The rule for a leaf of a result, by its pointer with `*` for items of lists."""
        known = self._rules
        if pointer in known:
            return known[pointer]
        found = next((rule for rule in self.fields if leaf_fits(rule.glob, pointer)), None)
        if len(known) < _KNOWN_MAX:
            known[pointer] = found
        return found

    def until_reviewed(self) -> Profile:
        """What of it counts before a person has read it: what makes a call stricter, and nothing that raises a level.

        Every argument is a target but a credential and a command, which ask for more.
        """
        strict = {glob: role for glob, role in self.roles.items() if role in _ABOVE_TARGET}
        return Profile(
            roles=strict, readers=self.readers, caps=self.caps, targets_max=min(self.targets_max, TARGETS_MAX),
            profiled=False,
        )  # fmt: skip

    @property
    def private(self) -> bool:
        """Whether not everybody may read its results."""
        return bool(self.readers) and PUBLIC not in self.readers

    @cached_property
    def _known(self) -> dict[tuple[str, str], str]:
        return {}

    @cached_property
    def _rules(self) -> dict[str, FieldRule | None]:
        return {}

    def _said(self, what: str, pointer: str) -> str:
        known, key = self._known, (what, pointer)
        if (found := known.get(key)) is None:
            said: Mapping[str, str] = getattr(self, what)
            plain = without_items(pointer)
            fitting = [glob for glob in said if argument_fits(glob, plain)]
            most = max(map(_particular, fitting), default=None)
            found = max((said[glob] for glob in fitting if _particular(glob) == most), key=_strictness, default="")
            if len(known) < _KNOWN_MAX:
                known[key] = found
        return found


_WORD: Final = re.compile(r"[a-z]+|[A-Z][a-z]*")

NO_PROFILE: Final = Profile(profiled=False)
"""Of a tool of which nobody said anything: every argument is a target, every result is text by others."""


def profile_of(tool: Tool) -> Profile:
    """What the tool's own declaration gives: its roles, and that its author reviewed them where it is an own tool.

    Who says the words of an own tool's name, in their order, wants it.
    """
    if not tool.roles:
        return NO_PROFILE
    own = tool.name if tool.sealed or tool.server == "local" else ""
    return _declared(own, tuple(sorted(tool.roles.items())), reviewed=tool.sealed)


@lru_cache(4096)
def _declared(own: str, roles: tuple[tuple[str, str], ...], *, reviewed: bool) -> Profile:
    words = _WORD.findall(own)
    return Profile(roles=dict(roles), reviewed=reviewed, phrases=(" * ".join(words),) if words else ())


class Profiles:
    """Profiles of tools, by server and name; what they do not have, the tool's own declaration gives."""

    def __init__(self, profiles: Mapping[tuple[str, str], Profile] | None = None) -> None:
        self._profiles = dict(profiles or {})
        self._joined: dict[tuple[str, str], tuple[Tool, Profile]] = {}

    def given(self, tool: Tool) -> Profile | None:
        """What was said of the tool beside its declaration; None for nothing."""
        return self._profiles.get((tool.server, tool.name))

    def of(self, tool: Tool) -> Profile:
        """The profile of the tool. Where what was said says no roles that count, those of its declaration do."""
        said = self.given(tool)
        if said is None:
            return profile_of(tool)
        if said.profiled or not tool.roles:
            return said
        known = self._joined.get((tool.server, tool.name))
        if known is None or known[0] is not tool:
            known = self._joined[tool.server, tool.name] = tool, _joined(said, tool)
        return known[1]


def _joined(said: Profile, tool: Tool) -> Profile:
    declared = profile_of(tool)
    return replace(
        said, roles={**declared.roles, **said.roles}, phrases=said.phrases or declared.phrases, profiled=True,
        reviewed=said.reviewed or declared.reviewed,
    )  # fmt: skip


_STRICT: Final = ("credential", "command", "target", "selector", "fetch", "amount", "content_ref", "content", "control")
_ITEM: Final = re.compile(r"/[0-9]+(?:/|\Z)")


def without_items(pointer: str) -> str:
    """The pointer with `*` for every item of a list, which is what rules and endorsements name."""
    if not _ITEM.search(pointer):
        return pointer
    return "/".join("*" if part.isdigit() else part for part in pointer.split("/"))


def argument_fits(glob: str, pointer: str) -> bool:
    """Whether a glob over arguments is about the leaf at the pointer: it, or what it stands in."""
    parts = _parts(pointer)
    if glob.startswith("/"):
        wanted = _parts(glob)
        return any(_path_fits(wanted, parts[:length]) for length in range(len(parts) + 1))
    return any(fnmatchcase(part, glob) for part in parts)


def leaf_fits(glob: str, pointer: str) -> bool:
    """Whether a glob over results is about the leaf at the pointer."""
    if pointer.endswith("/~keys") and not glob.endswith("~keys"):
        return False  # whoever fills a record in may name its keys, too: stars stand for none
    parts = _parts(pointer)
    if glob.startswith("/") or not glob:
        return _path_fits(_parts(glob), parts)
    while parts and parts[-1] == "*":
        parts = parts[:-1]
    return bool(parts) and fnmatchcase(parts[-1], glob)


def _parts(pointer: str) -> list[str]:
    return [unescaped(part) for part in pointer.split("/")[1:]]


def unescaped(step: str) -> str:
    """One step of a pointer as the key that it names."""
    return step.replace("~1", "/").replace("~0", "~")


def _path_fits(wanted: list[str], parts: list[str]) -> bool:
    if not wanted:
        return not parts
    if wanted[0] == "**":
        return any(_path_fits(wanted[1:], parts[skip:]) for skip in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], wanted[0]) and _path_fits(wanted[1:], parts[1:])


def _particular(glob: str) -> tuple[bool, int, int]:
    """More for what says more: a path before a name, more steps before fewer, fewer stars before more."""
    return glob.startswith("/"), glob.count("/"), -glob.count("*")


def _strictness(said: str) -> int:
    """Of roles that are said by names of equal weight the strictest counts: `text` under `to` is whom it goes to."""
    return len(_STRICT) - _STRICT.index(said) if said in _STRICT else 0


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, FieldRule):
        return [value.glob, value.level.word, value.shape, value.secret]
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    if isinstance(value, Level):
        return value.word
    return str(value) if isinstance(value, Decimal) else value
