"""Which of several models answers: the first that can, or the one that the task is for.

Both are a `Model`, and both are made of single ones: whoever puts a meter on a model puts it on each of those, so that
a budget pays for every one that was asked, also for the one that did not answer in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Protocol

import anyio

from interlock.core.breaker import Breaker
from interlock.core.clock import Clock, SystemClock
from interlock.core.message import Finish, Message
from interlock.core.tool import Offer
from interlock.errors import DefinitionError, ModelError, ModelUnavailable
from interlock.models.model import Model

TRY_S = 60.0
"""Seconds that a model has before the next one is asked."""

WINDOW = 5
ENOUGH = 3
"""Newest answers of a model that its health is judged by, and how many of them at least. A try may take a minute, so
fewer than of a tool."""


class Wrap(Protocol):
    """What is done to each single model."""

    def __call__(self, model: Model, *, draft: bool) -> Model:
        """The model with something around it.

        Args:
            draft: What it says beside calls is for nobody to hear: another model may answer in its place.
        """
        ...


class Fallback:
    """Models in order: the next is asked where one did not answer. It is a `Model` itself.

    What a model declines is an answer, and no other model is asked. One that fails nearly always is left alone for 30
    seconds, then asked once. What is known of their health is this process's.

    Attributes:
        name: That of the first.
        output_max: The most that any of them may write.
    """

    def __init__(self, *models: Model, try_s: float = TRY_S, clock: Clock | None = None) -> None:
        """Models in the order in which they are asked.

        Args:
            try_s: Seconds that each has.

        Raises:
            DefinitionError: No model.
        """
        self.name, self.output_max = _first(models).name, max(model.output_max for model in models)
        self._steps = tuple((model, Breaker(WINDOW, ENOUGH)) for model in models)
        self._try_s, self._clock = try_s, clock or SystemClock()

    @property
    def models(self) -> tuple[Model, ...]:
        """Those that it asks, in order."""
        return tuple(model for model, _ in self._steps)

    @property
    def health(self) -> tuple[str, ...]:
        """Of each in order: `closed` (asked), `open` (left alone), `half_open` or `probing`."""
        now_s = self._clock.mono_s()
        return tuple(breaker.state(now_s) for _, breaker in self._steps)

    async def reply(self, messages: Sequence[Message], tools: Sequence[Offer]) -> Message:
        """See `Model`; the message says which of them answered.

        Raises:
            ModelUnavailable: None answered, and one of them may later.
            ModelError: None answered, and none will.
        """
        failed: list[ModelError] = []
        for model, breaker in self._steps:
            now_s = self._clock.mono_s()
            if not breaker.admit(now_s):
                failed.append(_resting(model.name, breaker.rest_s(now_s)))
                continue
            try:
                message = await self._tried(model, messages, tools)
            except ModelError as error:
                # a request that was turned away for good is a healthy provider's answer
                ill = isinstance(error, ModelUnavailable) or not error.turned_away
                breaker.note(ill, self._clock.mono_s())
                failed.append(error)
            except BaseException:
                breaker.probing = False
                raise
            else:
                breaker.note(False, self._clock.mono_s())
                return _by(model, message)
        raise _none_of(failed)

    def each(self, wrap: Wrap, *, draft: bool) -> Fallback:
        """The same with every single model wrapped; their health stays shared."""
        other = copy(self)
        other._steps = tuple((each(model, wrap, draft=draft), breaker) for model, breaker in self._steps)
        return other

    async def _tried(self, model: Model, messages: Sequence[Message], tools: Sequence[Offer]) -> Message:
        with anyio.move_on_after(self._try_s):
            return await model.reply(messages, tools)
        raise ModelUnavailable(f"{model.name} did not answer in {self._try_s:g} s", code="model.timeout")


class Routed:
    """One model chooses tools, another answers: a small one for the many steps, a strong one for the last.

    Where the first proposes no calls, what it says is a draft that is thrown away, and the second is asked, without
    tools. It is a `Model` itself.

    Attributes:
        name: That of the one that answers.
        output_max: The most that either may write.
    """

    def __init__(self, *, choose: Model, answer: Model) -> None:
        self._choose, self._answer = choose, answer
        self.name, self.output_max = answer.name, max(choose.output_max, answer.output_max)

    @property
    def models(self) -> tuple[Model, ...]:
        """The one that chooses, and the one that answers."""
        return self._choose, self._answer

    async def reply(self, messages: Sequence[Message], tools: Sequence[Offer]) -> Message:
        """See `Model`; the message says which of them said it, and its usage is that of both where both were asked."""
        if not tools:
            return _by(self._answer, await self._answer.reply(messages, ()))
        chosen = await self._choose.reply(messages, tools)
        if chosen.proposals or chosen.finish is not Finish.WHOLE:
            return _by(self._choose, chosen)
        answer = await self._answer.reply(messages, ())
        usage = chosen.usage if answer.usage is None else answer.usage.plus(chosen.usage)
        return _by(self._answer, answer)._replace(usage=usage)

    def each(self, wrap: Wrap, *, draft: bool) -> Routed:
        """The same with every single model wrapped."""
        return Routed(choose=each(self._choose, wrap, draft=True), answer=each(self._answer, wrap, draft=draft))


def each(model: Model, wrap: Wrap, *, draft: bool = False) -> Model:
    """The model with every single one in it wrapped."""
    return model.each(wrap, draft=draft) if isinstance(model, Fallback | Routed) else wrap(model, draft=draft)


def leaves(model: Model) -> tuple[Model, ...]:
    """The single models that it is made of, in order."""
    if isinstance(model, Fallback | Routed):
        return tuple(leaf for part in model.models for leaf in leaves(part))
    return (model,)


def _first(models: Sequence[Model]) -> Model:
    if not models:
        raise DefinitionError("a fallback of no models", code="model.none", remedy="Give at least one model.")
    return models[0]


def _by(model: Model, message: Message) -> Message:
    return message if message.model else message._replace(model=model.name)


def _resting(name: str, rest_s: float) -> ModelUnavailable:
    said = f"{name} failed too often and is left alone"
    return ModelUnavailable(said, code="model.resting", turned_away=True, retry_after_s=rest_s)


def _none_of(failed: Sequence[ModelError]) -> ModelError:
    """What to say where nobody answered: come back as soon as the first of them may."""
    if len(failed) == 1:
        return failed[0]
    later = [error.retry_after_s for error in failed if isinstance(error, ModelUnavailable)]
    if not later:
        return failed[-1]
    known = [wait_s for wait_s in later if wait_s is not None]
    return ModelUnavailable(
        f"none of {len(failed)} models answered", code="model.none_answered",
        turned_away=all(error.turned_away for error in failed),
        retry_after_s=min(known) if len(known) == len(later) else None,
    )  # fmt: skip
