"""What a call may not do after what the run has seen and done."""

from __future__ import annotations

from collections.abc import Iterator

from interlock.core.provenance import ArgumentOrigin, Lack, Level
from interlock.core.tool import Effect, Tool
from interlock.grounding.contracts import is_outward
from interlock.grounding.index import Index
from interlock.grounding.profile import Profile


def is_mandated(index: Index, tool: Tool, profile: Profile) -> bool:
    """Whether the tool was asked for: declared for the run, wanted by a person, or in the user's own words."""
    return tool.name in index.mandates or index.words.asks(profile.phrases)


def out_of_sequence(
    index: Index, tool: Tool, profile: Profile, origins: tuple[ArgumentOrigin, ...], *, mandated: bool
) -> Iterator[Lack]:
    """What is lacking for the run's sake: a mandate, an anchor for what cannot be undone, a person."""
    judged = index.words_seen or index.declared
    if tool.writes and index.saw_third and judged and not mandated:
        yield Lack("mandate")
    if index.saw_third and index.saw_private and is_outward(tool) and not _is_led(index, tool, origins, mandated):
        yield Lack("trifecta")
    destructive = tool.effect.rank >= Effect.IRREVERSIBLE.rank
    if destructive and index.saw_third and index.words_seen and not any(
        each.role in ("target", "selector", "content", "content_ref", "command", "credential") for each in origins
    ):  # fmt: skip
        yield Lack("selector", "", Level.ANCHORED)
    if tool.effect is Effect.PRIVILEGED:
        yield Lack("privilege")


def too_many(index: Index, tool: Tool, profile: Profile, targets: set[str]) -> Iterator[Lack]:
    """More distinct targets than a run may have."""
    if len(index.targets.get(tool.name, set()) | targets) > profile.targets_max:
        yield Lack("targets")


def _is_led(index: Index, tool: Tool, origins: tuple[ArgumentOrigin, ...], mandated: bool) -> bool:
    """Whether what was seen did not lead there: the user said where it goes, if anywhere, and that it should.

    A link that is only read may stand in what others wrote, as it is: `fetched` says what it may not carry.
    """
    towards = [each for each in origins if each.role in ("target", "fetch")]
    if not index.words_seen:
        return bool(towards) and all(each.rung not in ("r7", "r0") for each in towards)
    return (mandated or not tool.writes) and all(
        each.level >= Level.ANCHORED or (each.role == "fetch" and each.rung == "r7" and not tool.writes)
        for each in towards
    )
