"""Every source of a run, so that where a value came from is a look and not a search through all of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from interlock.core.canonical import Json
from interlock.core.provenance import WORDS, Evidence, Level
from interlock.errors import BadInput
from interlock.grounding.endorsement import Endorsement
from interlock.grounding.haystack import Found, Haystack
from interlock.grounding.leaves import Leaf, Walk, keeps_shape, nested
from interlock.grounding.normal import normal
from interlock.grounding.pasted import split
from interlock.grounding.private import Private, Readers
from interlock.grounding.profile import Profile, unescaped, without_items
from interlock.grounding.records import Key, Records
from interlock.grounding.typed import Unfit, typed
from interlock.grounding.words import Words

_SEPARATORS: Final = re.compile(r"[._+-]+")
_TOKEN: Final = re.compile(r"[0-9a-z]+")
_EXTENSION: Final = re.compile(r"\.[a-z0-9]{1,5}\Z")


class Index:
    """The sources of one run. Adding one costs its own size; their order changes nothing of what is found.

    Attributes:
        words_seen: The user's words are known.
        saw_third: Text by others has entered the run.
        saw_private: What not everybody may read has entered it.
        sent_out: An outward call was made.
    """

    def __init__(self) -> None:
        self.words_seen = self.saw_third = self.saw_private = self.sent_out = False
        self.words = Words()
        self.records = Records(self.words)
        self.trusted = Haystack()
        self.third = Haystack()
        self.private = Private()
        self.endorsements: set[Endorsement] = set()
        self.mandates: set[str] = set()
        self.declared = False
        self.targets: dict[str, set[str]] = {}
        self._leaves: dict[tuple[str, str], str] = {}
        self._doubted: set[str] = set()
        self._third_tokens: set[str] = set()

    def say(self, text: str) -> None:
        """The user said something: what they pasted into it counts as text by others."""
        first, self.words_seen = not self.words_seen, True
        try:
            own, pasted = split(text, first=first)
            self.records.heard(self.words.say(own))
        except BadInput:  # half of a surrogate pair: no text, so nobody's words
            return
        for piece in pasted:
            self._third(WORDS, "", piece)

    def tell(self, source: str, value: Json, profile: Profile, *, anchored: bool,
             echoed: Collection[str] = ()) -> None:  # fmt: skip
        """A call came to this result.

        Args:
            source: The call's id.
            value: What was told of it.
            profile: Of the call's tool.
            anchored: Every argument of it was the user's or of what the user pointed at (`is_anchored`).
            echoed: Values of its arguments that came from text by others, in their normal form.
        """
        doubted = self._doubted.union(echoed) if echoed else self._doubted
        walk = Walk(value, opened=profile.form == "json")
        leaves = list(walk.leaves())
        lifted = Level.ANCHORED if anchored and walk.records <= 1 else Level.RECORD
        readers = Readers.of(profile, leaves)
        pairs: dict[int, set[tuple[str, Key]]] = {}
        for leaf in leaves:
            text = _text(leaf.value)
            if text is None or (leaf.key and _is_named(profile, leaf)):
                continue  # a key that a rule names is the operator's word
            doubtful = bool(doubted) and _normal(text) in doubted
            level = Level.THIRD if doubtful else self._trusted(source, leaf, text, profile, lifted, pairs)
            if level is Level.THIRD:
                self._third(source, leaf.pointer, text)
                for inner in nested(leaf):
                    if isinstance(inner.value, str):
                        self._third(source, leaf.pointer, inner.value)
            if profile.private:
                rule = profile.rule(leaf.glob)
                self.saw_private = True
                self.private.add(source, leaf, text, readers, secret=bool(rule and rule.secret))
        for fields in pairs.values():
            self.records.record(frozenset(fields))

    def doubt(self, values: Iterable[str]) -> None:
        """Values of text by others were written somewhere: read back from there, they are of no trusted record."""
        self._doubted.update(values)

    def hear(self, source: str, text: str, level: Level) -> None:
        """A text came from elsewhere, such as an agent or a memory, with the level that it was kept with."""
        if level <= Level.THIRD:
            self._third(source, "", text)
        elif level >= Level.RECORD and (plain := _normal(text)):
            self._stand(source, "", plain, (plain,), min(level, Level.ANCHORED))

    def endorse(self, endorsement: Endorsement) -> None:
        """A person said that values count as the user's for an argument, or that a tool was wanted."""
        if endorsement.wants:
            self.mandates.add(endorsement.tool)
        else:
            self.endorsements.add(endorsement._replace(pointer=without_items(endorsement.pointer)))

    def want(self, tool: str) -> None:
        """The application or the operator declared that the run is to use the tool: a mandate."""
        self.declared = True
        self.mandates.add(tool)

    def sent(self, tool: str, targets: Iterable[str], *, outward: bool) -> None:
        """A call of the tool was made, to these targets in their normal form."""
        self.sent_out = self.sent_out or outward
        self.targets.setdefault(tool, set()).update(targets)

    def others_say(self, plain: str) -> Iterator[Found]:
        """Where text by others has a normal form.

        Where the user's words are seen, it is looked for as whole words alone, which costs next to nothing for what
        is not there: then all that is not theirs is trusted as little, wherever it is found.
        """
        if self.words_seen and not self._third_tokens.issuperset(_TOKEN.findall(plain)):
            return
        yield from self.third.find(plain)

    def leaf(self, source: str, pointer: str) -> str:
        """The text of a leaf of a result in its normal form; empty where there is none."""
        return self._leaves.get((source, pointer), "")

    def _trusted(self, source: str, leaf: Leaf, text: str, profile: Profile, lifted: Level,
                 pairs: dict[int, set[tuple[str, Key]]]) -> Level:  # fmt: skip
        """Take a leaf in as what it is; the level that it has of itself."""
        made = bool(profile.creates) and leaf.pointer == profile.creates
        rule = profile.rule(leaf.glob)
        level = rule.level if rule else Level.RECORD if made else profile.default
        shape = rule.shape if rule else "id" if made else "name"
        if made and rule is None and _leads(leaf.value):  # an id that is an address is no id
            return Level.THIRD
        if level < Level.RECORD:
            return Level.THIRD if level <= Level.THIRD else level
        if not keeps_shape(leaf.value, shape) or (plain := _normal(text)) is None:
            return Level.THIRD
        keys = keys_of(leaf.value, plain, shape)
        level = max(level, Level.ANCHORED if made else lifted)
        self._stand(source, leaf.pointer, plain, keys, level, directory=profile.directory)
        name = leaf.glob.removesuffix("/*").rpartition("/")[2]
        pairs.setdefault(leaf.record, set()).update((name, key) for key in (*keys, *_as_words(plain, shape)))
        if isinstance(leaf.value, str):
            self._call(plain, keys, shape)
        return level

    def _stand(self, source: str, pointer: str, plain: str, keys: tuple[Key, ...], level: Level,
               *, directory: bool = False) -> None:  # fmt: skip
        self.records.add(keys, Evidence(source, pointer), level, directory=directory)
        self.trusted.add(source, pointer, plain)
        self._leaves[source, pointer] = plain

    def _call(self, plain: str, keys: tuple[Key, ...], shape: str) -> None:
        """Note what a value is called by in itself."""
        local, at, _ = plain.partition("@")
        if at:
            parts = _SEPARATORS.split(local)
            for name in {local, " ".join(parts), *parts}:
                self.records.name(name, keys)
        elif shape == "name" and len(parts := plain.split()) > 1:
            for part in parts:
                self.records.name(part, keys)

    def _third(self, source: str, pointer: str, text: str) -> None:
        self.saw_third = True
        plain = _normal(text)
        if plain:
            self.third.add(source, pointer, plain)
            self._third_tokens.update(_TOKEN.findall(plain))
            self._leaves.setdefault((source, pointer), plain)


def keys_of(value: object, plain: str, shape: str) -> tuple[Key, ...]:
    """What a value is found equal by: its normal form, and the one form of its kind where it has one."""
    try:
        kind = typed(value, shape)
        kind = typed(value) if kind is None and shape in ("", "text", "name") else kind
    except Unfit:
        kind = None
    return (plain,) if kind is None else (plain, kind)


def _as_words(plain: str, shape: str) -> tuple[str, ...]:
    """What people call a file by its name: `budget-2024.xlsx` is the budget 2024."""
    if shape != "name" or " " in plain:
        return ()
    words = _SEPARATORS.split(plain)
    if _EXTENSION.search(plain):
        words.pop()
    return (" ".join(words),) if len(words) > 1 and all(words) else ()


def _leads(value: object) -> bool:
    kind = typed(value)
    return kind is not None and kind.kind in ("email", "url", "iban", "path")


def _is_named(profile: Profile, leaf: Leaf) -> bool:
    """Whether a rule has the key in its own letters: what a star stands for is whoever filled the record in."""
    rule = profile.rule(leaf.key)
    return rule is not None and unescaped(rule.glob.rpartition("/")[2]) == leaf.value


def _text(value: object) -> str | None:
    """A scalar as it is looked for; None for what is found everywhere."""
    if isinstance(value, bool) or value is None:
        return None
    return value if isinstance(value, str) else str(value)


def _normal(text: str) -> str | None:
    try:
        return normal(text)
    except BadInput:
        return None
