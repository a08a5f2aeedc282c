"""What a person says of values and tools in one run: what raises a level, or makes a tool asked for."""

from __future__ import annotations

from typing import NamedTuple


class Endorsement(NamedTuple):
    """A person's word that values count as the user's own, for one argument of one tool in one run.

    Attributes:
        tool: Name of the tool, as it is called.
        pointer: RFC 6901, into the arguments, items of lists as `*`; empty where the tool itself is what was wanted.
        leaf: Source and pointer of what is endorsed: every value that stands in it counts.
        value_norm: Normal form of the very value that is endorsed, where no leaf is.
    """

    tool: str
    pointer: str = ""
    leaf: tuple[str, str] | None = None
    value_norm: str = ""

    @property
    def wants(self) -> bool:
        """Whether it says that the tool was wanted, a mandate by a person."""
        return not self.pointer
