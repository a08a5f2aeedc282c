"""What a tool that nobody has reviewed probably does, guessed from its words: where it is unsure, a write.

A guess is where a review begins, and nothing more: it is written into the operator's settings with its reason, and the
operator's word is what binds. What a server claims of its tool may raise the guess and never lowers it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from interlock.core.tool import Effect

_WORD: Final = re.compile(r"[A-Za-z]+")
_SEAM: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SENTENCE_END: Final = re.compile(r"[.!?\n]")


def _third_person(verb: str) -> str:
    if verb.endswith(("s", "sh", "ch", "x", "z")):
        return f"{verb}es"
    return f"{verb[:-1]}ies" if verb.endswith("y") and verb[-2:-1] not in "aeiou" else f"{verb}s"


_READING: Final = frozenset(
    "get list search find read view check show describe fetch retrieve query lookup look count compare preview "
    "inspect calculate compute estimate analyze analyse echo explain summarize tail head cat grep diff info stats "
    "trend latest size think is has poll scan see display determine extract detect locate resolve suggest recommend "
    "translate parse give identify enumerate load transcribe filter measure obtain provide".split()
)
"""How the name or the description of a read begins. Not among them: `download`, `export`, `browse`, `visit`, `simulate`
and `convert`, which begin writes as well."""

_DELETING: Final = frozenset(
    "delete remove destroy erase purge wipe truncate drop clear empty trash uninstall terminate kill cancel revoke "
    "void overwrite expire".split()
)

_SENDING: Final = frozenset(
    "send post pay transfer refund buy sell order purchase book publish submit deploy merge email mail notify forward "
    "reply message tweet charge withdraw deposit wire ship fund sign redeliver dispatch call dial print release "
    "settle capture execute run start trigger launch invoke".split()
)

_RULING: Final = frozenset(
    "grant approve authorize invite impersonate elevate sudo enroll ban block unblock suspend".split()
)

_CHANGING: Final = frozenset(
    "add create update set write put patch insert reserve schedule reschedule share enable disable reset toggle "
    "reject close reopen open lock unlock archive unarchive move rename replace copy upload append modify edit change "
    "stop restart reboot install register unregister subscribe unsubscribe assign unassign make place cast commit "
    "push clone init fork checkout apply activate deactivate resume refuel exchange accept decline confirm connect "
    "disconnect save store import sync upsert mark pin unpin star unstar follow unfollow mute kick join leave rerun "
    "request attach detach link unlink transition complete finalize issue top reverse rotate generate refresh build "
    "migrate restore revert rate log return".split()
)

_EITHER: Final = frozenset(
    "order report request issue set run commit log charge transfer refund dispute place store call rate change "
    "schedule build link top use star invite import post release fork book share trigger block access follow open "
    "start close make generate save complete apply print sign message mail email fund wire ship return deposit "
    "release lock pin mark copy move stop".split()
)
"""Verbs that are nouns as often: they say something only where they come first."""

_WRITING: Final = _DELETING | _SENDING | _RULING | _CHANGING
_PLAINLY: Final = _WRITING - _EITHER

_SAID: Final = {_third_person(verb): verb for verb in _READING | _WRITING - {"return"}} | {"returns": "get"}
"""How a description says a verb to the verb: `gets`. What returns something gets it; to return something is a write."""

_RUNS_TEXT: Final = frozenset({"sql", "command", "cmd", "code", "script", "shell", "argv", "statement"})
"""Parameters whose text is run: nobody can say what it does."""

_CARRIES_OUT: Final = frozenset({"url", "uri", "urls", "href", "endpoint", "webpage"})
"""Parameters by which a read tells somebody else what is asked."""


class Guess(NamedTuple):
    """What a tool probably does.

    Attributes:
        effect: Its risk tier.
        why: What of its words says so, for whoever reviews it.
        outward: Whether it is a read that carries data out.
        sure: Whether anything said so; without, it is taken for a write.
    """

    effect: Effect
    why: str
    outward: bool = False
    sure: bool = True


def guess(
    name: str, description: str, schema: Mapping[str, Any] | None = None, claims: Mapping[str, Any] | None = None
) -> Guess:
    """What a tool probably does, by its name, its description, its parameters and what its server claims.

    Args:
        claims: MCP annotations.
    """
    parameters = frozenset(_names(schema or {}))
    said = _by_words(name, description, parameters)
    claimed = _claimed(claims or {})
    return claimed if claimed is not None and claimed.effect.rank > said.effect.rank else said


def _by_words(name: str, description: str, parameters: frozenset[str]) -> Guess:
    if runs := sorted(parameters & _RUNS_TEXT):
        return Guess(Effect.PRIVILEGED, f"it runs what its parameter {runs[0]!r} says")
    named = _words(name.rsplit("/", 1)[-1])
    told = [_SAID.get(word, word) for word in _words(_SENTENCE_END.split(description.strip(), maxsplit=1)[0])]
    first, begins = (named or [""])[0], (told or [""])[0]
    if first in _WRITING:
        return Guess(_tier(first), f"its name begins with {first!r}")
    if first in _READING:
        if begins in _PLAINLY:
            return Guess(_tier(begins), f"its description begins with {begins!r}")
        return _read(f"its name begins with {first!r}", parameters)
    if plain := [word for word in named if word in _PLAINLY]:
        return Guess(_tier(plain[0]), f"its name says {plain[0]!r}")
    if begins in _READING and not _PLAINLY.intersection(told):
        return _read(f"its description begins with {begins!r}", parameters)
    if begins in _WRITING:
        return Guess(_tier(begins), f"its description begins with {begins!r}")
    return Guess(Effect.IRREVERSIBLE, "nothing says that it only reads", sure=False)


def _read(why: str, parameters: frozenset[str]) -> Guess:
    carried = sorted(parameters & _CARRIES_OUT)
    if carried:
        return Guess(Effect.READ, f"{why}; its parameter {carried[0]!r} carries data out", outward=True)
    return Guess(Effect.READ, why)


def _tier(verb: str) -> Effect:
    if verb in _RULING:
        return Effect.PRIVILEGED
    return Effect.IRREVERSIBLE if verb in _DELETING or verb in _SENDING else Effect.REVERSIBLE


def _claimed(claims: Mapping[str, Any]) -> Guess | None:
    if claims.get("destructiveHint") is True and claims.get("readOnlyHint") is not True:
        return Guess(Effect.IRREVERSIBLE, "its server says that it destroys")
    if claims.get("readOnlyHint") is False:
        return Guess(Effect.REVERSIBLE, "its server says that it is no read")
    return None


def _names(schema: Mapping[str, Any]) -> list[str]:
    properties = schema.get("properties")
    return [word for name in properties for word in _words(str(name))] if isinstance(properties, Mapping) else []


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(_SEAM.sub(" ", text))]
