"""What is remembered for one principal: a fold over a chain of their own, and where each text came from.

Nobody else's calls read or write that chain. A text that was overwritten or forgotten, or has expired, is told no
more, and stands in its event until that is erased.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from interlock.core.canonical import digest
from interlock.core.event import Event, GuardChange, Kind
from interlock.core.provenance import Level, provenance_from_json

SERVER = "memory"
"""The server of the tools that remember, by which their own results are known in a run."""

SOURCES_MAX = 16
"""Names of tools that a label has at most; the latest are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Where a remembered text came from.

    Attributes:
        origin: `USER` where the words of its run have it, whole; `THIRD` where the run had read text by others, or
            nobody can say; else `MODEL`.
        private: The run had read what not everybody may read, or nobody can say.
        tools: Names of the tools whose results the run had by then, and that the text may be made of.
        run_id, call_id: The call that remembered it.
    """

    origin: Level
    private: bool
    tools: tuple[str, ...]
    run_id: str
    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One remembered text.

    Attributes:
        key: What it is remembered under.
        text: What was remembered, as given: data, whoever it is from.
        version: Number of its event in the principal's chain; a later text under the same key has a higher one.
        label: Where it came from.
        at_us, expires_us: From when until when it is told, microseconds UTC.
    """

    key: str
    text: str
    version: int
    label: Label
    at_us: int
    expires_us: int


@dataclass(slots=True)
class Memories:
    """What one principal's chain says.

    Attributes:
        count: How many events have remembered or forgotten something: what the chain's guard row says, too.
        by_call: Idempotency key of a call to what it came to: the version that it made, or those that it forgot.
        seq: Number of the last event absorbed.
    """

    count: int = 0
    seq: int = 0
    by_call: dict[str, list[int]] = field(default_factory=dict)
    _kept: dict[int, Memory] = field(default_factory=dict)
    _keys: dict[int, str] = field(default_factory=dict)

    def standing(self, now_us: int) -> dict[str, Memory]:
        """Key to the newest text under it that was not forgotten; none where that has expired or was erased."""
        newest = {memory.key: memory for memory in self._kept.values()}
        return {key: memory for key, memory in newest.items() if now_us < memory.expires_us}

    def versions(self, key: str, version: int = 0) -> list[int]:
        """The versions under a key that were not forgotten: all of them, or that one alone."""
        return [seq for seq, memory in self._kept.items() if memory.key == key and version in (0, seq)]

    def absorb(self, events: Iterable[Event]) -> None:
        """Fold in further events of the chain, in order. An erased text counts, and is told no more.

        Nor is the one told again whose place it took: its header says which that was.
        """
        for event in events:
            fact = event.fact
            if event.seq <= self.seq:
                continue
            self.seq = event.seq
            if fact.kind is Kind.MEMORY_REMEMBERED:
                self.count += 1
                self.by_call[fact.call_id] = [event.seq]
                memory = _memory(event) if fact.body else _erased(event, self._keys.get(fact.step, ""))
                self._kept[event.seq], self._keys[event.seq] = memory, memory.key
            elif fact.kind is Kind.MEMORY_FORGOTTEN:
                self.count += 1
                self.by_call[fact.call_id] = list(fact.body["versions"])
                for seq in fact.body["versions"]:
                    self._kept.pop(seq, None)


def memory_chain(tenant: str, principal_id: str) -> str:
    """Chain of what is remembered for a principal: another for everybody, whatever stands in their names."""
    return "memory/" + digest("interlock/memory/1", tenant.encode(), principal_id.encode()).hex()[:32]


def next_write(tenant: str, principal_id: str, count: int) -> GuardChange:
    """Lets a write pass only where as many stand before it as its writer has seen."""
    name = f"{tenant}/{memory_chain(tenant, principal_id)}"
    return GuardChange(name, 1, at_most=count + 1, at_least=count + 1)


def remembered_body(key: str, text: str, label: Label, expires_us: int) -> dict[str, Any]:
    """Body of `memory.remembered`."""
    return {
        "key": key, "text": text, "origin": label.origin.word, "private": label.private, "tools": list(label.tools),
        "run_id": label.run_id, "call_id": label.call_id, "expires_us": expires_us,
    }  # fmt: skip


def label_of(run: Sequence[Event], call_id: str) -> Label:
    """Where a text comes from that a call of a run is about to remember, as its decision says.

    A run that was started for another one has the user's words from there: they are not said to it.

    Args:
        run: The run's events so far, the call's decision among them.
    """
    parent, came = "", None
    named: dict[str, str] = {}
    tools: dict[str, None] = {}
    for event in run:
        fact = event.fact
        if fact.kind is Kind.RUN_STARTED:
            parent = fact.body.get("parent") or ""
        elif fact.kind is Kind.CALL_DECIDED and (tool := fact.body.get("tool")):
            named[fact.call_id] = "" if tool["server"] == SERVER and tool["name"] != "recall" else tool["name"]
            if fact.call_id == call_id:
                came = fact.body.get("facts", {}).get("provenance", came)
        if fact.closes and fact.outcome != "refused" and (name := named.get(fact.call_id, "")):
            tools.pop(name, None)
            tools[name] = None
    known = None if came is None else provenance_from_json(came)
    third = known is None or known.saw_third or bool(parent)
    said = () if known is None or parent else known.arguments
    theirs = any(each.pointer == "/text" and each.level is Level.USER for each in said)
    return Label(
        origin=Level.USER if theirs else Level.THIRD if third else Level.MODEL,
        private=known is None or known.saw_private,
        tools=tuple(tools)[-SOURCES_MAX:], run_id=run[0].chain if run else "", call_id=call_id,
    )  # fmt: skip


def folded(text: str) -> str:
    """A text as it is compared: without case, compatibility forms and width of spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _erased(event: Event, key: str) -> Memory:
    """What is left of a text: under which key it stood, where it took the place of another; it has expired."""
    label = Label(origin=Level.THIRD, private=True, tools=(), run_id="", call_id="")
    return Memory(key=key, text="", version=event.seq, label=label, at_us=event.at_us, expires_us=0)


def _memory(event: Event) -> Memory:
    body: Mapping[str, Any] = event.fact.body
    label = Label(
        origin=Level[body["origin"].upper()], private=body.get("private", True), tools=tuple(body["tools"]),
        run_id=body["run_id"], call_id=body["call_id"],
    )  # fmt: skip
    return Memory(
        key=body["key"], text=body["text"], version=event.seq, label=label, at_us=event.at_us,
        expires_us=body["expires_us"],
    )  # fmt: skip
