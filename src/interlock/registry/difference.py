"""What became of a definition since it was reviewed: which parts, what kind of change, and every value that differs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from interlock.core.canonical import Json, canonical, digest
from interlock.core.instructions import Sign
from interlock.core.tool import Effect
from interlock.registry.instructions import signs
from interlock.registry.schema_change import SchemaChange, parameters, schema_change

_SHOWN_MAX: Final = 200
_CONTEXT: Final = 40


class Change(StrEnum):
    """What became of a definition since it was reviewed."""

    ADDED = "added"
    REMOVED = "removed"
    RENAMED = "renamed"
    CHANGED = "changed"
    RETURNED = "returned"


class Aspect(StrEnum):
    """One kind of change; from the one to look at first to the least. A difference may have several."""

    HIDDEN_TEXT = "hidden_text"
    INSTRUCTIONS = "instructions"
    RISK_LOWERED = "risk_lowered"
    ANNOTATION = "annotation"
    PARAMETER_ADDED = "parameter_added"
    SCHEMA_UNKNOWN = "schema_unknown"
    SCHEMA_INCOMPATIBLE = "schema_incompatible"
    SCHEMA_WIDENED = "schema_widened"
    RENAMED = "renamed"
    REMOVED = "removed"
    RETURNED = "returned"
    ADDED = "added"
    RISK_RAISED = "risk_raised"
    PARAMETER_REMOVED = "parameter_removed"
    SCHEMA_NARROWED = "schema_narrowed"
    RESULT = "result"
    OPTION = "option"
    WORDING = "wording"

    @property
    def rank(self) -> int:
        """0 for what is looked at first."""
        return _RANKS[self]


_RANKS = {aspect: rank for rank, aspect in enumerate(Aspect)}

GRAVE: Final = frozenset({Aspect.HIDDEN_TEXT, Aspect.INSTRUCTIONS, Aspect.RISK_LOWERED, Aspect.ANNOTATION})
"""What an attack looks like: shown in red, before everything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One tool that is not as it was reviewed.

    Attributes:
        change: What became of it.
        server, name: Which tool; a renamed one by its new name.
        was: Its former name, where it was renamed.
        aspects: What kinds of change there are, the one to look at first first.
        fields: Parts of the definition that differ, sorted.
        flips: What changed about its risk, such as `effect: read -> irreversible`; look at these first.
        signs: What in its texts speaks to the model and did not when it was reviewed: sign, place and quote.
        lines: The whole difference for people, one line for each value: all of what is new, nothing of what is gone.
        digest: Digest of the definition as it is now, hex; empty for a tool that is gone.
        definition: That definition; None for a tool that is gone.
    """

    change: Change
    server: str
    name: str
    was: str = ""
    aspects: tuple[Aspect, ...] = ()
    fields: tuple[str, ...] = ()
    flips: tuple[str, ...] = ()
    signs: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    digest: str = ""
    definition: Mapping[str, Any] | None = field(default=None, repr=False)

    def as_json(self) -> dict[str, Json]:
        """The difference with its empty parts left out."""
        said: dict[str, Json] = {"change": self.change.value, "server": self.server, "name": self.name}
        if self.was:
            said["was"] = self.was
        if self.digest:
            said["digest"] = self.digest
        for part in ("aspects", "fields", "flips", "signs", "lines"):
            if value := getattr(self, part):
                said[part] = [str(each) for each in value]
        return said

    @property
    def danger(self) -> tuple[int, str, str]:
        """By this differences are sorted: what to look at first, then server and name."""
        return (self.aspects[0].rank if self.aspects else len(_RANKS), self.server, self.name)


def difference(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, change: Change, others: Iterable[str] = ()
) -> Difference:
    """What became of one tool; None where there was none, or is none any more.

    Args:
        others: Names of tools of other servers.
    """
    others = frozenset(others)
    old, new = before or {}, after or {}
    said = new or old
    fields = sorted(key for key in {*old, *new} if old.get(key) != new.get(key)) if old and new else []
    flips = tuple(_flips(old, new)) if old and new else ()
    told = {(each.sign, each.quote) for each in signs(old, others)}
    fresh = [each for each in signs(new, others) if (each.sign, each.quote) not in told]
    aspects = set(_aspects(old, new, change, flips))
    aspects |= {Aspect.HIDDEN_TEXT for each in fresh if each.sign is Sign.HIDDEN}
    aspects |= {Aspect.INSTRUCTIONS for each in fresh if each.sign.grave and each.sign is not Sign.HIDDEN}
    was = str(old["name"]) if change is Change.RENAMED else ""
    return Difference(
        change=change, server=said["server"], name=said["name"], was=was,
        aspects=tuple(sorted(aspects, key=lambda aspect: aspect.rank)), fields=tuple(fields), flips=flips,
        signs=tuple(f"{each.sign} {_plain(each.place)}: {_shown(each.quote)}" for each in fresh),
        lines=tuple(_lines("", old, new)) if new else (),
        digest="" if after is None else digest("interlock/tool/1", canonical(after)).hex(), definition=after,
    )  # fmt: skip


def _aspects(
    before: Mapping[str, Any], after: Mapping[str, Any], change: Change, flips: tuple[str, ...]
) -> Iterator[Aspect]:
    if change is not Change.CHANGED:
        yield Aspect(change.value)
    if not before or not after:
        return
    yield from (aspect for flip in flips for aspect in (_of_flip(flip),))
    differ = {key for key in {*before, *after} if before.get(key) != after.get(key)} - {"name"}
    if "input_schema" in differ:
        yield from _schema_aspects(before["input_schema"], after["input_schema"])
        differ.discard("input_schema")
    if "output_schema" in differ:
        yield Aspect.RESULT
    if "description" in differ:
        yield Aspect.WORDING
    claims = [{key: part for key, part in (each.get("claims") or {}).items() if key != "annotations"}
              for each in (before, after)]  # fmt: skip
    if claims[0] != claims[1]:
        yield Aspect.WORDING
    if differ - {"output_schema", "description", "claims", *_RISKS, "effect"}:
        yield Aspect.OPTION


def _schema_aspects(before: Any, after: Any) -> Iterator[Aspect]:
    was, now = set(parameters(before)), set(parameters(after))
    if now - was:
        yield Aspect.PARAMETER_ADDED
    if was - now:
        yield Aspect.PARAMETER_REMOVED
    kind = schema_change(before, after)
    yield Aspect.WORDING if kind is SchemaChange.SAME else Aspect(f"schema_{kind.value}")


_RISKS: Final = (
    "outward", "keyed", "idempotent", "reconcile", "compensate", "compensate_with", "sealed", "server"
)  # fmt: skip


def _of_flip(flip: str) -> Aspect:
    if flip.startswith("annotation "):
        return Aspect.ANNOTATION
    if flip.startswith("effect"):
        return Aspect.RISK_LOWERED if flip.endswith("(lower)") else Aspect.RISK_RAISED
    # Properties beside the effect: what a call may be done again for, or can be undone by.
    return Aspect.RISK_RAISED if flip.startswith("outward: false") else Aspect.RISK_LOWERED


def _flips(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Changes of what the call does to the world, by the operator's word or by the server's."""
    ranks = {effect.value: effect.rank for effect in Effect}
    was, now = before.get("effect"), after.get("effect")
    if was != now:
        lower = ranks.get(str(now), 9) < ranks.get(str(was), 9)
        yield f"effect: {was} -> {now}" + (" (lower)" if lower else "")
    for key in _RISKS:
        if before.get(key) != after.get(key):
            yield f"{key}: {_shown(before.get(key))} -> {_shown(after.get(key))}"
    said = [part.get("claims", {}).get("annotations") or {} for part in (before, after)]
    if all(isinstance(part, dict) for part in said):
        for key in sorted({*said[0], *said[1]}):
            if said[0].get(key) != said[1].get(key):
                yield f"annotation {_plain(key)}: {_shown(said[0].get(key))} -> {_shown(said[1].get(key))}"


def _lines(where: str, before: Any, after: Any) -> Iterator[str]:
    """One line for each value that differs, with its pointer; nothing of what differs is left out."""
    if before == after and type(before) is type(after):
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            place = f"{where}/{_plain(key)}"
            if key not in before:
                yield from _whole("+", place, after[key])
            elif key not in after:
                yield from _whole("-", place, before[key])
            else:
                yield from _lines(place, before[key], after[key])
        return
    if isinstance(before, str) and isinstance(after, str):
        before, after = _where_they_differ(before, after)
    yield from _whole("-", where, before)
    yield from _whole("+", where, after)


def _whole(sign: str, where: str, value: Any) -> Iterator[str]:
    """A value that came or went, a line for each part of it: who accepts it has to see all of it."""
    if isinstance(value, Mapping) and value:
        for key in sorted(value):
            yield from _whole(sign, f"{where}/{_plain(key)}", value[key])
    else:
        yield f"{sign} {where}: {json.dumps(value, sort_keys=True, default=dict)}"


def _where_they_differ(before: str, after: str) -> tuple[str, str]:
    """Two long texts without what is the same at both ends, but for a few words of it."""
    if max(len(before), len(after)) <= _SHOWN_MAX:
        return before, after
    start = _alike(before, after)
    rest = _alike(before[start:][::-1], after[start:][::-1])
    first = max(0, start - _CONTEXT)
    lead = "… " if first else ""

    def cut(text: str) -> str:
        last = len(text) - rest + _CONTEXT
        return f"{lead}{text[first:last]}{' …' if last < len(text) else ''}"

    return cut(before), cut(after)


def _alike(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (left, right) in pairs if left != right), min(len(one), len(other)))


def _plain(key: str) -> str:
    """A key as ASCII, without quotes where it needs none: a key is the server's word too."""
    text = json.dumps(key)[1:-1]
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…"


def _shown(value: Any) -> str:
    """A value as ASCII JSON, so that nothing invisible or turned around reaches a terminal."""
    text = json.dumps(value, sort_keys=True, default=dict)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}… ({len(text)} characters)"
