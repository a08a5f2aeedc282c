"""What a person is shown of a request before they decide: what will run, where it comes from, what stands out. Pure.

Made of the request's own bytes. Nothing is cut: what is long is folded, with its length and digest, and whoever
approves something privileged says of every fold that they have read it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, NamedTuple

from interlock.approvals.endorsing import TOOL
from interlock.approvals.suggest import leaves
from interlock.asked import Asked
from interlock.core.canonical import Json, pointer
from interlock.core.origins_said import LEVELS, lack_text
from interlock.core.provenance import DEFINITION, OPERATOR, PERSON, WORDS
from interlock.core.visible import Stretch, name_of, visible, visible_json, visible_lines
from interlock.gist import Named, money, recipients

LONG: Final = 600
LINES: Final = 16
"""Characters and lines from which on a text is folded."""

_ACCOUNTED: Final = {WORDS: "the user's words", PERSON: "a person who answers for it", OPERATOR: "the operator's lists",
                     DEFINITION: "the tool's definition"}  # fmt: skip
_NEVER: Final = "credential"


class Text(NamedTuple):
    """A text or a value as it is shown: all of it.

    Attributes:
        parts: The text in order, with what hides as escapes.
        length: Characters of the text.
        digest: SHA-256 of it, hex.
        long: Whether it is folded.
        id: Names the fold on its page, and what somebody says to have read.
    """

    parts: tuple[Stretch, ...]
    length: int
    digest: str
    long: bool
    id: str


class Place(NamedTuple):
    """Where a value was found.

    Attributes:
        source: Whose text or result it is.
        call_id: The call whose result it is; empty for none.
        at: RFC 6901 pointer into it; empty for a text.
        before, text, after: What stands there.
    """

    source: str
    call_id: str
    at: str
    before: str
    text: str
    after: str


class Origin(NamedTuple):
    """Where one leaf of an argument comes from.

    Attributes:
        pointer: RFC 6901, into the arguments.
        role: What it is for.
        level: How far its source is trusted, in words.
        rung: The rung of the ladder that fitted.
        flags: What is odd about it.
        places: Where it was found.
        lacks: What is not enough, in words.
        endorsable: Whether somebody may answer for it.
    """

    pointer: str
    role: str
    level: str
    rung: str
    flags: tuple[str, ...]
    places: tuple[Place, ...]
    lacks: tuple[str, ...]
    endorsable: bool


class Argument(NamedTuple):
    """One argument, with where its parts come from."""

    name: str
    value: Text
    origins: tuple[Origin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Everything that is shown of what would run.

    Attributes:
        arguments: In their order.
        recipients: Addresses and hosts among the arguments, with their domains.
        money: Amounts among them.
        words: The user's own words; None where they were not seen.
        lacks: What the call as a whole has not.
        tool_endorsable: Whether somebody may say that the tool is wanted.
        hidden: What nobody would see, or would misread: name and how often.
        concerns: What a second reader says against it.
        words_seen: Whether the user's words are known.
    """

    arguments: tuple[Argument, ...]
    recipients: tuple[Named, ...]
    money: tuple[Named, ...]
    words: Text | None
    lacks: tuple[str, ...]
    tool_endorsable: bool
    hidden: tuple[tuple[str, int], ...]
    concerns: tuple[Text, ...]
    words_seen: bool

    @property
    def folds(self) -> tuple[Text, ...]:
        """Every text that is folded."""
        texts = (*(each.value for each in self.arguments), *self.concerns, *((self.words,) if self.words else ()))
        return tuple(each for each in texts if each.long)


def shown(asked: Asked, tools: Mapping[str, str]) -> Shown:
    """What is shown of a request.

    Args:
        tools: Call ids of the run to the tools that were called, to name a source by.
    """
    request = asked.state.request
    arguments: dict[str, Any] = json.loads(request["text"])
    origins: Mapping[str, Any] = request.get("origins") or {}
    lacks: list[Mapping[str, Any]] = list(origins.get("lacks", ()))
    found = {at: _origin(at, said, lacks, tools) for at, said in origins.get("arguments", {}).items()}
    parts = {at: leaf for at, leaf in leaves(arguments).items() if at}
    verdict: Mapping[str, Any] = request.get("verify") or {}
    concerns = [*((verdict["doubt"],) if verdict.get("doubt") else ()), *verdict.get("concerns", ())]
    return Shown(
        arguments=tuple(
            Argument(name, shown_value(value, name), tuple(_below(pointer([name]), found)))
            for name, value in arguments.items()
        ),
        recipients=tuple(recipients(parts, origins.get("arguments", {}))),
        money=tuple(money(parts, origins.get("arguments", {}))),
        words=None if asked.words is None else shown_text(asked.words, "words"),
        lacks=tuple(lack_text(each) for each in lacks if not each.get("pointer")),
        tool_endorsable=any(each["code"] == "mandate" for each in lacks),
        hidden=_hidden(asked, found.values()),
        concerns=tuple(shown_text(each, f"concern {number}") for number, each in enumerate(concerns)),
        words_seen=bool(origins.get("words_seen", asked.words is not None)),
    )


def shown_value(value: Json, name: str) -> Text:
    """A JSON value on several lines."""
    return _text(json.dumps(value, indent=2, ensure_ascii=False), tuple(visible_json(value)), name)


def shown_text(said: str, name: str) -> Text:
    """A text with its lines."""
    return _text(said, tuple(visible_lines(said)), name)


def editable(value: Json) -> str:
    """A JSON value to be edited: what nobody would see stands in it as JSON's own escapes, so that it is the same."""
    return "".join(json.dumps(each.hidden)[1:-1] if each.hidden else each.text for each in visible_json(value))


def _text(said: str, parts: tuple[Stretch, ...], name: str) -> Text:
    digest = sha256(said.encode(errors="surrogatepass")).hexdigest()
    names = sha256(name.encode(errors="surrogatepass")).hexdigest()
    long = len(said) > LONG or said.count("\n") >= LINES
    return Text(parts, len(said), digest, long, f"fold-{names[:12]}-{digest[:12]}")


def _origin(at: str, said: Mapping[str, Any], lacks: Iterable[Mapping[str, Any]], tools: Mapping[str, str]) -> Origin:
    places = []
    for place in said.get("found", ()):
        source = place["source"]
        name = _ACCOUNTED.get(source, tools.get(source, ""))
        of_call = "" if source in _ACCOUNTED else source
        quote = (place.get("before", ""), place.get("text", ""), place.get("after", ""))
        places.append(Place(name, of_call, place.get("pointer", ""), *quote))
    return Origin(
        pointer=at, role=said["role"], level=LEVELS.get(said["level"], said["level"]), rung=said["rung"],
        flags=tuple(said.get("flags", ())), places=tuple(places),
        lacks=tuple(lack_text(each) for each in lacks if each.get("pointer") == at),
        endorsable=said["role"] != _NEVER and at != TOOL,
    )  # fmt: skip


def _below(at: str, found: Mapping[str, Origin]) -> Iterable[Origin]:
    return (each for where, each in found.items() if where == at or where.startswith(f"{at}/"))


def _hidden(asked: Asked, origins: Iterable[Origin]) -> tuple[tuple[str, int], ...]:
    """Every character that is shown as an escape, by its name: of the tool, the words, the arguments, the quotes."""
    request = asked.state.request
    found = [*visible(request["tool"]["name"]), *visible(asked.subject.id), *visible_lines(asked.words or "")]
    found += visible_json(json.loads(request["text"]))
    for place in (place for origin in origins for place in origin.places):
        found += visible_lines(place.before + place.text + place.after)
    counted = Counter(name_of(each.hidden) for each in found if each.hidden)
    return tuple(counted.most_common())
