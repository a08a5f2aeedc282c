"""HTML and SVG as a small tree of texts: every text is escaped where it is put in, and there is no other way in."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from interlock.core.visible import Stretch, visible_lines


class Markup(str):
    """Text that is markup already: made by `tag`, or a constant of the page."""

    __slots__ = ()

    def __html__(self) -> str:
        """The same: templates put it in as it is."""
        return self


def text(said: str) -> Markup:
    """A text as it may stand in a page: escaped, with what hides or disguises something as a marked escape."""
    return shown(visible_lines(said))


def shown(stretches: Iterable[Stretch]) -> Markup:
    """The same of a text that was taken apart already."""
    return Markup("".join(_stretch(each, escape(each.text)) for each in stretches))


def block(stretches: Iterable[Stretch], **attributes: str | float) -> Markup:
    """A text in a block of its own, its lines kept; quotes stay as they are, since it is no attribute."""
    inner = "".join(_stretch(each, escape(each.text, quote=False)) for each in stretches)
    return tag("pre", Markup(inner), **attributes)


def _stretch(stretch: Stretch, escaped: str) -> str:
    return f"<mark>{escaped}</mark>" if stretch.hidden else escaped


def tag(name: str, /, *parts: str, **attributes: str | float) -> Markup:
    """An element. Parts that are no markup are escaped; `class_` is `class`, and `_` in a name is `-`.

    A fraction is said to a tenth: in a picture nobody sees less.
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(tenths(value) if isinstance(value, float) else str(value))}"'
        for key, value in attributes.items()
    )
    if name in _EMPTY:
        return Markup(f"<{name}{said}>")
    if name in _SHAPES and not parts:
        return Markup(f"<{name}{said}/>")
    inner = "".join(part if isinstance(part, Markup) else text(part) for part in parts)
    return Markup(f"<{name}{said}>{inner}</{name}>")


def tenths(value: float) -> str:
    """A number as short as a tenth of it allows."""
    return f"{value:.1f}".removesuffix(".0")


_EMPTY = frozenset({"meta"})
_SHAPES = frozenset({"path", "rect"})
"""Elements that HTML never ends, and those of SVG that end at once where nothing is in them."""
