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
    parts = (
        f"<mark>{escape(stretch.text)}</mark>" if stretch.hidden else escape(stretch.text) for stretch in stretches
    )
    return Markup("".join(parts))


def tag(name: str, /, *parts: str, **attributes: str | float) -> Markup:
    """An element. Parts that are no markup are escaped; `class_` is `class`, and `_` in a name is `-`."""
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(f"{value:g}" if isinstance(value, float) else str(value))}"'
        for key, value in attributes.items()
    )
    if name in _EMPTY:
        return Markup(f"<{name}{said}>")
    inner = "".join(part if isinstance(part, Markup) else text(part) for part in parts)
    return Markup(f"<{name}{said}>{inner}</{name}>")


_EMPTY = frozenset({"meta"})
