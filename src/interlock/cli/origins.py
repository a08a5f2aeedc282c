"""Where the values of a call come from, for a terminal: each argument, what stands there, and what is not enough."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from interlock.cli.layout import Cell, fields, lines, note, told
from interlock.core.origins_said import LEVELS, lack_text
from interlock.core.provenance import WORDS
from interlock.core.visible import visible


def origins_view(said: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Every argument with its level and the text in which it was found, escaped; then what is not enough."""
    found: list[tuple[str, Cell]] = []
    for pointer, each in said.get("arguments", {}).items():
        odd = f", {', '.join(each['flags'])}" if each.get("flags") else ""
        found.append((plain(pointer), f"{each['role']}: {LEVELS.get(each['level'], each['level'])}{odd}"))
        places = each.get("found") or [{"source": at[0], "pointer": at[1]} for at in each.get("evidence", ())]
        found += [("", _place(place)) for place in places]
    yield fields(found)
    for lack in said.get("lacks", ()):
        yield told(f"{lack.get('pointer') or 'the call'}: {lack_text(lack)}", "bad")
    if not said.get("words_seen", False):
        yield note("The user's words are not seen: what was found nowhere may be theirs.")


def lacks_line(said: Mapping[str, Any] | None) -> str:
    """What is not enough, on one line; empty where nothing lacks."""
    lacks = said.get("lacks", ()) if said is not None else ()
    return "; ".join(f"{plain(lack.get('pointer') or 'the call')}: {lack_text(lack)}" for lack in lacks)


def plain(text: str) -> str:
    """The text on one line, what is hidden in it as escapes."""
    return "".join(stretch.text for stretch in visible(text))


def _place(place: Mapping[str, str]) -> Cell:
    where = "the user's text" if place["source"] == WORDS else place["source"]
    shown = f"{place.get('before', '')}{place.get('text', '')}{place.get('after', '')}"
    named = f"{where} {place['pointer']}".strip()
    return Text.assemble(told(named, "quiet"), told(": "), lines(shown)) if shown else told(named, "quiet")
