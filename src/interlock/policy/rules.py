"""The rules of a policy folder as data: parsed by Cedar, one by one, with file, line and annotations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from cedarpy import policies_to_pst, pst

from interlock.core.decision import Hold
from interlock.errors import PolicyError

DEFAULT_POLICY = Path(__file__).with_name("default.cedar")
"""The policy that gives the four tiers their meaning; in force where nobody wrote another."""

_TOKEN = re.compile(r'//[^\n\r]*|"(?:\\.|[^"\\])*"|;', re.DOTALL)
_BLANK = re.compile(r"(?:\s|//[^\n\r]*)*")
_ID = re.compile(r"[!-~]{1,100}")
_EXPIRES = re.compile(r"([1-9][0-9]{0,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_EXPIRES_MAX_S = 30 * 86_400
_QUORUM_MAX = 10


class Source(NamedTuple):
    """One policy file.

    Attributes:
        name: File name, as messages say it.
        text: What stands in it.
    """

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One statement.

    Attributes:
        rule_id: Its `@id`, else `file:line`; unique within the policy.
        file, line: Where it starts.
        permits: True for `permit`, False for `forbid`.
        text: The statement as written.
        form: Its syntax tree, under its id and without the annotations.
        approvers: Groups that may release what this rule forbids; empty for a rule that nobody can release.
        quorum: People who must agree.
        expires_s: Seconds that a request stays open; None for the tier's usual time.
        verify: A second model must agree as well.
    """

    rule_id: str
    file: str
    line: int
    permits: bool
    text: str
    form: pst.Template
    approvers: frozenset[str]
    quorum: int
    expires_s: int | None
    verify: bool

    @property
    def place(self) -> str:
        """Where it stands, as `file:line`."""
        return f"{self.file}:{self.line}"

    @property
    def holds(self) -> bool:
        """Whether people may release what it forbids."""
        return bool(self.approvers)

    def hold(self, usual_s: int) -> Hold:
        """What releases it, with the tier's usual time where the rule names none."""
        expires_s = usual_s if self.expires_s is None else self.expires_s
        return Hold(groups=self.approvers, quorum=self.quorum, expires_s=expires_s, rules=(self.rule_id,))

    def names(self, kind: str) -> frozenset[str]:
        """Ids of the entities of a type that it names: of `Role`, the roles; of `Action`, tools and their groups."""
        return frozenset(uid.id for uid in pst.entity_uids(self.form) if str(uid.type) == kind)

    def concerns(self, action: str, groups: frozenset[str]) -> bool:
        """Whether its action scope admits a tool: its action id, and that with all of its groups."""
        scope = self.form.action
        if isinstance(scope, pst.ActionEq):
            return scope.entity.id == action
        if isinstance(scope, pst.ActionIn):
            return not groups.isdisjoint(entity.id for entity in scope.entities)
        return True


def read_sources(path: Path) -> tuple[Source, ...]:
    """The `*.cedar` files of a folder in the order of their names, or the one file named.

    Raises:
        PolicyError: Nothing is there, a file is not UTF-8, or one lies deeper, where it would never be read.
    """
    if path.is_dir():
        files = sorted(path.glob("*.cedar"))
        if deeper := sorted(set(path.rglob("*.cedar")).difference(files)):
            raise PolicyError(
                f"{deeper[0]} lies in a subfolder and would not be read",
                code="policy.unread",
                remedy=f"Move it to {path}.",
            )
    else:
        files = [path]
    if not files:
        raise PolicyError(
            f"no *.cedar file in {path}", code="policy.empty", remedy="Write one, or leave the folder unset."
        )
    try:
        return tuple(Source(file.name, file.read_text(encoding="utf-8")) for file in files)
    except OSError as error:
        raise PolicyError(f"{error.filename}: {error.strerror}", code="policy.unreadable") from None
    except UnicodeDecodeError:
        raise PolicyError(f"a file of {path} is not UTF-8", code="policy.unreadable") from None


def parse_rules(sources: Sequence[Source]) -> tuple[Rule, ...]:
    """Every statement of the sources as a rule.

    Raises:
        PolicyError: With file and line: a statement does not parse, is a template, has an annotation that
            is not known or makes no sense there, or an id that another one has.
    """
    rules: dict[str, Rule] = {}
    for source in sources:
        for line, text in _statements(source):
            rule = _rule(source.name, line, text)
            if rule.rule_id in rules:
                other = rules[rule.rule_id].place
                raise _error(source.name, line, "id", f"the id {rule.rule_id!r} is that of {other} already")
            rules[rule.rule_id] = rule
    return tuple(rules.values())


def _statements(source: Source) -> Iterator[tuple[int, str]]:
    """Each statement with the line on which it starts.

    Cedar parses; this only finds the semicolons. The pieces are the whole file, and each must parse as one
    rule, so a piece cut in the wrong place is an error and never another rule.
    """
    text, start = source.text, 0
    for token in _TOKEN.finditer(text):
        if token[0] != ";":
            continue
        begin = _end_of_blank(text, start)
        yield text.count("\n", 0, begin) + 1, text[begin : token.end()]
        start = token.end()
    if (begin := _end_of_blank(text, start)) != len(text):
        raise _error(source.name, text.count("\n", 0, begin) + 1, "parse", "the last rule has no semicolon")


def _end_of_blank(text: str, start: int) -> int:
    blank = _BLANK.match(text, start)
    assert blank is not None, "nothing is blank too"
    return blank.end()


def _rule(file: str, line: int, text: str) -> Rule:
    try:
        forms = policies_to_pst(text)
    except ValueError as error:
        raise _error(file, line, "parse", str(error)) from None
    if forms.templates:
        raise _error(file, line, "template", "a template decides nothing", "Write out ?principal and ?resource.")
    assert len(forms.static_policies) == 1, "one semicolon, one rule"
    [form] = forms.static_policies.values()
    permits = form.effect == "permit"
    notes = _Notes(file, line, form.annotations)
    rule_id = notes.rule_id()
    rule = Rule(
        rule_id=rule_id,
        file=file,
        line=line,
        permits=permits,
        text=text,
        form=replace(form, id=rule_id, annotations={}),
        approvers=notes.approvers(),
        quorum=notes.quorum(),
        expires_s=notes.expires_s(),
        verify=notes.verify(),
    )
    notes.check(permits)
    return rule


class _Notes:
    """The annotations of one rule: five are known, and each has one form."""

    _KNOWN = ("id", "approvers", "quorum", "expires", "verify")

    def __init__(self, file: str, line: int, said: Mapping[str, str]) -> None:
        self._place = (file, line)
        self._said = said
        for name in said:
            if name not in self._KNOWN:
                known = ", ".join("@" + each for each in self._KNOWN)
                raise self._wrong(f"@{name} is not known", f"Known: {known}.")

    def rule_id(self) -> str:
        file, line = self._place
        said = self._said.get("id", f"{file}:{line}")
        if not said or not _ID.fullmatch(said):
            raise self._wrong("@id needs a name of 1 to 100 printable characters without spaces")
        return said

    def approvers(self) -> frozenset[str]:
        if "approvers" not in self._said:
            return frozenset()
        groups = [group.strip() for group in self._said["approvers"].split(",")]
        if not all(groups) or len(set(groups)) != len(groups):
            raise self._wrong("@approvers needs different group names, separated by commas")
        return frozenset(groups)

    def quorum(self) -> int:
        said = self._said.get("quorum", "1")
        if not (said.isascii() and said.isdigit() and 1 <= int(said) <= _QUORUM_MAX):
            raise self._wrong(f"@quorum needs a whole number from 1 to {_QUORUM_MAX}, as text")
        return int(said)

    def expires_s(self) -> int | None:
        if "expires" not in self._said:
            return None
        found = _EXPIRES.fullmatch(self._said["expires"])
        seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
        if not 0 < seconds <= _EXPIRES_MAX_S:
            raise self._wrong("@expires needs a time such as 15m, 24h or 7d, at most 30d")
        return seconds

    def verify(self) -> bool:
        if self._said.get("verify"):
            raise self._wrong("@verify takes no value")
        return "verify" in self._said

    def check(self, permits: bool) -> None:
        """Refuse what parses and means nothing: its author believes in a safeguard that is not there."""
        only_holds = [name for name in ("approvers", "quorum", "expires") if name in self._said]
        if permits and only_holds:
            raise self._wrong(f"@{only_holds[0]} means nothing on a permit", "Put it on a forbid.")
        if not permits and "approvers" not in self._said and (only_holds or "verify" in self._said):
            name = only_holds[0] if only_holds else "verify"
            raise self._wrong(f"@{name} means nothing on a forbid without @approvers", "Say who may release it.")

    def _wrong(self, what: str, remedy: str = "") -> PolicyError:
        return _error(*self._place, "annotation", what, remedy)


def _error(file: str, line: int, code: str, what: str, remedy: str = "") -> PolicyError:
    return PolicyError(f"{file}:{line}: {what}", code=f"policy.{code}", remedy=remedy)
