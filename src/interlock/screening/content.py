"""What loads or acts by itself once somebody draws the text: made so that it does nothing, and can still be read.

A picture of Markdown loses its mark and is a plain link. A tag of HTML that loads, acts or leads to code loses its
bracket (`&lt;`). A link to code is parted from its words by a space. Plain links stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
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
_HANDLER: Final = re.compile(r"[\s\"'/`]on(?P<event>[a-z]{3,40})\s*+=", re.IGNORECASE)
_EVENTS: Final = frozenset(
    "abort activate afterprint afterscriptexecute animationcancel animationend animationiteration animationstart"
    " auxclick beforecopy beforecut beforeinput beforematch beforepaste beforeprint beforescriptexecute"
    " beforetoggle beforeunload beforexrselect begin blur bounce cancel canplay canplaythrough change click close"
    " command contentvisibilityautostatechange contextlost contextmenu contextrestored copy cuechange cut dblclick"
    " devicemotion deviceorientation drag dragend dragenter dragexit dragleave dragover dragstart drop"
    " durationchange emptied end ended error finish focus focusin focusout formdata fullscreenchange"
    " fullscreenerror gesturechange gestureend gesturestart gotpointercapture hashchange input invalid keydown"
    " keypress keyup languagechange load loadeddata loadedmetadata loadend loadstart lostpointercapture message"
    " messageerror mousedown mouseenter mouseleave mousemove mouseout mouseover mouseup mousewheel move offline"
    " online orientationchange pagehide pagereveal pageshow pageswap paste pause play playing pointercancel"
    " pointerdown pointerenter pointerleave pointermove pointerout pointerover pointerrawupdate pointerup popstate"
    " progress propertychange ratechange readystatechange rejectionhandled repeat reset resize scroll scrollend"
    " scrollsnapchange scrollsnapchanging search securitypolicyviolation seeked seeking select selectionchange"
    " selectstart show slotchange stalled start storage submit suspend timeupdate toggle touchcancel touchend"
    " touchmove touchstart transitioncancel transitionend transitionrun transitionstart unhandledrejection unload"
    " volumechange waiting webkitanimationend webkitanimationiteration webkitanimationstart webkitfullscreenchange"
    " webkittransitionend wheel".split()
)
_LOADS: Final = re.compile(
    r"[\s\"'/`](?P<name>background|poster|srcset|imagesrcset|ping|lowsrc|dynsrc|srcdoc|style|src|href|xlink:href|action"
    r"|formaction|data|codebase|manifest|cite|longdesc|usemap)\s*+=\s*+(?P<value>[\"']?[^\"'>]{0,2048})",
    re.IGNORECASE,
)
_ALWAYS: Final = frozenset("background poster srcset imagesrcset ping lowsrc dynsrc srcdoc src manifest".split())
_STYLED: Final = re.compile(r"url|image|src|attr|@import|expression|behavior|binding", re.IGNORECASE)
_STYLE: Final = re.compile(r"\"[\w\s:;#%.,!()'+*/-]*+\"|'[\w\s:;#%.,!()\"+*/-]*+'|[\w:;#%.,!()+*-]++(?=[\s>]|$)")
_CODE: Final = re.compile(r"(?:javascript|vbscript|livescript|mocha|data|view-source|blob|filesystem):", re.IGNORECASE)
_LEADS: Final = re.compile(
    r"\](?=\((?P<link>\s*+(?:<[^>\n]{0,96}|[^)\s]{0,96}))"
    r"|:(?P<definition>[\s>]*+(?:<[^>\n]{0,96}|\S{0,96})))"
)
_AUTO: Final = re.compile(r"<([^\s<>]{4,40}:)")
_SPACES: Final = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2060\ufeff\\<]+")
_WHOLE: Final = re.compile(
    r"[\x00-\x20]{0,100}(?:" + r"[\t\n\r]{0,9}".join("javascript") + r"|vbscript):[^(=`\[%;&]*+[(=`\[%;&]"
    r"|\s{0,100}data:(?:text/html|image/svg|application/x)",
    re.IGNORECASE,
)
_BRACKETS: Final = re.compile(r"\\.|[\[\]]", re.DOTALL)
_BEGINS: Final = re.compile(r"<[a-zA-Z]")
_WITHIN: Final = re.compile(  # a tag as browsers read it: a mark behind a `=` opens a value, any other does not
    r"<[a-zA-Z][^\s/>]*+(?:[\s/]++|[^\s/>=]++(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s\"'>][^\s>]*+|(?=>)))?+"
    r"|=(?!\s*+[\"']))*+>"
)
_WITHIN_MAX: Final = 2 << 20
_DEFINED: Final = re.compile(r"\[((?:\\.|[^\[\]\\]){1,999})\]:", re.DOTALL)
_VALUE_MAX: Final = 96
_LABEL_MAX: Final = 1000
_OPEN_MAX: Final = 10_000

STOPS: Final = (
    r"!\[",
    rf"(?i:<(?:{_LOADING}|input|button|textarea|select|\?xml)(?:[^a-z0-9]|$))",
    r"(?i:[^a-z]on[a-z]{3,40}\s*=)",
    r"(?i:(?:background|poster|srcset|ping|lowsrc|dynsrc|srcdoc|style|src|href|action|data|codebase|manifest|cite|longdesc"
    r"|usemap)\s*=)",
    r"(?i:javascript|vbscript|livescript|mocha|data|view-source|blob|filesystem|&[#a-z][0-9a-z]*;?)(?::|&|%3a)",
    "(?i:" + r"[\t\n\r]*".join("javascript") + r":)",
    r"\](?:\(|:)[\s>]*(?:\S{0,96}[&%\\]|<[^>\n]{0,96}[&%\\\t ])",
    r"<[a-zA-Z&\\%][^ <>]{0,40}:",
)  # fmt: skip
"""Where none of it is, nothing loads or acts by itself."""


def inert(text: str) -> tuple[str, dict[str, int]]:
    """The text in which nothing loads or acts by itself, and how much of each kind did; itself where nothing did."""
    edits = {edit.at: edit for edit in (*_acting(text), *_tags(text), *_images(text), *_links(text))}
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


def _acting(text: str) -> list[Edit]:
    """Every tag in which an attribute stands that runs code, loads something or leads to code.

    Tags begin within others' values too; which of them a browser opens depends on all that is before it, so that each
    counts from where it begins.
    """
    tags = [match.start() for match in _BEGINS.finditer(text)]
    attributes = sorted([*_handlers(text), *_loading(text)]) if tags else []
    if not attributes:
        return []
    found = []
    looked_at, number = 0, 0
    for at in tags:
        while number < len(attributes) and attributes[number][0] <= at:
            number += 1
        if number == len(attributes):
            break
        match = _WITHIN.match(text, at) if looked_at < _WITHIN_MAX else None
        end = match.end() if match else len(text)  # what has no end, or was not looked for, has all that follows
        looked_at += end - at
        if attributes[number][0] < end:
            found.append(Edit(at, 1, "&lt;", attributes[number][1]))
    return found


def _handlers(text: str) -> Iterator[tuple[int, str]]:
    """Where attributes stand that run code when something happens."""
    for match in _HANDLER.finditer(text):
        if match["event"].lower() in _EVENTS:
            yield match.start(), "handler"


def _loading(text: str) -> Iterator[tuple[int, str]]:
    """Where attributes stand that load something, or lead to code."""
    for match in _LOADS.finditer(text):
        name = match["name"].lower()
        if _is_code(match["value"].lstrip("\"'"), 2048):
            yield match.start(), "code_link"
        elif name in _ALWAYS or (name == "style" and not _is_plain_style(text, match.start("value"))):
            yield match.start(), "load"


def _is_plain_style(text: str, at: int) -> bool:
    """Whether a style is one that can load nothing: whole, and of plain words and numbers."""
    style = _STYLE.match(text, at)
    return style is not None and _STYLED.search(style[0]) is None


def _is_code(address: str, size: int = _VALUE_MAX) -> bool:
    """Whether an address leads to code, however it is written; one whose beginning is nothing but blanks does.

    Args:
        size: Characters at which it was cut.
    """
    plain = _SPACES.sub("", unescape(address))
    return _CODE.match(plain) is not None or (len(address) >= size - 2 and len(plain) < size // 4)


def _images(text: str) -> list[Edit]:
    """Pictures of Markdown: of each, the marks before its bracket."""
    if "![" not in text:
        return []
    found: list[Edit] = []
    defined = {_label(match[1]) for match in _DEFINED.finditer(text)}
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
            apart = bool(defined) and text[match.end() : match.end() + 40].lstrip()[:1] == "["
            if after in ("(", "[") or apart or _label(text[at + 1 : match.start()][:_LABEL_MAX]) in defined:
                start = at
                while start > 0 and text[start - 1] == "!":
                    start -= 1
                found.append(Edit(start, at - start, "", "image"))
    return found


def _label(text: str) -> str:
    return " ".join(text.split()).casefold()


def _links(text: str) -> list[Edit]:
    """Links of Markdown that lead to code."""
    found = []
    for match in _LEADS.finditer(text):
        if _is_code((match["link"] or match["definition"] or "").lstrip()):
            found.append(Edit(match.end(), 0, " ", "code_link"))
    found += [Edit(match.start(), 1, "&lt;", "code_link") for match in _AUTO.finditer(text) if _is_code(match[1])]
    return found
