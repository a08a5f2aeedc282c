"""Secrets of one call: had right before its intent, held for its attempts, and in nothing that comes of them.

The value stands in the arguments that the tool's body gets, and nowhere else. What the body returns, raises or tells is
cleaned at this place, before a gate, the ledger, a cache or a listener sees any of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from interlock.core.call import ApprovedCall, Stop, ValidCall, refuse
from interlock.core.canonical import canonical, keyed
from interlock.core.event import Kind
from interlock.core.held import HOLDING
from interlock.core.progress import Progress
from interlock.core.scrub import Scrubber
from interlock.core.secret import VALUE_MAX, VALUE_MIN, filled
from interlock.core.tool import Body, CallContext, Tool
from interlock.errors import NotSent, SecretError
from interlock.execution.attempt import failure_of
from interlock.execution.executor import Executor
from interlock.execution.keeper import Keeper
from interlock.ledger.record import Entry
from interlock.registry.registry import Registry


class Unscrubbed:
    """In the place of a result that could not be looked through: no JSON, so that the screens withhold it."""


@dataclass(frozen=True, slots=True)
class Held:
    """The secrets of one call, while it is tried.

    Attributes:
        values: By the text of their references.
        mark: What tells, with the deployment's key alone, whether they are the same as at another time.
    """

    values: Mapping[str, str] = field(repr=False)
    mark: str

    def __reduce__(self) -> Any:
        """Refuse to be written down."""
        raise TypeError("secrets are held in memory alone")


class Sending(NamedTuple):
    """What is run of a call that refers to secrets.

    Attributes:
        body: The tool's body, with them.
        mark: See `Held`; empty where nothing can be sent.
    """

    body: Body
    mark: str


async def sending(
    approved: ApprovedCall, body: Body, executor: Executor, entry: Entry, registry: Registry
) -> Sending | Stop:  # fmt: skip
    """The body with the call's secrets, or why the call is refused; nothing was recorded or sent then.

    A call whose worker was lost has an intent already, and is never refused: where its secrets cannot be had, or are
    others than those that it was sent with, it is not sent again, and only what the far end says can settle it.
    """
    valid = approved.valid
    try:
        held = await hold(valid, executor.keeper, registry, executor.deployment_key)
    except SecretError as error:
        if entry.lost:
            return Sending(_unsendable(str(error)), "")
        return refuse(
            valid.call, "execute.secret", "a secret that this call needs cannot be had; nothing was sent",
            next_step="Tell the user; a person has to see to it.", audit={"error": str(error), "reason": error.code},
        )  # fmt: skip
    if entry.lost and valid.tool.writes and held.mark != await _marked(entry):
        return Sending(_unsendable("a secret is another one than the call was sent with"), "")
    return Sending(concealed(body, valid.tool, held), held.mark)


async def _marked(entry: Entry) -> str:
    """The mark that the call's intent has; empty for none."""
    for event in await entry.events():
        if event.fact.kind is Kind.CALL_INTENT and event.fact.call_id == entry.call.call_id and event.payload:
            return str(event.fact.body.get("secrets", {}).get("mark", ""))
    return ""


def _unsendable(why: str) -> Body:
    async def run(arguments: dict[str, Any], context: CallContext) -> object:
        raise NotSent(why, code="secret.unsendable")

    return run


async def hold(valid: ValidCall, keeper: Keeper, registry: Registry, key: bytes) -> Held:
    """Have the secrets of a call.

    Args:
        registry: Says whether the arguments with them are what the tool takes.
        key: The deployment's.

    Raises:
        SecretError: One of them cannot be had, or cannot stand where it is to stand.
    """
    values: dict[str, str] = {}
    for use in valid.secrets:
        text = use.reference.text
        if text not in values:
            values[text] = _checked(text, await keeper.secret(use.reference))
    if not registry.input_matches(valid.tool, filled(dict(valid.arguments), values)):
        raise SecretError("a secret is not of the form that the tool takes", code="secret.schema")
    mark = keyed(key, b"interlock/secrets/1" + canonical([valid.digest, sorted(values.items())])).hex()
    return Held(values, mark)


def _checked(text: str, value: str) -> str:
    if len(value) < VALUE_MIN:
        raise SecretError(
            f"{text}: fewer than {VALUE_MIN} characters", code="secret.short",
            remedy="What is so short cannot be kept out of results; make a longer one.",
        )  # fmt: skip
    if len(value) > VALUE_MAX:
        raise SecretError(f"{text}: more than {VALUE_MAX} characters", code="secret.long")
    return value


def concealed(body: Body, tool: Tool, held: Held) -> Body:
    """The body with the secrets in its arguments, and with none in what comes of it."""
    scrubber = Scrubber(held.values.values())
    pieces = scrubber.pieces()

    async def run(arguments: dict[str, Any], context: CallContext) -> object:
        report = context.report

        def told(run_id: str, call_id: str, said: Progress) -> None:
            if report is not None:
                report(run_id, call_id, replace(said, message=pieces.next(said.message)))

        with HOLDING.by(context.call_id, scrubber):
            try:
                result = await body(filled(arguments, held.values), replace(context, report=told))
            except Exception as error:  # the body is anybody's code: its text may have what it was given
                failure = failure_of(tool, error, scrubber.cut)
                return replace(failure, answer=_clean(failure.answer, scrubber))
            return _clean(result, scrubber)

    return run


def _clean(value: object, scrubber: Scrubber) -> object:
    try:
        return scrubber.value(value)
    except (ValueError, TypeError, RecursionError, AttributeError):
        return Unscrubbed()
