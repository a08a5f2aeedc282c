"""How the export stands, for whoever wants to show it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Told:
    """What was delivered so far by this process, and how it stands.

    Attributes:
        exporting: This process is the one of the deployment that exports.
        position: Of the last event whose spans were delivered.
        spans, requests: What a collector took.
        lost: Spans and points that a collector refused for good.
        problem: Why nothing is delivered just now; empty where it is.
    """

    exporting: bool = False
    position: int = 0
    spans: int = 0
    requests: int = 0
    lost: int = 0
    problem: str = ""
