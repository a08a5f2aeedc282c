"""What a call of an operation runs: build, send, and say by the status what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Final

import anyio.to_thread

from interlock.core.canonical import JsonLimits, parse_json
from interlock.core.tool import CallContext
from interlock.core.trace import TRACEPARENT
from interlock.errors import BadInput, Rejected, ToolError, TryLater
from interlock.net.answer import Answer
from interlock.net.egress import Ask, Egress, seconds_of
from interlock.sources.openapi_auth import Credential, Secrets
from interlock.sources.openapi_effect import SAFE
from interlock.sources.openapi_media import essence, is_json, is_text
from interlock.sources.openapi_operation import Operation
from interlock.sources.openapi_request import request_of

_LATER: Final = frozenset({429, 503})


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The body of an operation's tool.

    Attributes:
        operation: What is called.
        base_url: Where.
        egress: What sends.
        credentials: What every request bears.
        answer_max: Bytes of an answer.
    """

    operation: Operation
    base_url: str
    egress: Egress = field(repr=False)
    credentials: Sequence[Credential] = field(repr=False)
    answer_max: int

    async def __call__(self, arguments: dict[str, Any], context: CallContext) -> object:
        """Call it once.

        Raises:
            NotSent: Nothing left.
            TryLater: It answered 429 or 503.
            Rejected: It answered that it did not do it, or a value has no form in its place, so that nothing left.
            TimeoutError, ToolError: It failed, or may have been done.
        """
        try:
            ask = request_of(self.operation, self.base_url, arguments, context.idempotency_key)
        except BadInput as error:  # no other try would go better: for the path that is a rejection
            raise Rejected(error.args[0], reason=f"{error.args[0]}; nothing was sent") from None
        ask = _traced(ask, context.trace)
        secrets = Secrets([])
        if self.credentials:
            secrets = await anyio.to_thread.run_sync(self._secrets)
        answer = await self.egress.send(replace(secrets.on(ask), answer_max=self.answer_max))
        return self._read(answer, secrets)

    def _secrets(self) -> Secrets:
        return Secrets([(each, each.read()) for each in self.credentials])

    def _read(self, answer: Answer, secrets: Secrets) -> object:
        """The result, or what a status means. The service's own words about a failure are told to nobody."""
        status = answer.status
        told = f"the service answered {status}{_phrase(status)}"
        if 200 <= status < 300:
            return self._result(answer, secrets)
        if status in _LATER:
            raise TryLater(told, retry_after_s=seconds_of(answer))
        if 400 <= status < 500 or (status < 400 and self.operation.method in SAFE):
            raise Rejected(told, reason=told)
        raise ToolError(told, code="service.failed")

    def _result(self, answer: Answer, secrets: Secrets) -> object:
        """The answer as JSON where it says that it is, else as text.

        A write whose answer cannot be read is done all the same: its result says so, and is none of the form that the
        service promised.
        """
        if answer.cut:
            return self._unread(answer, f"it has more than {self.answer_max} bytes")
        body = secrets.out_of(answer.body)
        media = answer.headers.get("content-type", "")
        if not body:
            return None
        if is_json(media) and media:
            try:
                return parse_json(body, JsonLimits(bytes_max=self.answer_max + 1024, string_max=self.answer_max))
            except BadInput as error:
                return self._unread(answer, error.args[0])
        if media and not is_text(media):
            return f"{len(body)} bytes of {essence(media)[:100]}, which are not shown"
        return body.decode(errors="replace")

    def _unread(self, answer: Answer, why: str) -> str:
        if self.operation.method in SAFE:
            raise ToolError(f"the service's answer cannot be read: {why}", code="service.answer")
        return f"the service answered {answer.status}; its answer is not shown: {why}"


def _traced(ask: Ask, trace: Mapping[str, str]) -> Ask:
    """With what says whose trace the call belongs to, unless the operation has parameters of that name; there alone."""
    if not trace or TRACEPARENT in ask.headers:
        return ask
    return replace(ask, headers={**trace, **ask.headers}, secret_headers=ask.secret_headers | trace.keys())


def _phrase(status: int) -> str:
    try:
        return f" ({HTTPStatus(status).phrase})"
    except ValueError:
        return ""
