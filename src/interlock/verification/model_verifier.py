"""A verifier that is a model: it reads the call cold, as quoted data, and answers in one shape."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import anyio

from interlock.core.canonical import Json, canonical, digest
from interlock.core.ids import IdMaker
from interlock.core.message import Finish, Message, Role
from interlock.errors import GuardRefused, ModelError
from interlock.models.metered import Metered, Price
from interlock.models.model import Model
from interlock.models.retried import Retried
from interlock.verification.prompt import PROMPT
from interlock.verification.question import Question
from interlock.verification.verdict import Verdict, Word, parse_verdict

INPUT_MAX = 131_072
"""Bytes of a call that a model is given, the user's words included. What is longer nobody reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a model is asked.

    Attributes:
        price: What it costs.
        timeout_s: Seconds that one verdict may take, all tries together.
        nonce: Makes what an answer must repeat.
        new_id: Makes the ids of calls of the model.
        pause: Waits between tries.
    """

    price: Price
    timeout_s: float
    nonce: Callable[[], str]
    new_id: IdMaker
    pause: Callable[[float], Awaitable[None]]


class ModelVerifier:
    """Asks a model. Only a whole answer of the right shape about this very call is more than uncertain.

    A call that is too long, no answer in time, an error, a budget that is used up, a malformed answer: uncertain.
    Without the user's words an approval counts as uncertain too. A low temperature or a fixed seed would not make an
    answer certain, so none is asked for.

    Attributes:
        identity: The model, and a digest of what it is told.
    """

    def __init__(self, model: Model, reading: Reading) -> None:
        self._model, self._reading = model, reading
        self.identity = f"{model.name}/{digest('interlock/prompt/1', PROMPT.encode()).hex()[:12]}"

    def declared(self, question: Question) -> dict[str, Json]:
        """What the model is given of a call, without the nonce."""
        return {
            "words": question.words,
            "tool": question.tool,
            "server": question.server,
            "description": question.description,
            "effect": question.effect,
            "arguments": question.text.decode(),
            "digest": question.digest,
        }

    async def __call__(self, question: Question) -> Verdict:
        """See `Verifier`."""
        nonce = self._reading.nonce()
        given = canonical({**self.declared(question), "nonce": nonce})
        asked = Verdict(
            verdict=Word.UNCERTAIN,
            digest=question.digest,
            verifier=self.identity,
            nonce=nonce,
            input_digest=digest("interlock/verify/1", PROMPT.encode(), given).hex(),
        )
        if len(given) > INPUT_MAX:
            return replace(asked, why=f"{len(given)} bytes are too much to read")
        metered = Metered(self._model, self._reading.price, question.meter, self._reading.new_id)
        verdict = await self._answer(metered, given, asked)
        if verdict.verdict is Word.APPROVED and question.words is None:
            verdict = replace(verdict, verdict=Word.UNCERTAIN, why="the user's words are not known")
        return replace(
            verdict, tokens=(metered.usage.input_tokens, metered.usage.output_tokens), micro_usd=metered.cost.micro_usd
        )

    async def _answer(self, metered: Metered, given: bytes, asked: Verdict) -> Verdict:
        messages = [Message(role=Role.SYSTEM, text=PROMPT), Message(role=Role.USER, text=given.decode())]
        try:
            with anyio.fail_after(self._reading.timeout_s):
                answer = await Retried(metered, self._reading.pause).reply(messages, [])
        except TimeoutError:
            return replace(asked, why=f"no answer in {self._reading.timeout_s:g} s")
        except ModelError as error:
            return replace(asked, why=error.code)
        except GuardRefused as error:
            return replace(asked, why=f"budget: {error.guard}")
        if answer.finish is not Finish.WHOLE:
            return replace(asked, why=f"the answer is {answer.finish.value}")
        if answer.proposals:
            return replace(asked, why="the reader proposes calls")
        return parse_verdict(answer.text, asked)
