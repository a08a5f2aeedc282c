"""Functions and JSON Schemas as tools."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypedDict, Unpack, overload

import anyio
import anyio.to_thread

from interlock.core.tool import BatchBody, Body, CallContext, Effect, Entity, Tool
from interlock.errors import DefinitionError, NotSent
from interlock.registry.claims import at_least, reaches_out
from interlock.registry.signature import Signature, read_signature

THREADS_MAX = 32
"""Threads that one sync tool may occupy at once: a tool that hangs starves itself alone."""


class ToolOptions(TypedDict, total=False):
    """What can be said of any tool beside its schema; the meaning of each stands at `core.tool.Tool`."""

    version: str
    effect: Effect | str
    outward: bool
    keyed: bool
    idempotent: bool
    resource: str
    entities: Mapping[str, Entity]
    roles: Mapping[str, str]
    secrets: Mapping[str, str | Sequence[str]]
    timeout_s: float
    attempts_max: int
    at_once: int
    costs: Mapping[str, int | str]
    cache_s: float
    cache_tags: Sequence[str]
    invalidates: Sequence[str]
    fallback: str
    compensate: str
    compensate_with: Mapping[str, str]
    reconcile: str
    category: str
    tags: Sequence[str]
    examples: Sequence[Mapping[str, Any]]
    deprecated: str
    health: Callable[[], object]


class FunctionOptions(ToolOptions, total=False):
    """What can be said of a tool made from a function besides; by default its name and docstring say it."""

    name: str
    server: str
    description: str
    batch: Callable[..., Any]


class ForeignOptions(ToolOptions, total=False):
    """What can be said of a foreign tool besides."""

    output_schema: Mapping[str, Any] | None
    claims: Mapping[str, Any]
    sealed: bool
    batch: BatchBody


@overload
def tool(function: Callable[..., Any], /) -> Tool: ...


@overload
def tool(**options: Unpack[FunctionOptions]) -> Callable[[Callable[..., Any]], Tool]: ...


def tool(
    function: Callable[..., Any] | None = None, /, **options: Unpack[FunctionOptions]
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a tool of a typed function, sync or async: `@tool` or `@tool(effect="read", …)`.

    The annotations become a strict JSON Schema, the docstring the descriptions, the return annotation the
    schema of the result. A parameter annotated `CallContext` receives the call's context and is not in the
    schema. A sync function runs in a thread, which cancellation leaves behind. Without `effect` the tool is
    `privileged`: nothing runs it without an authenticated person.

    `batch` of a read is a function, sync or async, that answers several calls at once: it takes a list, for each
    call a dict of what this function would be given by name, and returns a list of as many results in the same
    order, or an exception in the place of the one that failed.

    Raises:
        DefinitionError: Names the function, the parameter or option, and the remedy.
    """
    if function is None:
        return lambda function: _define(function, options)
    return _define(function, options)


def foreign_tool(
    name: str, server: str, description: str, input_schema: Mapping[str, Any], body: Body,
    **options: Unpack[ForeignOptions],
) -> Tool:  # fmt: skip
    """A tool that is given by JSON Schema and runs elsewhere.

    Defaults in its schema are shown and not applied: what they do is for the server to say. It is `privileged`
    unless the operator says otherwise by `effect`; what the server claims goes into `claims`, and only raises it.
    """
    given = _given(dict(options), name)
    given.setdefault("sealed", False)
    claims = given.get("claims", {})
    given["effect"] = at_least(given.get("effect", Effect.PRIVILEGED), claims)
    given["outward"] = reaches_out(given.get("outward", False), claims)
    return Tool(name=name, server=server, description=description, input_schema=input_schema, body=body, **given)


def _define(function: Callable[..., Any], options: FunctionOptions) -> Tool:
    if not callable(function):
        raise DefinitionError(f"{function!r} is no function", code="definition.function")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise DefinitionError(
            f"tool function {function.__qualname__!r} yields", code="definition.function", remedy="Return one result."
        )
    signature = read_signature(function)
    name = str(options.get("name") or getattr(function, "__name__", ""))
    given = _given(dict(options), name)
    given.setdefault("description", signature.description)
    given["name"] = name
    if (batch := given.get("batch")) is not None:
        if not callable(batch):
            raise DefinitionError(f"tool {name!r}: batch is no function: {batch!r}", code="definition.option")
        given["batch"] = _batch_body(batch, signature)
    return Tool(
        input_schema=signature.input_schema, output_schema=signature.output_schema, body=_body(function, signature),
        accept=signature.accept, **given,
    )  # fmt: skip


def _given(options: dict[str, Any], name: str) -> dict[str, Any]:
    """The options as fields of a `Tool`, with a note of which ones were written out."""
    known = FunctionOptions.__annotations__.keys() | ForeignOptions.__annotations__.keys()
    for option in options:
        if option not in known:
            raise DefinitionError(
                f"tool {name!r}: unknown option {option!r}", code="definition.option",
                remedy=f"Options are {', '.join(sorted(known))}.",
            )  # fmt: skip
    options["declared"] = frozenset(options)
    if "effect" in options:
        try:
            options["effect"] = Effect(options["effect"])
        except ValueError:
            raise DefinitionError(
                f"tool {name!r}: unknown effect {options['effect']!r}", code="definition.option",
                remedy=f"Effects are {', '.join(Effect)}.",
            ) from None  # fmt: skip
    for several in ("tags", "examples", "cache_tags", "invalidates"):
        if several in options:
            if isinstance(options[several], str):
                raise DefinitionError(
                    f"tool {name!r}: {several} is a text", code="definition.option", remedy="Give a list."
                )
            options[several] = tuple(options[several])
    if "secrets" in options:
        options["secrets"] = {
            argument: (names,) if isinstance(names, str) else tuple(names)
            for argument, names in options["secrets"].items()
        }
    return options


def _body(function: Callable[..., Any], signature: Signature) -> Body:
    convert, context_name, plain = signature.convert, signature.context, signature.plain
    call = _awaited(function)

    async def body(arguments: dict[str, Any], context: CallContext) -> object:
        given = convert(arguments)
        if context_name:
            given[context_name] = context
        result = await call(**given)
        return result if plain is None else plain(result)

    return body


def _batch_body(function: Callable[..., Any], signature: Signature) -> BatchBody:
    convert, context_name, plain = signature.convert, signature.context, signature.plain
    call = _awaited(function)

    async def body(arguments: list[dict[str, Any]], contexts: list[CallContext]) -> Sequence[object]:
        given = [convert(each) for each in arguments]
        if context_name:
            for each, context in zip(given, contexts, strict=True):
                each[context_name] = context
        results: Sequence[object] = await call(given)
        if plain is None or not isinstance(results, list):
            return results
        return [each if isinstance(each, Exception) else plain(each) for each in results]

    return body


def _awaited(function: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """The function itself where it is async; else in a thread of its own small pool."""
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__):
        return function
    threads = anyio.CapacityLimiter(THREADS_MAX)

    async def threaded(*list_of_calls: Any, **given: Any) -> Any:
        begun = False

        def work() -> Any:
            nonlocal begun
            begun = True
            return function(*list_of_calls, **given)

        try:
            return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=threads)
        except RuntimeError as error:
            if begun:
                raise
            raise NotSent(f"no thread could be started: {error}") from error  # a limit of the machine's (K36)

    return threaded
