"""The door: where every argument of a call came from, and what of that is not enough."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from interlock.core.provenance import ArgumentOrigin, Lack, Level, Provenance
from interlock.core.tool import Tool
from interlock.errors import BadInput
from interlock.grounding.arguments import leaves
from interlock.grounding.content import carried, fetched, foreign_links, links
from interlock.grounding.contracts import beyond_caps, is_outward, lacking
from interlock.grounding.index import Index
from interlock.grounding.ladder import Asked, classify
from interlock.grounding.normal import normal
from interlock.grounding.profile import Profile
from interlock.grounding.sequence import is_mandated, out_of_sequence, too_many

_LEAVES_MAX: Final = 512
"""Leaves of a call that are looked at; of what is more, each role lacks."""

_WORD: Final = re.compile(r"[a-z]+|[A-Z][a-z]*")
_NO_NOUNS: Final = frozenset("id ids no nr num number name key value the of to by in for is new old a".split())


def ground(index: Index, tool: Tool, profile: Profile, arguments: Mapping[str, Any], now_us: int) -> Provenance:
    """Say where every argument of a call came from and what is lacking; decide nothing.

    Args:
        index: The sources of the call's run, up to now.
        arguments: As validated.
        now_us: Unix time by the run's clock, against which day words are read.
    """
    every = leaves(tool, arguments)
    values = dict(islice(every, _LEAVES_MAX))
    rest = {profile.role(pointer): pointer for pointer, _ in every}
    origins = tuple(_asked(index, tool, profile, pointer, value, now_us) for pointer, value in values.items())
    origins += tuple(ArgumentOrigin(pointer, role, Level.THIRD, "r0", (), ("long",)) for role, pointer in rest.items())
    targets = _targets(values, origins)
    mandated = is_mandated(index, tool, profile)
    texts = {each: text for each in origins if isinstance(text := values.get(each.pointer), str)}
    found: list[Lack] = []
    if rest:
        found.append(Lack("leaves"))
    origins = _unfriendly(index, profile, origins, texts)
    found += lacking(index, tool, profile, origins)
    found += fetched(index, profile, tool, texts)
    if tool.needs_intent:
        found += out_of_sequence(index, tool, profile, origins, mandated=mandated)
        found += too_many(index, tool, profile, targets)
        found += beyond_caps(profile, values)
        found += links(index, profile, texts)
        if is_outward(tool) or targets:  # else it stays inside, and goes to nobody
            origins, kept = _carried(index, targets, origins, texts)
            found += kept
    return Provenance(
        arguments=origins, lacks=tuple(dict.fromkeys(found)), profiled=profile.profiled, mandated=mandated,
        words_seen=index.words_seen, saw_third=index.saw_third, saw_private=index.saw_private,
        sent_out=index.sent_out,
    )  # fmt: skip


def is_anchored(provenance: Provenance) -> bool:
    """Whether what a call of this provenance reads is what the user pointed at, if one record comes back.

    It must have been looked up by what selects it: a search for words finds what others wrote for it to find.
    """
    levels = [each.level for each in provenance.arguments]
    selected = any(each.role == "selector" and each.level < Level.SYSTEM for each in provenance.arguments)
    return selected and min(levels) >= Level.ANCHORED


def by_others(tool: Tool, arguments: Mapping[str, Any], provenance: Provenance) -> frozenset[str]:
    """What of a call's arguments came from text by others, in its normal form: told back, it still does."""
    levels = {each.pointer: each.level for each in provenance.arguments}
    return frozenset(
        plain
        for pointer, value in leaves(tool, arguments)
        if levels.get(pointer, Level.THIRD) is Level.THIRD and _names(value) and (plain := _plain(value))
    )


def sent(index: Index, tool: Tool, profile: Profile, arguments: Mapping[str, Any]) -> None:
    """Note that a call was made: what rules over a run count."""
    if tool.needs_intent:
        index.sent(tool.name, targets_of(tool, profile, arguments), outward=is_outward(tool))


def targets_of(tool: Tool, profile: Profile, arguments: Mapping[str, Any]) -> set[str]:
    """Whom or what a call acts on, in their normal form."""
    return {
        _plain(value)
        for pointer, value in leaves(tool, arguments)
        if profile.role(pointer) == "target" and _names(value)
    }


def _targets(values: Mapping[str, object], origins: tuple[ArgumentOrigin, ...]) -> set[str]:
    return {_plain(value) for each in origins if each.role == "target" and _names(value := values.get(each.pointer))}


def _names(value: object) -> bool:
    return value is not None and not isinstance(value, bool)


def _plain(value: object) -> str:
    try:
        return normal(value if isinstance(value, str) else repr(value))
    except BadInput:
        return ""


def _asked(index: Index, tool: Tool, profile: Profile, pointer: str, value: object, now_us: int) -> ArgumentOrigin:
    name = pointer.split("/")[1] if pointer else ""
    nouns = tuple(profile.nouns.get(name, ())) or nouns_of(name, tool.name)
    role, shape = profile.role(pointer), profile.shape(pointer)
    return classify(index, profile, Asked(tool.name, tool.input_schema, pointer, role, shape, nouns, now_us), value)


@lru_cache(4096)
def nouns_of(name: str, tool: str) -> tuple[str, ...]:
    """Words for what an argument is, from its name; from the tool's where that says nothing."""
    for text in (name, tool):
        said = tuple(word.lower() for word in _WORD.findall(text) if len(word) > 1)
        if nouns := tuple(word for word in said if word not in _NO_NOUNS):
            return nouns
    return ()


def _unfriendly(index: Index, profile: Profile, origins: tuple[ArgumentOrigin, ...],
                texts: Mapping[ArgumentOrigin, str]) -> tuple[ArgumentOrigin, ...]:  # fmt: skip
    """Where content has a link to others, being in the directory is not enough for a target."""
    if not any("directory" in each.flags for each in origins):
        return origins
    if not any(each.role == "content" and any(True for _ in foreign_links(index, profile, text))
               for each, text in texts.items()):  # fmt: skip
        return origins
    return tuple(each._replace(flags=tuple(flag for flag in each.flags if flag != "directory")) for each in origins)


def _carried(index: Index, targets: set[str], origins: tuple[ArgumentOrigin, ...],
             texts: dict[ArgumentOrigin, str]) -> tuple[tuple[ArgumentOrigin, ...], list[Lack]]:  # fmt: skip
    """What of private leaves goes out, to whom it must not: shown with the argument that has it."""
    found: list[Lack] = []
    shown: dict[str, ArgumentOrigin] = {}
    for origin, piece in carried(index, texts):
        if piece.secret or not targets or not all(piece.readers.admit(each) for each in targets):
            found.append(Lack("secret" if piece.secret else "readers", origin.pointer))
            before = shown.get(origin.pointer, origin)
            flags = tuple(sorted({*before.flags, "private"}))
            shown[origin.pointer] = before._replace(evidence=(piece.place, *before.evidence)[:4], flags=flags)
    return tuple(shown.get(each.pointer, each) for each in origins), found
