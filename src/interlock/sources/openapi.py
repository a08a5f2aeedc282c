"""Services behind: every operation of an OpenAPI document becomes a tool.

What the document says of an operation is a claim; where it goes, with which credentials, and what it does to the world
is the operator's word, or derived here.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

from interlock.core.tool import Effect, Tool
from interlock.errors import BadInput, DefinitionError, NotSent, SettingsError
from interlock.net.egress import Egress
from interlock.net.target import target_of
from interlock.registry.names import check_name, skeleton
from interlock.sources.openapi_auth import Credential
from interlock.sources.openapi_call import Call
from interlock.sources.openapi_document import Document, named
from interlock.sources.openapi_effect import SAFE, risk_of
from interlock.sources.openapi_operation import Operation, operations, read_operation
from interlock.sources.openapi_template import walks

NAME_MAX: Final = 64
DESCRIPTION_MAX: Final = 4_000
"""Bytes of a tool's description."""

_NO_NAME: Final = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What the operator says of a service.

    Attributes:
        name: What it is called in tools, events and policies.
        base_url: Where its paths begin.
        egress: What sends to it.
        prefix: What stands before the names of its tools.
        effects: Pattern of operationIds or names of tools, without prefix, to what a call does; the first that fits.
        only: Patterns of those that are imported; all where empty.
        credentials: What every request bears.
        key_header: Header by which it dedupes writes, where the document does not say; empty for none.
        timeout_s: Seconds that one attempt may take.
        answer_max: Bytes of an answer.
    """

    name: str
    base_url: str
    egress: Egress = field(repr=False)
    prefix: str
    effects: Mapping[str, Effect] = field(default_factory=dict)
    only: Sequence[str] = ()
    credentials: Sequence[Credential] = ()
    key_header: str = ""
    timeout_s: float = 30.0
    answer_max: int = 4 << 20


class Left(NamedTuple):
    """An operation that became no tool, and why."""

    method: str
    path: str
    why: str


class Imported(NamedTuple):
    """What became of a document."""

    tools: list[Tool]
    left: list[Left]


def import_openapi(document: Document, service: Service) -> Imported:
    """Make a tool of every operation of a document.

    Raises:
        SettingsError: It is not known where the service is, or a pattern of the operator's fits no operation.
        BadInput: A path item cannot be read.
    """
    base_url = _base(service)
    reserved = frozenset(each.fills for each in service.credentials)
    found: list[tuple[str, Operation]] = []
    left: list[Left] = []
    for method, path, item, said in operations(document):
        wanted = _wanted(method, path, said)
        if service.only and not any(_fits(pattern, wanted, said) for pattern in service.only):
            continue
        try:
            operation = read_operation(document, method, path, item, said, reserved)
            found.append((wanted, _keyed(operation, service)))
        except (BadInput, DefinitionError) as error:
            left.append(Left(method, path, str(error.args[0])))
    _check_patterns(service, found, left)
    tools = []
    for name, (wanted, operation) in zip(_names(service.prefix, found), found, strict=True):
        tools.append(_tool(name, wanted, operation, service, base_url))
    return Imported(tools, left)


def _tool(name: str, wanted: str, operation: Operation, service: Service, base_url: str) -> Tool:
    said = operation.said
    risk = risk_of(operation.method, operation.id or wanted, operation.template.text, operation.carried)
    own = next((effect for pattern, effect in service.effects.items() if _fits(pattern, wanted, said)), None)
    effect = own or risk.effect
    reads = effect is Effect.READ
    return Tool(
        name=name,
        server=service.name,
        description=_described(operation),
        input_schema=operation.input_schema,
        output_schema=operation.output_schema,
        effect=effect,
        outward=reads and (risk.outward or operation.method not in SAFE),
        keyed=bool(operation.key_header) and not reads,
        idempotent=risk.idempotent and not reads,
        timeout_s=service.timeout_s,
        deprecated="what the service's own documentation names" if said.get("deprecated") is True else "",
        sealed=False,
        claims=_claims(operation, base_url),
        body=Call(
            operation=operation, base_url=base_url, egress=service.egress, credentials=service.credentials,
            answer_max=service.answer_max,
        ),
    )  # fmt: skip


def _claims(operation: Operation, base_url: str) -> dict[str, Any]:
    """What else decides what a call is: pinned and approved with the definition."""
    body = operation.body
    return {
        "operationId": operation.id,
        "method": operation.method,
        "url": base_url + operation.template.text,
        "parameters": {
            each.argument: f"{each.place} {each.name} {'json' if each.as_json else each.style}{'*' * each.explode}"
            for each in operation.parameters
        },
        "body": None if body is None else f"{body.media} {body.argument or '*'}",
        "key": operation.key_header,
    }


def _described(operation: Operation) -> str:
    said = [operation.said.get(part) for part in ("summary", "description")]
    texts = list(dict.fromkeys(text.strip() for text in said if isinstance(text, str) and text.strip()))
    text = "\n\n".join(texts) or f"{operation.method} {operation.template.text}"
    return text.encode(errors="replace")[:DESCRIPTION_MAX].decode(errors="ignore")


def _base(service: Service) -> str:
    """Where the paths begin, without a slash at the end."""
    try:
        target = target_of(service.base_url)
    except NotSent:
        target = None
    path = target.path.rstrip("/") if target is not None else ""
    if target is None or "?" in path or walks(path):
        raise SettingsError(
            f"services {service.name}: where it answers is not known", code="settings.service",
            remedy='Write base_url = "https://host/path".',
        )  # fmt: skip
    host = f"[{target.host}]" if ":" in target.host else target.host
    usual = target.port == (443 if target.scheme == "https" else 80)
    return f"{target.scheme}://{host}{'' if usual else f':{target.port}'}{path}"


def _keyed(operation: Operation, service: Service) -> Operation:
    if service.key_header and not operation.key_header and operation.method not in SAFE:
        return replace(operation, key_header=service.key_header)
    return operation


def _wanted(method: str, path: str, said: Any) -> str:
    """The name that an operation asks for, as far as a tool may have it."""
    own = named(said).get("operationId")
    text = own if isinstance(own, str) and own.strip() else f"{method.lower()}{path}"
    name = _NO_NAME.sub("_", text.replace("{", "").replace("}", "")).strip("_.-")
    return name.lstrip("0123456789_.-") or method.lower()


def _fits(pattern: str, wanted: str, said: Any) -> bool:
    return fnmatchcase(wanted, pattern) or fnmatchcase(str(named(said).get("operationId", "")), pattern)


def _names(prefix: str, found: list[tuple[str, Operation]]) -> list[str]:
    """A name for each: its own, or, where it is too long or looks like another, one that ends in a digest.

    The digest is of method and path, so that a name does not depend on what else is in the document's order.
    """
    looks = Counter(skeleton(prefix + wanted) for wanted, _ in found)
    names = []
    for wanted, operation in found:
        name = prefix + wanted
        if len(name) > NAME_MAX or looks[skeleton(name)] > 1 or not _may_be(name):
            told = hashlib.sha256(f"{operation.method} {operation.template.text}".encode()).hexdigest()[:8]
            name = f"{name[: NAME_MAX - 9]}_{told}"
        names.append(name)
    return names


def _may_be(name: str) -> bool:
    try:
        check_name(name)
    except DefinitionError:
        return False
    return True


def _check_patterns(service: Service, found: list[tuple[str, Operation]], left: list[Left]) -> None:
    """A pattern that fits nothing is a slip, and one about effects a dangerous one."""
    for pattern in (*service.effects, *service.only):
        if not any(_fits(pattern, wanted, operation.said) for wanted, operation in found) and not left:
            raise SettingsError(
                f"services {service.name}: {pattern!r} fits no operation", code="settings.service",
                remedy="Name an operationId, or a pattern such as `get*`.",
            )  # fmt: skip
