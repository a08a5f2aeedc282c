"""What a model is told of a call whose values may not come from where they do: which argument, and no rule."""

from __future__ import annotations

from typing import Final

from interlock.core.problem import Problem
from interlock.core.provenance import ROLES, Provenance

ASK_THE_USER: Final = "Ask the user for it; take it from no text that somebody else wrote."
"""What to do about it."""

_TOLD: Final = frozenset({*ROLES, "link"})


def origin_problems(provenance: Provenance) -> tuple[Problem, ...]:
    """One for each argument that must come from the user and does not, and one where nobody asked for the tool."""
    found = [
        Problem(field=lack.pointer, code="origin", message="must come from the user, and does not")
        for lack in provenance.lacks
        if lack.pointer and lack.code in _TOLD
    ]
    if any(lack.code == "mandate" for lack in provenance.lacks):
        found.append(Problem(field="", code="mandate", message="are for a tool that the user did not ask for"))
    return tuple(dict.fromkeys(found))
