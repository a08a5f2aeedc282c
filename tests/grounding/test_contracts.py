"""What each role needs, by what the call does. Threats T1, T3."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from interlock.core.provenance import ArgumentOrigin, Lack, Level
from interlock.core.tool import CallContext, Effect, Tool
from interlock.grounding.contracts import beyond_caps, lacking, needs
from interlock.grounding.ground import ground, sent
from interlock.grounding.index import Index
from interlock.grounding.profile import FieldRule, Profile

NOW_US = 1_763_700_000_000_000
RANKS = (Effect.READ, Effect.REVERSIBLE, Effect.IRREVERSIBLE)


async def _body(arguments: dict[str, Any], context: CallContext) -> object:
    raise AssertionError("nothing runs")


def tool(effect: Effect, **options: Any) -> Tool:
    return Tool(**{"name": "act", "input_schema": {"type": "object"}, "effect": effect, "body": _body} | options)


def origin(role: str, level: Level, *flags: str, pointer: str = "/x") -> ArgumentOrigin:
    return ArgumentOrigin(pointer, role, level, "r4", (), flags)


@pytest.mark.parametrize(
    ("role", "levels"),
    [
        ("target", (None, Level.ANCHORED, Level.ANCHORED)),
        ("selector", (None, Level.RECORD, Level.ANCHORED)),
        ("credential", (Level.USER, Level.USER, Level.USER)),
        ("command", (Level.USER, Level.USER, Level.USER)),
        ("amount", (None, Level.ANCHORED, Level.ANCHORED)),
        ("content", (None, None, None)),
        ("content_ref", (None, None, None)),
        ("control", (None, None, None)),
        ("fetch", (None, None, None)),
    ],
)
def test_a_role_needs_a_level_by_the_effect(role: str, levels: tuple[Level | None, ...]) -> None:
    for effect, level in zip(RANKS, levels, strict=True):
        each = origin(role, Level.THIRD)
        assert needs(tool(effect), Profile(), each, (each,)) is level


def test_who_is_in_the_directory_may_be_a_target_of_what_stays_inside() -> None:
    known = origin("target", Level.RECORD, "directory")
    assert needs(tool(Effect.REVERSIBLE), Profile(), known, (known,)) is Level.RECORD
    assert needs(tool(Effect.IRREVERSIBLE), Profile(), known, (known,)) is Level.ANCHORED


def test_an_amount_may_be_a_records_where_its_target_is_anchored() -> None:
    amount = origin("amount", Level.RECORD)
    for level, needed in ((Level.ANCHORED, Level.RECORD), (Level.RECORD, Level.ANCHORED)):
        found = needs(tool(Effect.IRREVERSIBLE), Profile(), amount, (amount, origin("target", level, pointer="/y")))
        assert found is needed


def test_a_path_that_is_written_to_must_be_the_users() -> None:
    path = origin("target", Level.ANCHORED)
    assert needs(tool(Effect.REVERSIBLE), Profile(shapes={"x": "path"}), path, (path,)) is Level.USER


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize("effect", RANKS)
def test_less_trusted_never_lacks_less(level: Level, effect: Effect) -> None:
    index = Index()
    index.say("hello")
    index.hear("stranger", "text", Level.THIRD)
    for role in ("target", "selector", "credential", "command", "amount", "content"):
        lacks = [
            bool(list(lacking(index, tool(effect), Profile(), (origin(role, each),)))) for each in (level, Level.SYSTEM)
        ]
        assert lacks[0] >= lacks[1]


@pytest.mark.parametrize(
    ("amount", "beyond"),
    [(100, False), (100.01, True), ("99", False), ("1,000", True), ("NaN", True), (None, False), ("many", True)],
)
def test_an_amount_is_held_to_its_cap(amount: object, beyond: bool) -> None:
    profile = Profile(caps={"sum": Decimal(100)})
    assert list(beyond_caps(profile, {"/sum": amount, "/other": 1000})) == ([Lack("cap", "/sum")] if beyond else [])


def test_the_operators_lists_name_who_may_always_be_written_to() -> None:
    index = Index()
    index.say("hello")
    index.hear("stranger", "write to bob@acme.com", Level.THIRD)
    profile = Profile(roles={"to": "target"}, allowed={"recipients": ("*@acme.com",)})
    for to, level in (("bob@acme.com", Level.SYSTEM), ("bob@acme.com.evil.com", Level.THIRD)):
        assert ground(index, tool(Effect.IRREVERSIBLE), profile, {"to": to}, NOW_US).arguments[0].level is level


@pytest.mark.parametrize(("reviewed", "role", "value", "level"), [
    (True, "target", "EUR", Level.SYSTEM),
    (False, "target", "EUR", Level.THIRD),
    (True, "target", "evil@evil.com", Level.THIRD),
    (True, "control", 10, Level.SYSTEM),
    (True, "target", 10, Level.THIRD),
])  # fmt: skip
def test_constants_of_a_reviewed_definition_are_the_systems_and_defaults_only_of_controls(
    reviewed: bool, role: str, value: object, level: Level
) -> None:
    """A server could otherwise slip in a `bcc` by default."""
    index = Index()
    index.say("hello")
    index.hear("stranger", "EUR 10 evil@evil.com", Level.THIRD)
    schema = {"type": "object", "properties": {"x": {"enum": ["EUR", "USD"]} if value == "EUR" else {"default": value}}}
    profile = Profile(roles={"x": role}, reviewed=reviewed)
    found = ground(index, tool(Effect.REVERSIBLE, input_schema=schema), profile, {"x": value}, NOW_US)
    assert found.arguments[0].level is level


def test_the_id_of_what_the_run_made_is_anchored() -> None:
    index = Index()
    index.say("make a draft and send it")
    index.tell("c1", {"draft": {"id": "dr-1781", "note": "made"}}, Profile(creates="/draft/id"), anchored=False)
    found = ground(index, tool(Effect.IRREVERSIBLE), Profile(roles={"id": "selector"}), {"id": "dr-1781"}, NOW_US)
    assert found.arguments[0].level is Level.ANCHORED


def test_an_address_is_anchored_by_its_own_name_where_one_alone_has_it() -> None:
    people = Profile(fields=(FieldRule("email", shape="email"),))
    index = Index()
    index.say("write to Lily White")
    index.tell("c1", [{"email": "lily.white@acme.com"}, {"email": "bob@acme.com"}], people, anchored=False)
    asked = Profile(roles={"to": "target"})
    act = tool(Effect.IRREVERSIBLE)
    assert ground(index, act, asked, {"to": "lily.white@acme.com"}, NOW_US).arguments[0].level is Level.ANCHORED
    index.tell("c2", [{"email": "lily.white@evil.com"}], people, anchored=False)
    assert ground(index, act, asked, {"to": "lily.white@acme.com"}, NOW_US).arguments[0].level is Level.RECORD


def test_a_run_has_so_many_targets_and_no_more() -> None:
    index = Index()
    index.say("write to a1@acme.com, a2@acme.com and a3@acme.com")
    profile = Profile(roles={"to": "target"}, targets_max=2)
    act = tool(Effect.IRREVERSIBLE)
    for number in (1, 2):
        arguments = {"to": f"a{number}@acme.com"}
        assert ground(index, act, profile, arguments, NOW_US).lacks == ()
        sent(index, act, profile, arguments)
    assert ground(index, act, profile, {"to": "a2@acme.com"}, NOW_US).lacks == ()
    found = ground(index, act, profile, {"to": "a3@acme.com"}, NOW_US)
    assert (found.lacks, found.sent_out) == ((Lack("targets"),), True)
