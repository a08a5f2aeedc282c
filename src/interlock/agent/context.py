"""What the model is sent: the conversation from the run's fold, kept turn by turn, and no longer than it must be.

The order never changes: the system prompt, the user's words, then each turn with the results of its calls, and what
the user said after it. Results of
old turns are dropped by rule, `results_kept` turns at a time, and only then does anything change that was sent before:
in between, a request begins with all of the one before it, which providers' prompt caches live on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from interlock.agent.agent import AgentLimits
from interlock.agent.confidence import put_back
from interlock.agent.envelope import dropped, envelope
from interlock.agent.report import THIRD
from interlock.core.message import TASK, Message, Proposal, Role
from interlock.core.run import RunState, speaker
from interlock.core.transcript import TurnState, Words

SMALL = 512
"""Bytes of an outcome that is kept however old it is: dropping it would save next to nothing."""


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
        self._begins: list[int] = []
        self._heard = 1
        self._short = 0

    def messages(self) -> Sequence[Message]:
        """All of it, oldest first, with what has come since it was last asked. The last turn's calls are answered."""
        turns = self._transcript.turns
        kept = self._limits.results_kept
        old = max(0, (len(turns) // kept - 1) * kept)
        self._shorten(turns[self._short : min(old, len(self._begins))])
        for turn in turns[len(self._begins) :]:
            self._hear(turn.number)
            self._begins.append(len(self._messages))
            self._messages += [_spoken(turn), *self._results(turn, short=turn.number <= old)]
        self._hear(len(turns) + 1)
        self._short = max(self._short, old)
        return tuple(self._messages)

    def _hear(self, turn: int) -> None:
        """Add what the user said before this turn."""
        words = self._transcript.words
        while self._heard < len(words) and words[self._heard].after < turn:
            self._messages.append(_user(words[self._heard]))
            self._heard += 1

    def _shorten(self, turns: Sequence[TurnState]) -> None:
        """Drop the results of turns that were shown whole until now."""
        for turn in turns:
            first = self._begins[turn.number - 1] + 1
            self._messages[first : first + len(turn.calls)] = self._results(turn, short=True)

    def _results(self, turn: TurnState, *, short: bool) -> list[Message]:
        """What became of one turn's calls, each in its envelope, and short where it is old and large."""
        found = []
        for place, (id, asked) in enumerate(zip(_ids(turn), turn.calls, strict=True)):
            call = speaker(self._run, asked.call_id)
            told = turn.told[place] if turn.told else call.told if call is not None else b""
            if short and len(told) > SMALL:
                text = dropped(asked, call, told)
            else:
                text = envelope(asked, call, told, self._limits.result_bytes_max)
            found.append(Message(role=Role.TOOL, text=text, answers=id))
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


def _spoken(turn: TurnState) -> Message:
    proposals = tuple(
        Proposal(tool=asked.tool, arguments=put_back(asked.arguments, asked.confidence), id=id)
        for id, asked in zip(_ids(turn), turn.calls, strict=True)
    )
    return Message(role=Role.MODEL, text=turn.text, proposals=proposals)


def _ids(turn: TurnState) -> list[str]:
    """What binds each result to its call: the provider's id, or the call's own where there is none or it is not one."""
    given = [asked.id for asked in turn.calls]
    return [asked.id if asked.id and given.count(asked.id) == 1 else asked.call_id for asked in turn.calls]
