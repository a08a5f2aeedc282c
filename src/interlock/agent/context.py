"""What the model is sent: the conversation from the run's fold, kept turn by turn, and no longer than it must be.

The order never changes: the system prompt, the user's words, then each turn with the results of its calls, and what
the user said after it. Old turns lose their results, and where it is long still, all but a line (`pruning`); only then
does anything change that was sent before. Calls and results stay paired, and what the user said stays whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from interlock.agent.agent import AgentLimits
from interlock.agent.confidence import put_back
from interlock.agent.envelope import dropped, envelope, line
from interlock.agent.pruning import Pruning, Size
from interlock.agent.report import THIRD
from interlock.core.message import TASK, Message, Proposal, Role
from interlock.core.run import RunState, speaker
from interlock.core.transcript import Asked, TurnState, Words
from interlock.ledger.spoken import text_of

SMALL = 512
"""Bytes of an outcome that is kept however old it is: dropping it would save next to nothing."""

LINE_MAX = 120
"""Characters of a text, or of a call's arguments, that are left of an old turn."""

RESULT_LINE = 128
"""Characters that the result of a call in such a turn takes, about."""


class Context:
    """The messages of one run. Nothing of it is needed again: another process makes the same from the ledger.

    Args:
        system: The system prompt.
        run: The fold, read whenever `messages` is asked.
    """

    def __init__(self, system: str, run: RunState, limits: AgentLimits) -> None:
        self._run = run
        self._limits = limits
        assert run.transcript is not None, "an agent's run has a transcript"
        self._transcript = run.transcript
        self._messages = [Message(role=Role.SYSTEM, text=system), _user(run.transcript.words[0])]
        if run.task:
            self._messages += _task(run.task)
        self._pruning = Pruning(limits)
        self._pruning.hear(sum(len(message.text) for message in self._messages))
        self._begins: list[int] = []
        self._heard = self._counted = 1

    def messages(self) -> Sequence[Message]:
        """All of it, oldest first, with what has come since it was last asked. The last turn's calls are answered."""
        turns, pruning, shown = self._transcript.turns, self._pruning, len(self._begins)
        short, lines = pruning.short, pruning.lines
        for turn in turns[shown:]:
            if len(self._transcript.words) > 1:
                pruning.hear(self._words_before(turn.number))
            pruning.add(self._size(turn))
        short = max(short, pruning.lines)
        for place in (*range(lines, min(pruning.lines, shown)), *range(short, min(pruning.short, shown))):
            self._show_again(turns[place])
        for turn in turns[shown:]:
            self._hear(turn.number)
            self._begins.append(len(self._messages))
            self._messages += self._shown(turn)
        self._hear(len(turns) + 1)
        return tuple(self._messages)

    def _hear(self, turn: int) -> None:
        """Add what the user said before this turn."""
        words = self._transcript.words
        while self._heard < len(words) and words[self._heard].after < turn:
            self._messages.append(_user(words[self._heard]))
            self._heard += 1

    def _words_before(self, turn: int) -> int:
        """Characters of what the user said before this turn, and had not been counted."""
        words, characters = self._transcript.words, 0
        while self._counted < len(words) and words[self._counted].after < turn:
            characters += len(words[self._counted].text)
            self._counted += 1
        return characters

    def _size(self, turn: TurnState) -> Size:
        said, whole, short = len(turn.text), 0, 0
        for place, asked in enumerate(turn.calls):
            said += len(text_of(asked.arguments))
            told = len(self._told(turn, place))
            whole += min(told, self._limits.result_bytes_max)
            short += min(told, SMALL)
        return Size(said + whole, said + short, min(said, LINE_MAX) + RESULT_LINE * len(turn.calls))

    def _told(self, turn: TurnState, place: int) -> bytes:
        if turn.told:
            return turn.told[place]
        call = speaker(self._run, turn.calls[place].call_id)
        return call.told if call is not None else b""

    def _show_again(self, turn: TurnState) -> None:
        """Show a turn shorter than until now: in as many messages, so that nothing else moves."""
        first = self._begins[turn.number - 1]
        self._messages[first : first + 1 + len(turn.calls)] = self._shown(turn)

    def _shown(self, turn: TurnState) -> list[Message]:
        """One turn and what became of its calls: whole, without large results, or a line of each."""
        as_line, ids = turn.number <= self._pruning.lines, _ids(turn)
        found = [_spoken(turn, ids, as_line=as_line)]
        for place, (id, asked) in enumerate(zip(ids, turn.calls, strict=True)):
            call, told = speaker(self._run, asked.call_id), self._told(turn, place)
            if as_line:
                text = line(asked, call, told)
            elif turn.number <= self._pruning.short and len(told) > SMALL:
                text = dropped(asked, call, told)
            else:
                text = envelope(asked, call, told, self._limits.result_bytes_max)
            found.append(Message(Role.TOOL, text, answers=id))
        return found


def _task(task: Mapping[str, Any]) -> list[Message]:
    """What another run wants, as the result of a call: what an agent says speaks as no user, to no agent."""
    said = {"kind": "task", "from": task["from"], "origin": THIRD, "task": task["text"]}
    said |= {part: task[part] for part in ("given", "data") if part in task}
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    asked = Proposal(tool=TASK, arguments={}, id=TASK)
    return [Message(role=Role.MODEL, proposals=(asked,)), Message(role=Role.TOOL, text=text, answers=TASK)]


def _user(words: Words) -> Message:
    return Message(role=Role.USER, text=words.text)


def _spoken(turn: TurnState, ids: Sequence[str], *, as_line: bool) -> Message:
    proposals = [
        Proposal(asked.tool, _arguments(asked, as_line), id) for id, asked in zip(ids, turn.calls, strict=True)
    ]
    return Message(Role.MODEL, _first_line(turn.text) if as_line else turn.text, tuple(proposals))


def _arguments(asked: Asked, as_line: bool) -> str | Mapping[str, Any]:
    if as_line and len(text := text_of(asked.arguments)) > LINE_MAX:
        return {"shortened": text[:LINE_MAX]}
    return put_back(asked.arguments, asked.confidence)


def _first_line(text: str) -> str:
    first = text.strip().partition("\n")[0][:LINE_MAX]
    return first if len(first) == len(text) else f"{first} …"


def _ids(turn: TurnState) -> list[str]:
    """What binds each result to its call: the provider's id, or the call's own where there is none or it is not one."""
    given = [asked.id for asked in turn.calls]
    if len(given) == 1 and given[0]:
        return given
    return [asked.id if asked.id and given.count(asked.id) == 1 else asked.call_id for asked in turn.calls]
