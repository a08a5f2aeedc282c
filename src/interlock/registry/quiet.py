"""What is left of an entry of a server's list (a resource, a prompt) whose texts speak to the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from interlock.registry.instructions import instructs, signs

_NAMING: Final = frozenset({"name", "uri", "uriTemplate", "mimeType", "size", "arguments"})
"""Keys without which an entry could not be asked for."""


def quieted(entry: Mapping[str, Any]) -> dict[str, Any] | None:
    """The entry as it is; without its texts where one of them instructs; None where what names it does.

    Unlike a tool's, such a text is pinned by nobody: it may be another one each time that it is listed.
    """
    if not _instructs(entry):
        return dict(entry)
    bare = {key: value for key, value in entry.items() if key in _NAMING}
    if isinstance(arguments := bare.get("arguments"), list):
        bare["arguments"] = [
            {key: value for key, value in each.items() if key in ("name", "required")}
            for each in arguments if isinstance(each, Mapping)
        ]  # fmt: skip
    return None if _instructs(bare) else bare


def _instructs(entry: Mapping[str, Any]) -> bool:
    return instructs(signs({"entry": entry}))
