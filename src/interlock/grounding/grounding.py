"""Where the calls of runs come from: of each run an index of what entered it, kept up as the run goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final, NamedTuple

from interlock.core.call import ToolCall
from interlock.core.call_state import CallState
from interlock.core.entered import Door, Entered
from interlock.core.provenance import OPERATOR, Level, Provenance, Traced
from interlock.core.run import RunState
from interlock.core.tool import Tool
from interlock.grounding.endorsement import Endorsement
from interlock.grounding.ground import by_others, ground, is_anchored, sent
from interlock.grounding.index import Index
from interlock.grounding.profile import NO_PROFILE, Profile, Profiles
from interlock.grounding.quote import quote

RUNS_MAX: Final = 64
"""Runs whose index is kept; one that was not asked about lately is made anew from its fold."""

MEMORY: Final = "memory"
"""The server of the tools that remember: each text that they tell bears its own label."""

_NAMED_MAX: Final = 256
"""Characters of one line that a saga or graph is given, and that name something; what is longer is a text."""

_LABELS = {level.word: level for level in Level}

WATCHED = frozenset({"credential", "command", "fetch"})
"""Roles for which a plain read is judged too."""


class Asking(NamedTuple):
    """Of which run it is asked, and when.

    Attributes:
        run: Its fold.
        tool_of: The tool of a call, as it is here now; None for one that is not here.
        now_us: The moment, for days that are named by a word.
    """

    run: RunState
    tool_of: Callable[[CallState], Tool | None]
    now_us: int


@dataclass(slots=True)
class _Kept:
    """One run's index, and how much of what entered the run is in it."""

    index: Index = field(default_factory=Index)
    absorbed: int = 0


class _Trust(NamedTuple):
    """What of a tool is asked at each of its calls.

    Attributes:
        judged: See `judges`.
        labelled: Nothing lacks and its origin is kept all the same: what it remembers bears it as a label.
    """

    tool: Tool
    profile: Profile
    judged: bool
    labelled: bool


class Grounding:
    """The indexes of the runs that this process works on.

    An index that was thrown away, or was never here, is made from the fold and gives the same answers.
    """

    def __init__(self, profiles: Profiles | None = None, runs_max: int = RUNS_MAX) -> None:
        self.profiles = profiles or Profiles()
        self._runs_max = runs_max
        self._kept: dict[str, _Kept] = {}
        self._known: dict[str, _Trust] = {}

    def trace(self, asking: Asking, call: ToolCall, tool: Tool, arguments: dict[str, Any]) -> Traced:
        """Where the arguments of a valid call come from: worked out when it is first read."""
        trust = self._known.get(tool.name)
        if trust is None or trust.tool is not tool:
            trust = self._known[tool.name] = self._trust(tool)
        _, profile, judged, labelled = trust

        def work() -> Provenance:
            found = ground(self.index(asking), tool, profile, arguments, asking.now_us)
            return found if judged else replace(found, lacks=())

        return Traced(
            work,
            profiled=profile.profiled,
            judged=judged or labelled,
            quote=lambda evidence: quote(self.index(asking), evidence),
        )

    def _trust(self, tool: Tool) -> _Trust:
        profile = self.profiles.of(tool)
        return _Trust(tool, profile, judges(tool, profile), _remembers(tool) and tool.writes)

    def index(self, asking: Asking) -> Index:
        """The index of a run, with all that has entered it: costs as much as what is new."""
        run = asking.run
        kept = self._kept.pop(run.run_id, None)
        if kept is None or kept.absorbed > len(run.entered):
            kept = _Kept()
        self._kept[run.run_id] = kept
        if len(self._kept) > self._runs_max:
            del self._kept[next(iter(self._kept))]
        for entered in islice(run.entered, kept.absorbed, None):
            self._absorb(kept.index, entered, asking)
            kept.absorbed += 1
        return kept.index

    def _absorb(self, index: Index, entered: Entered, asking: Asking) -> None:
        said, call_id = entered.said, entered.call_id
        match entered.door:
            case Door.WORDS:
                index.say(said)
            case Door.COURSE:
                _course(index, said)
            case Door.TASK:
                self._task(index, said, call_id)
            case Door.RESULT:
                self._result(index, said, call_id, asking)
            case Door.REPORT:
                self._report(index, said, call_id)
            case Door.SENT:
                self._sent(index, asking.run.calls[call_id], asking)
            case Door.MANDATE:
                index.want(said)
            case Door.ENDORSED:
                index.endorse(endorsement_from(said))

    def _task(self, index: Index, task: Mapping[str, Any], call_id: str) -> None:
        """What another run's model wants of this one, and what it hands over: as far trusted as that run could be."""
        level = _level(task.get("level"))
        for text in (task.get("text", ""), *_texts(task.get("data"))):
            index.hear(call_id, text, level)
        for given in task.get("given", ()):
            index.tell(given["call_id"], given["value"], NO_PROFILE, anchored=False)
        index.saw_third = index.saw_third or level is Level.THIRD
        index.saw_private = index.saw_private or bool(task.get("private", level is Level.THIRD))

    def _report(self, index: Index, payload: bytes, call_id: str) -> None:
        """What a run came to that this one started."""
        said = json.loads(payload) if payload else {}
        level = _level(said.get("level"))
        for text in _texts(said.get("outcome", {}).get("value")):
            index.hear(call_id, text, level)
        index.saw_third = index.saw_third or level is Level.THIRD
        index.saw_private = index.saw_private or bool(said.get("private", level is Level.THIRD))

    def _result(self, index: Index, payload: bytes, call_id: str, asking: Asking) -> None:
        call = asking.run.calls[call_id]
        if not payload or not call.decided:  # erased: that something entered is known, and what is not
            index.saw_third = index.saw_private = True
            return
        outcome = json.loads(payload)["outcome"]
        value, tool = outcome.get("value"), asking.tool_of(call)
        if outcome["outcome"] != "done":
            index.tell(call_id, [outcome.get("message"), value], NO_PROFILE, anchored=False)
            return
        if call.starts:  # that a run was started is the plane's own word; what it comes to is a report
            return
        if tool is not None and _remembers(tool):
            _remembered(index, value, call_id)
            return
        profile = NO_PROFILE if tool is None else self.profiles.of(tool)
        anchored, echoed = False, frozenset[str]()
        if tool is not None and profile.fields:  # else nothing of it can be lifted
            arguments = json.loads(call.decided)["arguments"]
            found = ground(index, tool, profile, arguments, asking.now_us)
            anchored = is_anchored(found)
            echoed = frozenset() if profile.directory else by_others(tool, arguments, found)
        index.tell(call_id, value, profile, anchored=anchored, echoed=echoed)

    def _sent(self, index: Index, call: CallState, asking: Asking) -> None:
        """A call with an intent is on its way; one that starts a run here goes nowhere else."""
        tool = asking.tool_of(call)
        if call.starts or not call.decided:
            return
        if tool is None:
            index.sent(call.tool, (), outward=True)
            return
        profile, arguments = self.profiles.of(tool), json.loads(call.decided)["arguments"]
        sent(index, tool, profile, arguments)
        if tool.writes and index.saw_third:
            index.doubt(by_others(tool, arguments, ground(index, tool, profile, arguments, asking.now_us)))


def imagined(words: str | None, read: Iterable[str], mandates: Iterable[str]) -> RunState:
    """A run of which no more is known than what its user said, what of others it read, and what was asked for."""
    run = RunState("run_imagined", "", words=words)
    run.entered += [] if words is None else [Entered(Door.WORDS, words)]
    run.entered += [Entered(Door.TASK, {"text": text}, "text by others") for text in read]
    run.entered += [Entered(Door.MANDATE, tool) for tool in mandates]
    return run


def endorsement_from(said: Mapping[str, Any]) -> Endorsement:
    """A person's word as `approval.decided` keeps it."""
    leaf = said.get("leaf")
    return Endorsement(
        said["tool"], said["pointer"], None if leaf is None else (leaf[0], leaf[1]), said.get("value_norm", "")
    )


def judges(tool: Tool, profile: Profile) -> bool:
    """Whether what the contracts ask of a call of the tool counts.

    Not where nobody said what an own tool's arguments are for; nor of what remembers, which keeps a label instead.
    """
    if _remembers(tool) or (not profile.profiled and (tool.sealed or tool.server == "local")):
        return False
    return tool.writes or tool.outward or not WATCHED.isdisjoint(profile.roles.values())


def _course(index: Index, course: Mapping[str, Any]) -> None:
    """What an application lays out; of what it is given, whole texts are whoever wrote them."""
    given = course.get("input")
    for text in _texts({name: part for name, part in course.items() if name != "input"}):
        index.hear(OPERATOR, text, Level.ANCHORED)
    for text in _texts(given):
        index.hear(OPERATOR, text, Level.ANCHORED if len(text) <= _NAMED_MAX and text.isprintable() else Level.THIRD)


def _remembers(tool: Tool) -> bool:
    return tool.server == MEMORY and tool.sealed  # a server behind may have the name, and is not this one


def _level(said: object) -> Level:
    """The label of what another run says; text by others where it bears none."""
    return Level.MODEL if said == Level.MODEL.word else Level.THIRD


def _remembered(index: Index, value: Any, call_id: str) -> None:
    """What a tool that remembers told: each text with the label that it was kept with."""
    memories = value.get("memories") if isinstance(value, Mapping) else None
    for memory in memories if isinstance(memories, list) else ():
        level = _LABELS.get(memory.get("origin", ""), Level.THIRD)
        for text in (memory.get("key", ""), memory.get("text", "")):
            index.hear(call_id, text, level)
        index.saw_third = index.saw_third or level is Level.THIRD
        index.saw_private = index.saw_private or bool(memory.get("private", level is Level.THIRD))


def _texts(value: Any) -> list[str]:
    """Every text in a value, keys included, and numbers as they are written."""
    found, left = list[str](), [value]
    while left:
        match left.pop():
            case str() as text:
                found.append(text)
            case bool() | None:
                pass
            case int() | float() as number:
                found.append(str(number))
            case Mapping() as record:
                left += [*record.values(), *record]
            case list() | tuple() as items:
                left += items
    return found
