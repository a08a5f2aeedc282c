"""What the suite found, check by check, and how two runs of it compare."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

Found = Mapping[tuple[str, str], str]
"""Scenario and check to how it went: the worst, where it was made several times."""

_WORST = ("FAILURE", "WARNING", "SKIPPED", "INFO", "SUCCESS")

_RUN = re.compile(r"-\d{4}-\d\d-\d\dT[\dZ-]+$")
"""When a scenario was run, at the end of the folder's name."""

ABSENT = "absent"

WHY = {
    "server-sse-polling": "a call's stream cannot be left and taken up again; a client asks by name what became of it",
    "tasks-": "the server has no such tool: it answers with a failed result, the gateway with the protocol's error",
}
"""Beginning of a scenario that no revision requires to why something of it is otherwise through the gateway."""


@dataclass(frozen=True, slots=True)
class Row:
    """One check in both runs.

    Attributes:
        scored: Whether the revision requires its scenario.
    """

    revision: str
    scenario: str
    check: str
    direct: str
    through: str
    scored: bool

    @property
    def worse(self) -> bool:
        """Whether it passes directly and not through the gateway."""
        return self.direct == "SUCCESS" and self.through not in ("SUCCESS", "INFO")

    @property
    def why(self) -> str:
        """Why it is otherwise, where that is known; empty where it is not."""
        return next((why for begin, why in WHY.items() if self.scenario.startswith(begin)), "")


def read_found(folder: Path) -> Found:
    """The checks of one run, from what the suite wrote."""
    found: dict[tuple[str, str], str] = {}
    for file in sorted(folder.glob("server-*/checks.json")):
        scenario = _RUN.sub("", file.parent.name.removeprefix("server-"))
        for check in json.loads(file.read_text()):
            key = scenario, check["id"]
            found[key] = min(found.get(key, "SUCCESS"), check["status"], key=_WORST.index)
    return found


def required(suite: Path, revision: str) -> frozenset[str]:
    """The scenarios that a revision requires of a server."""
    said = yaml.safe_load((suite / "requirements" / f"{revision}.yaml").read_text())
    return frozenset(said["server"])


def compared(revision: str, direct: Found, through: Found, scored: frozenset[str]) -> Iterator[Row]:
    """Every check of either run."""
    for scenario, check in sorted(direct.keys() | through.keys()):
        key = scenario, check
        yield Row(
            revision, scenario, check, direct.get(key, ABSENT), through.get(key, ABSENT), scenario in scored
        )  # fmt: skip
