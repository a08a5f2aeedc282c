"""A tool's definition and its digest."""

from __future__ import annotations

from dataclasses import replace

from interlock.core.tool import CallContext, Effect, Tool


async def body(arguments: dict[str, object], context: CallContext) -> object:
    return arguments


PLAIN = Tool(name="get", input_schema={"type": "object"}, effect=Effect.READ, body=body)


def test_what_stands_at_its_default_is_not_in_the_definition_so_that_a_later_field_voids_no_pin() -> None:
    assert PLAIN.definition() == {
        "name": "get",
        "server": "local",
        "input_schema": {"type": "object"},
        "effect": "read",
        "outward": False,
        "keyed": False,
        "idempotent": False,
        "sealed": True,
    }


def test_whatever_is_declared_changes_the_digest() -> None:
    changed = [
        replace(PLAIN, timeout_s=1.0), replace(PLAIN, description="x"), replace(PLAIN, tags=("a",)),
        replace(PLAIN, effect=Effect.PRIVILEGED), replace(PLAIN, outward=True), replace(PLAIN, cache_s=1.0),
        replace(PLAIN, cache_tags=("a",)), replace(PLAIN, invalidates=("a",)), replace(PLAIN, output_schema={}),
        replace(PLAIN, fallback="other"), replace(PLAIN, version="2"),
    ]  # fmt: skip
    assert len({PLAIN.digest, *(tool.digest for tool in changed)}) == len(changed) + 1
