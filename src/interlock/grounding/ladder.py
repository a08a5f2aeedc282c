"""Where one value came from: the first rung that fits. Deterministic, without a model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from interlock.core.provenance import OPERATOR, PERSON, ArgumentOrigin, Evidence, Level
from interlock.errors import BadInput
from interlock.grounding.constants import constant
from interlock.grounding.dates import readings
from interlock.grounding.derived import covered, day_of, made_of
from interlock.grounding.endorsement import Endorsement
from interlock.grounding.haystack import is_bounded
from interlock.grounding.index import Index
from interlock.grounding.normal import normal, oddities
from interlock.grounding.profile import Profile, without_items
from interlock.grounding.records import Key
from interlock.grounding.typed import Typed, Unfit, typed, url
from interlock.grounding.words import is_short

AUTHORITY: Final = frozenset({"target", "selector", "credential", "command", "fetch"})
"""Roles of what says whom or what a call acts on, or by what right."""

_HIDING: Final = frozenset({"invisible", "confusable", "userinfo", "compatibility"})
_INSIDE_MIN: Final = 4
_PLACES_MAX: Final = 4
_LOOKED_AT: Final = 64
_LONG: Final = 512
_UNMADE: Final = frozenset({"content", "command", "credential", "fetch"})
"""Roles whose texts are not put together of pieces: other words in another order are another command."""

_PLACED: Final = frozenset({"email", "url", "host", "iban", "path"})
"""Kinds of what a text leads to, which a look-alike in other characters must not."""

_SEVERAL: Final = re.compile(r"[,;<>\n]")


class Asked(NamedTuple):
    """What is asked about one leaf of a call's arguments.

    Attributes:
        tool: Name of the call's tool.
        schema: Of its arguments.
        pointer: RFC 6901, into the arguments.
        role, shape: What the leaf is for, and what it is.
        nouns: Words beside which a short value is this argument's.
        now_us: The run's clock.
    """

    tool: str
    schema: Mapping[str, Any]
    pointer: str
    role: str
    shape: str
    nouns: tuple[str, ...]
    now_us: int


def classify(index: Index, profile: Profile, asked: Asked, value: object) -> ArgumentOrigin:
    """Where a leaf's value came from, by the first rung of the ladder that fits it."""
    if value is None or isinstance(value, bool):
        return _origin(asked, Level.SYSTEM, "r1")
    if profile.reviewed and (where := constant(asked.schema, asked.pointer, value, default=asked.role == "control")):
        return _origin(asked, Level.SYSTEM, "r1", where)
    text = value if isinstance(value, str) else repr(value)
    try:
        plain = normal(text)
    except BadInput:
        return _origin(asked, Level.THIRD, "r0", flags=("surrogate",))
    flags = _flags(text, plain, index)
    hides = asked.role in AUTHORITY and not _HIDING.isdisjoint(flags)
    if not hides and (where := _endorsed(index, asked, plain)):
        return _origin(asked, Level.USER, "endorsed", where)
    try:
        kind = typed(value, asked.shape)
    except Unfit:  # the user may call things as they like; nobody else may
        where = index.words.names(plain, nouns=asked.nouns) if _HIDING.isdisjoint(flags) else None
        said = (Level.USER, "r2s", where) if where else (Level.THIRD, "r0")
        return _origin(asked, *said, flags=(*flags, "shape"))
    if hides:
        return _origin(asked, Level.THIRD, "r0", flags=flags)
    if _is_allowed(profile, asked, plain, kind):
        return _origin(asked, Level.SYSTEM, "r1", Evidence(OPERATOR), flags=flags)
    if not plain:  # nothing is nobody's; what only looks like nothing is somebody's
        return _origin(asked, Level.THIRD, "r0", flags=flags) if text.strip() else _origin(asked, Level.SYSTEM, "r1")
    return _found(index, asked, _Value(value, text, plain, kind), flags)


class _Value(NamedTuple):
    """A value with its forms."""

    raw: object
    text: str
    plain: str
    kind: Typed | None


def _found(index: Index, asked: Asked, value: _Value, flags: tuple[str, ...]) -> ArgumentOrigin:
    """Rungs 2 to 8."""
    if named := _in_words(index, asked, value):
        return _origin(asked, Level.USER, *named, flags=flags)
    if held := index.records.field(_keys(asked, value)):
        field, level = held
        rung = "r3" if level >= Level.ANCHORED else "r4"
        more = ("directory",) if field.directory else ()
        return _origin(asked, level, rung, *field.places, flags=flags + more)
    days = (value.kind.text,) if value.kind and value.kind.kind in ("date", "moment") else readings(value.plain)
    if days and (day := max(filter(None, (day_of(index, each, asked.now_us) for each in days)), default=None)):
        return _origin(asked, day[0], "r5b", day[1], flags=flags)
    text = isinstance(value.raw, str) and value.kind is None and len(value.plain) <= _LONG
    whole = asked.role == "target"
    if text and asked.role not in _UNMADE and (pieces := covered(index, value.plain, whole=whole)):
        return _origin(asked, pieces[0], "r5d", *pieces[1], flags=flags)
    if not (whole and _leads(value)) and len(value.plain) >= _INSIDE_MIN and (inside := _inside(index, value.plain)):
        return _origin(asked, inside[0], "r6", inside[1], flags=flags)
    if third := _in_third(index, value):
        return _origin(asked, Level.THIRD, "r7", third, flags=flags)
    if asked.role == "amount" and value.kind and (worked := made_of(index, value.kind)):
        return _origin(asked, worked[0], "r5a", *worked[1], flags=flags)  # what others wrote is not worked out
    if not index.words_seen:
        return _origin(asked, Level.MODEL, "r8", flags=(*flags, "unseen"))
    return _origin(asked, Level.THIRD if index.saw_third else Level.MODEL, "r8", flags=flags)


def _origin(asked: Asked, level: Level, rung: str, *places: Evidence, flags: tuple[str, ...] = ()) -> ArgumentOrigin:
    return ArgumentOrigin(asked.pointer, asked.role, level, rung, places[:_PLACES_MAX], flags)


def _flags(text: str, plain: str, index: Index) -> tuple[str, ...]:
    found = set(oddities(text))
    if "confusable" in found and "mixed_script" not in found and index.words.names(plain):
        found.discard("confusable")  # the user writes in that script
    if "://" in text and "@" in _netloc(text):
        found.add("userinfo")
    if not text.isascii() and _is_otherwise(text, plain) and not _is_spelt_so(index, text):
        found.add("compatibility")
    if "xn--" in plain:
        found.add("punycode")
    if len(text) > _LONG:
        found.add("long")
    return tuple(sorted(found))


def _is_spelt_so(index: Index, text: str) -> bool:
    """Whether the user writes it in just these letters."""
    exact = normal(text, exact=True)
    return not exact.isascii() and index.words.names(exact, exact=True) is not None


def _is_otherwise(text: str, plain: str) -> bool:
    """Whether a text leads elsewhere than its normal form: `ß` in a host is no `ss`, a wide `@` makes no address."""
    one, other = typed(text), typed(plain)
    if other is None or other.kind not in _PLACED:
        return False
    return one is None or one.kind != other.kind or normal(one.text) != normal(other.text)


def _leads(value: _Value) -> bool:
    """Whether a value is an address of some kind: then being a word of a field that is none is not enough."""
    return value.kind is not None or "@" in value.plain or ("." in value.plain and " " not in value.plain)


def _netloc(text: str) -> str:
    """What stands between a URL's scheme and its path; empty where it cannot be told."""
    try:
        return urlsplit(text.strip()).netloc
    except ValueError:
        return ""


def _endorsed(index: Index, asked: Asked, plain: str) -> Evidence | None:
    """A person's word for this value, or for a leaf that has it."""
    if not index.endorsements:
        return None
    pointer = without_items(asked.pointer)
    if Endorsement(asked.tool, pointer, None, plain) in index.endorsements:
        return Evidence(PERSON)
    for each in index.endorsements:
        if each.leaf and each.tool == asked.tool and each.pointer == pointer and plain:
            text = index.leaf(*each.leaf)
            at = _whole(text, plain)
            if at >= 0 and (text == plain or not is_short(plain)):
                return Evidence(*each.leaf, at, at + len(plain))
    return None


def _whole(text: str, needle: str) -> int:
    """Where a text has it as whole words; -1 where nowhere."""
    at = text.find(needle)
    while at >= 0 and not is_bounded(text, at, at + len(needle)):
        at = text.find(needle, at + 1)
    return at


def _is_allowed(profile: Profile, asked: Asked, plain: str, kind: Typed | None) -> bool:
    """Whether the operator's lists have it."""
    if not profile.allowed:
        return False
    if kind and kind.kind == "path" and asked.role == "target":
        return any(fnmatchcase(kind.text, glob) for glob in profile.allowed.get("paths", ()))
    if asked.role == "fetch":
        return bool(kind) and is_allowed_host(profile, plain)
    if asked.role != "target" or _SEVERAL.search(plain) or ("@" in plain and (kind is None or kind.kind != "email")):
        return False  # several in one text are judged by none of them
    return any(fnmatchcase(plain, normal(glob)) for glob in profile.allowed.get("recipients", ()))


def is_allowed_host(profile: Profile, text: str) -> bool:
    """Whether a URL goes to a host of the operator's list."""
    try:
        name = url(text).host
    except Unfit:
        return False
    return any(fnmatchcase(name, glob) for glob in profile.allowed.get("hosts", ()))


def _in_words(index: Index, asked: Asked, value: _Value) -> tuple[str, Evidence] | None:
    words = index.words
    if not words.tokens:
        return None
    identifies = asked.role in AUTHORITY
    if asked.shape == "exact":
        where = words.names(normal(value.text, exact=True), nouns=asked.nouns, exact=True)
        return ("r2s", where) if where else None
    by_kind = value.kind if value.kind and not (identifies and value.kind.kind == "number") else None
    if by_kind and (where := words.entities.get(by_kind)):
        return "r2t", where
    where = words.names(value.plain, nouns=asked.nouns)
    if where is None and is_short(value.plain) and isinstance(value.raw, str):
        where = words.marks(value.text) or (words.bears(value.text) if asked.shape == "name" else None)
    return ("r2s", where) if where else None


def _keys(asked: Asked, value: _Value) -> tuple[Key, ...]:
    if asked.shape == "exact":
        return (Typed("exact", normal(value.text, exact=True)),)
    return (value.plain,) if value.kind is None else (value.kind, value.plain)


def _inside(index: Index, plain: str) -> tuple[Level, Evidence] | None:
    """The best trusted text that has it as whole words."""
    best: tuple[Level, Evidence] | None = None
    for count, found in enumerate(index.trusted.find(plain)):
        field = index.records.field((index.leaf(found.source, found.pointer),)) if found.bounded else None
        if field and (best is None or field[1] > best[0]):
            best = field[1], Evidence(found.source, found.pointer, found.begin, found.end)
        if count >= _LOOKED_AT:
            break
    return best


def _in_third(index: Index, value: _Value) -> Evidence | None:
    """Where text by others has it, in one of its forms."""
    linked = value.kind is not None and value.kind.kind == "url"
    for form in dict.fromkeys((value.plain, *(_forms(value.kind) if value.kind else ()))):
        for found in index.others_say(form):
            if found.bounded or not (is_short(form) or linked):
                return Evidence(found.source, found.pointer, found.begin, found.end)
    return None


def _forms(kind: Typed) -> tuple[str, ...]:
    """Other ways to write a value of a kind."""
    text = kind.text.lower()
    match kind.kind:
        case "iban":
            return text, " ".join(text[at : at + 4] for at in range(0, len(text), 4))
        case "number":
            whole, dot, rest = text.partition(".")
            return text, (f"{int(whole):,}" if whole.lstrip("-").isdigit() else whole) + dot + rest
        case "url":
            made = url(kind.text)
            path = made.path if made.query else made.path.rstrip("/")
            return (f"{made.host}{path}{'?' if made.query else ''}{made.query}".lower(),)
        case "email" | "uuid" | "path":
            return (text,)
    return ()
