"""What an operator says of a tool, and what is said where nobody says anything."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from interlock.core.provenance import Level
from interlock.core.tool import CallContext, Tool
from interlock.grounding.profile import NO_PROFILE, FieldRule, Profile, Profiles, leaf_fits, profile_of


async def _body(arguments: dict[str, Any], context: CallContext) -> object:
    raise AssertionError("nothing runs")


def tool(**options: Any) -> Tool:
    return Tool(**{"name": "send", "input_schema": {"type": "object"}, "body": _body} | options)


@pytest.mark.parametrize(
    ("pointer", "role"),
    [
        ("/to", "target"),
        ("/to/0", "target"),
        ("/mail/to", "target"),
        ("/mail/body", "content"),
        ("/mail/parts/3/text", "content"),
        ("/options/limit", "control"),
        ("/options/where/limit", "selector"),
        ("/never_said", "target"),
    ],
)
def test_the_most_particular_word_of_a_role_counts(pointer: str, role: str) -> None:
    profile = Profile(
        roles={"to": "target", "body": "content", "/mail/parts/*/text": "content", "/options": "control",
               "/options/where/*": "selector"}
    )  # fmt: skip
    assert profile.role(pointer) == role


@pytest.mark.parametrize(
    ("glob", "pointer", "fits"),
    [
        ("email", "/*/email", True),
        ("email", "/people/*/email", True),
        ("participants", "/*/participants/*", True),
        ("email", "/*/email/work", False),
        ("/*/email", "/*/email", True),
        ("/*/email", "/email", False),
        ("/**/email", "/a/b/email", True),
        ("/*", "/*", True),
        ("", "", True),
        ("*_id", "/user_id", True),
        ("/**/~keys", "/hotels/~keys", True),
    ],
)
def test_a_rule_is_about_the_leaves_that_it_names(glob: str, pointer: str, fits: bool) -> None:
    assert leaf_fits(glob, pointer) is fits


def test_a_tool_without_roles_is_unprofiled_and_all_of_it_are_targets() -> None:
    assert profile_of(tool()) is NO_PROFILE
    assert (NO_PROFILE.profiled, NO_PROFILE.role("/any"), NO_PROFILE.default) == (False, "target", Level.THIRD)


def test_a_tools_own_roles_are_a_profile() -> None:
    profile = profile_of(tool(roles={"to": "target", "body": "content"}))
    assert profile.profiled and profile.reviewed
    assert [profile.role(f"/{name}") for name in ("to", "body", "other")] == ["target", "content", "target"]
    assert not profile_of(tool(roles={"to": "target"}, sealed=False, server="far")).reviewed


def test_an_operators_profile_comes_before_the_tools_own_word() -> None:
    said = Profile(roles={"to": "content"})
    profiles = Profiles({("local", "send"): said})
    assert profiles.of(tool(roles={"to": "target"})) is said
    assert profiles.of(tool(server="far", roles={"to": "target"})).role("/to") == "target"


def test_the_digest_names_all_of_a_profile() -> None:
    one = Profile(roles={"to": "target"}, caps={"sum": Decimal(5)}, fields=(FieldRule("id"),))
    assert one.digest == Profile(roles={"to": "target"}, caps={"sum": Decimal(5)}, fields=(FieldRule("id"),)).digest
    assert one.digest != Profile(roles={"to": "target"}, caps={"sum": Decimal(6)}, fields=(FieldRule("id"),)).digest
