"""Where each argument value of a call came from, how far that is trusted, and what of it is not enough.

Worked out by `grounding`, kept with the decision, shown with every refusal and approval, read by rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, NamedTuple

from interlock.core.canonical import Json


class Level(IntEnum):
    """How far a source is trusted, from the least to the most; what is made of several is as the least of them."""

    THIRD = 1
    """Free text by others."""
    MODEL = 2
    """Found nowhere."""
    RECORD = 3
    """An identifying field of a trusted system."""
    ANCHORED = 4
    """Of the record that the user pointed at."""
    USER = 5
    """The authenticated principal's own words in this run."""
    SYSTEM = 6
    """A constant of a reviewed definition, or a truth value."""

    @classmethod
    def least(cls, levels: Iterable[Level]) -> Level:
        """The least trusted of them; `MODEL` where there are none."""
        return min(levels, default=cls.MODEL)

    @property
    def word(self) -> str:
        """As facts, events and people write it: `third` to `system`."""
        return self.name.lower()


ROLES: Final = (
    "target", "selector", "credential", "command", "amount", "content", "content_ref", "control", "fetch"
)  # fmt: skip
"""What an argument is for; spec/provenance.md says what each needs."""

WORDS, PERSON, OPERATOR, DEFINITION = "words", "person", "operator", "definition"
"""Sources that are no call: the user's words, a person who endorsed, the operator's lists, the tool's definition."""


class Evidence(NamedTuple):
    """One place where a value was found.

    Attributes:
        source: Call id of the result that has it, or `words`, `person`, `operator`, `definition`.
        pointer: RFC 6901, into that result; empty for a text.
        begin, end: Characters of the text there, in its normal form; -1 where the whole leaf is equal.
    """

    source: str
    pointer: str = ""
    begin: int = -1
    end: int = -1


class ArgumentOrigin(NamedTuple):
    """Where one leaf of the arguments came from.

    Attributes:
        pointer: RFC 6901, into the arguments.
        role: What it is for, one of `ROLES`.
        level: How far its source is trusted.
        rung: The rung of the ladder that fitted, `r0` to `r8`, or `endorsed`.
        evidence: Where it was found, the best first; at most 4.
        flags: What is odd about it, in order: `invisible`, `confusable`, `mixed_script`, `userinfo`, …
    """

    pointer: str
    role: str
    level: Level
    rung: str
    evidence: tuple[Evidence, ...] = ()
    flags: tuple[str, ...] = ()


class Lack(NamedTuple):
    """What a contract asks for and the call has not.

    Attributes:
        code: A role of `ROLES` whose level is too low, or `mandate`, `link`, `readers`, `trifecta`, ….
        pointer: The argument leaf; empty for the call as a whole.
        needs: The level that would do; None where no level does.
    """

    code: str
    pointer: str = ""
    needs: Level | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What is known of where a call comes from.

    Attributes:
        arguments: Each leaf of the arguments, in their order.
        lacks: What is not as the contracts ask; empty for a call that fits.
        profiled: Somebody said what the tool's arguments are for: its author or the operator.
        mandated: The tool was asked for: by the user's words, by the application, by a person.
        words_seen: The user's own words are known; where not, what was found nowhere may be theirs.
        saw_third: Text by others has entered the run.
        saw_private: What not everybody may read has entered the run.
        sent_out: The run has made an outward call already.
    """

    arguments: tuple[ArgumentOrigin, ...] = ()
    lacks: tuple[Lack, ...] = ()
    profiled: bool = False
    mandated: bool = False
    words_seen: bool = False
    saw_third: bool = False
    saw_private: bool = False
    sent_out: bool = False

    def least(self, role: str) -> Level | None:
        """The least level of the leaves of a role; None where there is none."""
        return min((each.level for each in self.arguments if each.role == role), default=None)

    def as_json(self) -> dict[str, Json]:
        """As events keep it and people read it; what is empty or false is left out."""
        said: dict[str, Json] = {}
        if self.arguments:
            said["arguments"] = {each.pointer: _argument(each) for each in self.arguments}
        if self.lacks:
            said["lacks"] = [_lack(each) for each in self.lacks]
        said |= {name: True for name in _FLAGS if getattr(self, name)}
        return said


_FLAGS: Final = ("profiled", "mandated", "words_seen", "saw_third", "saw_private", "sent_out")

NOTHING_KNOWN: Final = Provenance()
"""Of a call of a plane that does not ask."""


class Quote(NamedTuple):
    """What stands where a value was found, in its normal form.

    Attributes:
        source, pointer: As of the evidence.
        before, text, after: The place, and a little of what stands around it.
    """

    source: str
    pointer: str
    before: str
    text: str
    after: str


def no_quote(evidence: Evidence) -> Quote:
    """Where nobody has the text."""
    return Quote(evidence.source, evidence.pointer, "", "", "")


class Traced:
    """Where one call comes from, worked out when it is first asked for: most plain reads are never asked about.

    Attributes:
        profiled: Somebody said what the tool's arguments are for: its author or the operator.
        judged: What its contracts ask counts. Where not, nothing lacks, and nothing need be worked out to say so.
        quote: What stands where a value was found.
    """

    __slots__ = ("_found", "_work", "judged", "profiled", "quote")

    def __init__(
        self, work: Callable[[], Provenance], *, profiled: bool = False, judged: bool = False,
        quote: Callable[[Evidence], Quote] = no_quote,
    ) -> None:  # fmt: skip
        self.quote = quote
        self.profiled = profiled
        self.judged = judged
        self._work = work
        self._found: Provenance | None = None

    @property
    def provenance(self) -> Provenance:
        """All of it."""
        if self._found is None:
            self._found = self._work()
        return self._found

    @property
    def known(self) -> Provenance | None:
        """All of it where it was asked for already; else None."""
        return self._found

    @property
    def lacks(self) -> tuple[str, ...]:
        """Codes of what lacks, sorted, each once."""
        return tuple(sorted({lack.code for lack in self.provenance.lacks})) if self.judged else ()


UNTRACED: Final = Traced(lambda: NOTHING_KNOWN)
"""Of a call that no run asks about."""


def provenance_from_json(said: Mapping[str, Any]) -> Provenance:
    """What `as_json` wrote."""
    return Provenance(
        arguments=tuple(_argument_from(pointer, each) for pointer, each in said.get("arguments", {}).items()),
        lacks=tuple(
            Lack(each["code"], each.get("pointer", ""), Level[each["needs"].upper()] if "needs" in each else None)
            for each in said.get("lacks", ())
        ),
        **{name: bool(said.get(name, False)) for name in _FLAGS},
    )


def _argument(origin: ArgumentOrigin) -> Json:
    said: dict[str, Json] = {"role": origin.role, "level": origin.level.word, "rung": origin.rung}
    if origin.evidence:
        said["evidence"] = [list(each) for each in origin.evidence]
    if origin.flags:
        said["flags"] = list(origin.flags)
    return said


def _argument_from(pointer: str, said: Mapping[str, Any]) -> ArgumentOrigin:
    return ArgumentOrigin(
        pointer, said["role"], Level[said["level"].upper()], said["rung"],
        tuple(Evidence(*each) for each in said.get("evidence", ())), tuple(said.get("flags", ())),
    )  # fmt: skip


def _lack(lack: Lack) -> Json:
    said: dict[str, Json] = {"code": lack.code}
    if lack.pointer:
        said["pointer"] = lack.pointer
    if lack.needs is not None:
        said["needs"] = lack.needs.word
    return said
