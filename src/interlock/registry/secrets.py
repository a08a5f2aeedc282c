"""Which references to secrets may stand in the arguments of a call: those that the operator or its own tool allows.

An operator's rule names tool, argument, references and hosts. A tool of one's own may say the same of its arguments by
`@tool(secrets=…)`. Nothing that a model, a server or a document says allows one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from interlock.core.call import Stop, ToolCall, refuse
from interlock.core.canonical import pointer
from interlock.core.problem import Problem
from interlock.core.secret import MARK, REFERENCES_MAX, SECRET, SecretUse, places_of, reference_of
from interlock.core.tool import Tool
from interlock.errors import BadInput
from interlock.registry.problems import PROBLEMS_MAX


class SecretRule(NamedTuple):
    """What an operator allows.

    Attributes:
        tool: Name of a tool; one that ends in `*` stands for all that begin so.
        argument: Its argument, or a pointer into its arguments in which `*` stands for any key or item; empty for the
            arguments whose role is `credential`.
        references: Names of references, without their version; one that ends in `*` stands for all that begin so.
        hosts: Hosts to which the secret may go, as an argument says; `*.example.com` stands for every host beneath
            that. A rule with hosts allows nothing where no argument names one. None where no argument does.
    """

    tool: str
    argument: str
    references: tuple[str, ...]
    hosts: tuple[str, ...] = ()


SecretRules = tuple[SecretRule, ...]
"""Any of them allows."""

_UNKNOWN_YET: Final = frozenset({"pattern", "minLength", "maxLength", "format"})
"""Keywords about a text that is not there yet: what stands for it need not satisfy them."""


def references_in(
    call: ToolCall, tool: Tool, arguments: Mapping[str, Any], text: bytes, rules: SecretRules
) -> tuple[SecretUse, ...] | Stop:
    """The references among arguments, all of them allowed; or why the call is refused.

    Args:
        text: The arguments' canonical form.
    """
    if MARK not in text:
        return ()
    uses: list[SecretUse] = []
    for where, said in places_of(arguments):
        try:
            if len(said) > 1 or len(uses) == REFERENCES_MAX:
                raise BadInput("more than a reference", code="secret.form")
            uses.append(SecretUse(where, reference_of(said[SECRET])))
        except BadInput as error:
            return _malformed(call, where, error)
    rules = (*(SecretRule(tool.name, name, tuple(allowed)) for name, allowed in tool.secrets.items()), *rules)
    hosts = tuple(_hosts_in(tool, arguments)) if any(rules) else ()
    for use in uses:
        if not any(_allows(rule, tool, use, hosts) for rule in rules):
            return _not_allowed(call, use, hosts)
    return tuple(uses)


def known_yet(problems: Sequence[Problem], places: Collection[str]) -> tuple[Problem, ...]:
    """The problems without those that only a secret itself could tell; what it is, is checked when it is there.

    Args:
        places: Pointers to where references stand.
    """
    if not places or len(problems) >= PROBLEMS_MAX:
        return tuple(problems)
    return tuple(each for each in problems if each.field not in places or each.code not in _UNKNOWN_YET)


def _allows(rule: SecretRule, tool: Tool, use: SecretUse, hosts: Sequence[str]) -> bool:
    if not _fits(rule.tool, tool.name) or not any(_fits(each, use.reference.name) for each in rule.references):
        return False
    if not _is_at(rule.argument, use.pointer, tool):
        return False
    if rule.hosts and not hosts:  # where it goes stands in a form that nobody here can read, or not among the arguments
        return False
    return all(any(_is_host(allowed, host) for allowed in rule.hosts) for host in hosts)


def _is_at(argument: str, where: str, tool: Tool) -> bool:
    if not argument:
        name = where.removeprefix("/").replace("~1", "/").replace("~0", "~")
        return tool.roles.get(name) == "credential"
    wanted = (argument if argument.startswith("/") else pointer([argument])).split("/")
    found = where.split("/")
    return len(wanted) == len(found) and all(a in ("*", b) for a, b in zip(wanted, found, strict=True))


def _fits(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _is_host(allowed: str, host: str) -> bool:
    return host.endswith(allowed[1:].lower()) if allowed.startswith("*.") else host == allowed.lower()


def _hosts_in(tool: Tool, arguments: Mapping[str, Any]) -> Iterator[str]:
    """Where the arguments say that the call goes: those of the role `fetch`; of a tool without roles, every URL.

    What cannot be read as a host is one that no rule names.
    """
    for name, value in arguments.items():
        fetch = tool.roles.get(name) == "fetch"
        if fetch or not tool.roles:
            for text in _texts(value):
                if fetch or "://" in text:
                    yield _host_of(text)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, Mapping) and SECRET not in value:
        for part in value.values():
            yield from _texts(part)


def _host_of(text: str) -> str:
    if not text.isascii() or any(letter in text for letter in "\\ \t\r\n"):
        return ""
    try:
        split = urlsplit(text if "://" in text else f"//{text}")
        return "" if "@" in split.netloc else (split.hostname or "").rstrip(".")
    except ValueError:
        return ""


def _malformed(call: ToolCall, where: str, error: BadInput) -> Stop:
    message = 'must be exactly {"$secret": "…"} with a reference, and few of them'
    problem = Problem(
        field=where, code="secret_form", message=message, example={SECRET: "vault://mount/path?version=3#field"}
    )  # fmt: skip
    return refuse(
        call, "validate.secret", "this is no reference to a secret", problems=(problem,),
        next_step="Write env://NAME, file:///path#field or vault://mount/path?version=3#field, and nothing beside it.",
        audit={"error": error.code},
    )  # fmt: skip


def _not_allowed(call: ToolCall, use: SecretUse, hosts: Sequence[str]) -> Stop:
    problem = Problem(field=use.pointer, code="secret", message="may not be this reference to a secret here")
    remedy = (
        f"[[secrets.allow]] with tool = {call.tool!r}, argument = {use.pointer!r}, "
        f"references = [{use.reference.name!r}]" + (f", hosts = {sorted(set(hosts))}" if hosts else "")
    )
    return refuse(
        call, "validate.secret", "a reference to a secret stands where none, or not this one, is allowed",
        problems=(problem,), next_step="Do without it, or tell the user: an operator has to allow it.",
        audit={"reference": use.reference.text, "hosts": list(hosts), "to_allow": remedy},
    )  # fmt: skip
