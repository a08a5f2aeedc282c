"""What loads or acts by itself once somebody draws the text: made so that it does nothing, and can still be read.

A picture of Markdown loses its mark and is a plain link. A tag of HTML that loads, acts or leads to code loses its
bracket (`&lt;`). A link to code is parted from its words by a space. Plain links stay as they are.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from html import unescape
from typing import Final, NamedTuple


class Edit(NamedTuple):
    """A change of a text.

    Attributes:
        at: Where.
        size: How many characters go.
        put: What comes in their place.
        what: Which kind of content it makes inert.
    """

    at: int
    size: int
    put: str
    what: str


_LOADING: Final = (
    "img|image|picture|source|track|video|audio|iframe|frame|frameset|object|embed|applet|script|link|meta|base|form"
    "|style|svg|math|portal|bgsound|layer|ilayer|xml|isindex|fencedframe|template"
)
_TAG: Final = re.compile(rf"<(?P<name>{_LOADING})(?=[\s/>]|$)|<\?xml-stylesheet", re.IGNORECASE)
_FORM: Final = re.compile(r"<(?P<name>input|button|textarea|select)(?=[\s/>]|$)", re.IGNORECASE)
_HANDLER: Final = re.compile(r"[\s\"'/`]on(?P<event>[a-z]{3,26})\s{0,10}=", re.IGNORECASE)
_EVENTS: Final = frozenset(
    "abort activate afterprint animationcancel animationend animationiteration animationstart auxclick beforecopy"
    " beforecut beforeinput beforematch beforepaste beforeprint beforetoggle beforeunload begin blur cancel canplay"
    " canplaythrough change click close command contentvisibilityautostatechange contextlost contextmenu"
    " contextrestored copy cuechange cut dblclick drag dragend dragenter dragexit dragleave dragover dragstart drop"
    " durationchange"
    " emptied end ended error finish focus focusin focusout formdata fullscreenchange fullscreenerror gesturechange"
    " gestureend gesturestart gotpointercapture hashchange input invalid keydown keypress keyup languagechange load"
    " loadeddata loadedmetadata loadend loadstart lostpointercapture message messageerror mousedown mouseenter"
    " mouseleave mousemove mouseout mouseover mouseup mousewheel move offline online pagehide pagereveal pageshow"
    " pageswap paste"
    " pause play playing pointercancel pointerdown pointerenter pointerleave pointermove pointerout pointerover"
    " pointerrawupdate pointerup popstate progress propertychange ratechange readystatechange rejectionhandled repeat"
    " reset resize scroll scrollend scrollsnapchange scrollsnapchanging search securitypolicyviolation seeked seeking"
    " select selectionchange selectstart show slotchange stalled start storage submit suspend timeupdate toggle"
    " touchcancel touchend touchmove touchstart transitioncancel transitionend transitionrun transitionstart"
    " unhandledrejection unload volumechange waiting webkitanimationend webkitanimationiteration webkitanimationstart"
    " webkittransitionend wheel".split()
)
_LOADS: Final = re.compile(
    r"[\s\"'/`](?P<name>background|poster|srcset|imagesrcset|ping|lowsrc|dynsrc|srcdoc|style|src|href|xlink:href|action"
    r"|formaction|data|codebase|manifest|cite|longdesc|usemap)\s{0,10}=\s{0,10}(?P<value>[\"']?[^\"'>]{0,2048})",
    re.IGNORECASE,
)
_ALWAYS: Final = frozenset("background poster srcset imagesrcset ping lowsrc dynsrc srcdoc src manifest".split())
_STYLED: Final = re.compile(r"url|image|\\|@import|expression|behavior|binding", re.IGNORECASE)
_CODE: Final = re.compile(r"(?:javascript|vbscript|livescript|mocha|data|view-source|blob|filesystem):", re.IGNORECASE)
_LEADS: Final = re.compile(
    r"\]\((?P<link>[\s<]{0,10}[^)\s]{0,200})|^[ >]{0,12}\[[^\]\n]{1,200}\](?P<definition>:\s{0,10}<?\S{0,200})",
    re.MULTILINE,
)
_AUTO: Final = re.compile(r"<([^\s<>]{4,40}:)")
_SPACES: Final = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2060\ufeff\\<]+")
_WHOLE: Final = re.compile(
    r"\s{0,100}(?:javascript|vbscript):|\s{0,100}data:(?:text/html|image/svg|application/x)", re.IGNORECASE
)
_BRACKETS: Final = re.compile(r"\\.|[\[\]]", re.DOTALL)
_BEGINS: Final = re.compile(r"<[a-zA-Z]")
_TAG_MAX: Final = 8192
_LABEL_MAX: Final = 1000
_OPEN_MAX: Final = 10_000

STOPS: Final = (
    r"!\[",
    rf"(?i:<(?:{_LOADING}|input|button|textarea|select|\?xml)(?:[^a-z0-9]|$))",
    r"(?i:[^a-z]on[a-z]{3,26}\s*=)",
    r"(?i:(?:background|poster|srcset|ping|lowsrc|dynsrc|srcdoc|style|src|href|action|data|codebase|manifest|cite|longdesc"
    r"|usemap)\s*=)",
    r"(?i:javascript|vbscript|livescript|mocha|data|view-source|blob|filesystem|&[#a-z][0-9a-z]*;?)(?::|&|%3a)",
    r"\]\([^)]{0,200}[&%\\]",
    r"\]:[^\]]{0,200}[&%\\]",
    r"<[a-zA-Z&\\%][^ <>]{0,40}:",
)  # fmt: skip
"""Where none of it is, nothing loads or acts by itself."""


def inert(text: str) -> tuple[str, dict[str, int]]:
    """The text in which nothing loads or acts by itself, and how much of each kind did; itself where nothing did."""
    tags = [match.start() for match in _BEGINS.finditer(text)]
    edits = {
        edit.at: edit
        for edit in (*_handlers(text, tags), *_attributes(text, tags), *_tags(text), *_images(text), *_links(text))
    }
    if _WHOLE.match(text):
        colon = text.index(":")
        edits[colon] = Edit(colon, 0, " ", "code_link")
    if not edits:
        return text, {}
    counts: dict[str, int] = {}
    parts: list[str] = []
    start = 0
    for at in sorted(edits):
        edit = edits[at]
        counts[edit.what] = counts.get(edit.what, 0) + 1
        parts += [text[start:at], edit.put]
        start = at + edit.size
    return "".join([*parts, text[start:]]), counts


def _tags(text: str) -> list[Edit]:
    found = [Edit(match.start(), 1, "&lt;", _kind(match["name"] or "link")) for match in _TAG.finditer(text)]
    return found + [Edit(match.start(), 1, "&lt;", "form") for match in _FORM.finditer(text)]


def _kind(name: str) -> str:
    name = name.lower()
    if name in ("img", "image", "picture", "source", "svg", "math"):
        return "image"
    if name in ("script", "applet", "object", "embed", "template"):
        return "script"
    if name in ("iframe", "frame", "frameset", "portal", "fencedframe", "layer", "ilayer"):
        return "frame"
    return "form" if name in ("form", "isindex") else "load"


def _handlers(text: str, tags: list[int]) -> list[Edit]:
    """Tags with an attribute that runs code when something happens."""
    found = []
    for match in _HANDLER.finditer(text) if tags else ():
        if match["event"].lower() in _EVENTS and (at := _tag_before(tags, match.start())) is not None:
            found.append(Edit(at, 1, "&lt;", "handler"))
    return found


def _attributes(text: str, tags: list[int]) -> list[Edit]:
    """Tags with an attribute that loads something, or leads to code."""
    found = []
    for match in _LOADS.finditer(text) if tags else ():
        name, value = match["name"].lower(), match["value"]
        acts = name in _ALWAYS or (name == "style" and _STYLED.search(value)) or _is_code(value.lstrip("\"'"))
        if acts and (at := _tag_before(tags, match.start())) is not None:
            found.append(Edit(at, 1, "&lt;", "code_link" if _is_code(value.lstrip("\"'")) else "load"))
    return found


def _tag_before(tags: list[int], at: int) -> int | None:
    """Where the tag begins that an attribute could be in; None where there is none."""
    number = bisect_left(tags, at) - 1
    return tags[number] if number >= 0 and at - tags[number] <= _TAG_MAX else None


def _is_code(address: str) -> bool:
    """Whether an address leads to code, however it is written."""
    return _CODE.match(_SPACES.sub("", unescape(address[:200]))) is not None


def _images(text: str) -> list[Edit]:
    """Pictures of Markdown: of each, the marks before its bracket."""
    if "![" not in text:
        return []
    found: list[Edit] = []
    defined = {name.casefold() for name in re.findall(r"^[ >]{0,12}\[([^\]\n]{1,200})\]:", text, re.MULTILINE)}
    opened: list[int] = []
    for match in _BRACKETS.finditer(text):
        if match[0] == "[":
            opened.append(match.start())
            if len(opened) > _OPEN_MAX:
                raise OverflowError("more open brackets than are looked at")
        elif match[0] == "]" and opened:
            at, after = opened.pop(), text[match.end() : match.end() + 1]
            if text[at - 1 : at] != "!":
                continue
            label = text[at + 1 : match.start()][:_LABEL_MAX].strip().casefold()
            if after in ("(", "[") or label in defined:
                start = at
                while start > 0 and text[start - 1] == "!":
                    start -= 1
                found.append(Edit(start, at - start, "", "image"))
    return found


def _links(text: str) -> list[Edit]:
    """Links of Markdown that lead to code."""
    found = []
    for match in _LEADS.finditer(text):
        if (link := match["link"]) is not None and _is_code(link):
            found.append(Edit(match.start("link") - 1, 0, " ", "code_link"))
        elif (said := match["definition"]) and _is_code(said[1:]):
            found.append(Edit(match.start("definition"), 0, " ", "code_link"))
    found += [Edit(match.start(), 1, "&lt;", "code_link") for match in _AUTO.finditer(text) if _is_code(match[1])]
    return found
