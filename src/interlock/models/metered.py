"""A model with a meter on it: the worst that a call may cost is reserved before, what it did cost settled after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import anyio

from interlock.core.canonical import canonical
from interlock.core.ids import IdMaker
from interlock.core.message import Message, Usage
from interlock.core.tool import Offer
from interlock.errors import ModelError
from interlock.models.model import Model

_FRAME = 64
"""Tokens that a provider may add around each message and each tool."""

_MILLION = 1_000_000

_TOKENS_MAX = 10**9
"""Tokens that one answer can be said to have taken."""

_LAST_WORD_S = 5.0
"""Seconds that settling may take where the call was cancelled: shielded, so it needs a bound of its own."""


class Cost(NamedTuple):
    """What a call of a model takes, or may take at most.

    Attributes:
        tokens: Input and output together.
        micro_usd: Millionths of a US dollar.
    """

    tokens: int
    micro_usd: int


NOTHING = Cost(0, 0)


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs.

    Attributes:
        input, output: Millionths of a US dollar for a million tokens read and written.
        cached: For a million read from the provider's cache; None where they cost what others do.
    """

    input: int
    output: int
    cached: int | None = None

    def of(self, usage: Usage) -> Cost:
        """What that many tokens cost; a part of a millionth counts as a whole one."""
        cached = 0 if self.cached is None else min(usage.cached_tokens, usage.input_tokens)
        total = (usage.input_tokens - cached) * self.input + usage.output_tokens * self.output
        total += cached * (self.cached or 0)
        return Cost(usage.input_tokens + usage.output_tokens, -(-total // _MILLION))


class Meter(Protocol):
    """Where calls of models are reserved and settled: a run's budgets, or a sum in memory."""

    async def reserve(self, ref: str, worst: Cost) -> None:
        """Set aside what the call may cost at most.

        Raises:
            GuardRefused: It is more than what is left. Nothing was set aside, and nothing may be asked.
            LedgerError: It could not be recorded; nothing may be asked.
        """
        ...

    async def settle(self, ref: str, actual: Cost) -> None:
        """Replace what was set aside by what it was.

        Raises:
            LedgerError: It could not be recorded; what was set aside stays so.
        """
        ...


class Sum:
    """A meter that refuses nothing and adds up: for calls that belong to no run.

    Attributes:
        spent: What was settled so far.
    """

    def __init__(self) -> None:
        self.spent = NOTHING

    async def reserve(self, ref: str, worst: Cost) -> None:
        """See `Meter`."""

    async def settle(self, ref: str, actual: Cost) -> None:
        """See `Meter`."""
        self.spent = Cost(self.spent.tokens + actual.tokens, self.spent.micro_usd + actual.micro_usd)


class Metered:
    """A model with a meter on it. It is a `Model` itself.

    Attributes:
        name, output_max: Those of the model.
        cost: What its calls cost so far.
        usage: The tokens of all its turns together.
    """

    def __init__(self, model: Model, price: Price, meter: Meter, new_id: IdMaker) -> None:
        self._model, self._price, self._meter, self._new_id = model, price, meter, new_id
        self.name, self.output_max = model.name, model.output_max
        self.cost = NOTHING
        self.usage = Usage(0, 0)

    async def reply(self, messages: Sequence[Message], tools: Sequence[Offer]) -> Message:
        """See `Model`.

        What nobody can know is settled as the worst: an answer that was lost, tokens not counted, a count that is none.

        Raises:
            GuardRefused: A budget has not so much left; the model was not asked.
        """
        ref = self._new_id("model")
        worst = self._price.of(Usage(_input_max(messages, tools), self.output_max))
        await self._meter.reserve(ref, worst)
        actual = worst
        try:
            message = await self._model.reply(messages, tools)
            if message.usage is not None and is_count(message.usage):
                actual = self._price.of(message.usage)
                self.usage = self.usage.plus(message.usage)
            return message
        except ModelError as error:
            if error.turned_away:
                actual = NOTHING
            raise
        finally:
            self.cost = Cost(self.cost.tokens + actual.tokens, self.cost.micro_usd + actual.micro_usd)
            await self._settled(ref, actual)

    async def _settled(self, ref: str, actual: Cost) -> None:
        """Settle even where the wait for the answer was cancelled: what was asked is paid for."""
        with anyio.CancelScope(shield=True), anyio.move_on_after(_LAST_WORD_S):
            await self._meter.settle(ref, actual)


def is_count(usage: Usage) -> bool:
    """Whether this can be what an answer took: a far end that says less than nothing must not fill a budget up."""
    return all(type(tokens) is int and 0 <= tokens <= _TOKENS_MAX for tokens in usage)


def _input_max(messages: Sequence[Message], tools: Sequence[Offer]) -> int:
    """Tokens that this can be at most: no token stands for less than one byte."""
    texts = [message.text for message in messages]
    texts += [str(proposal.arguments) + proposal.tool for message in messages for proposal in message.proposals]
    offered = sum(
        len(canonical(dict(tool.input_schema))) + len(tool.description) * 4 + len(tool.name) for tool in tools
    )
    return (
        sum(len(text.encode(errors="replace")) for text in texts) + offered + _FRAME * (len(messages) + len(tools) + 1)
    )
