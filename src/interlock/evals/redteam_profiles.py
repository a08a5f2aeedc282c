"""Profiles of a suite's tools, from its TOML file: a table for each server, in it one for each tool."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, NamedTuple

from interlock.grounding.profile import USER_ONLY, FieldRule, Profile


class Reviewed(NamedTuple):
    """What somebody who read a tool's definition says of it.

    Attributes:
        effect, outward: Its risk tier, and whether a read carries data out.
        profile: What of it is trusted.
    """

    effect: str
    outward: bool
    profile: Profile


def read_profiles(name: str) -> dict[str, dict[str, Reviewed]]:
    """Server to tool to what the file of that name beside this module says."""
    said = tomllib.loads((files("interlock.evals") / f"{name}.toml").read_text(encoding="utf-8"))
    return {
        server: {tool: _reviewed(_written_out(said, server, one)) for tool, one in tools.items()}
        for server, tools in said.items()
    }


def _written_out(said: Mapping[str, Any], server: str, one: Mapping[str, Any]) -> dict[str, Any]:
    """A table with what it is `like` filled in."""
    if "like" not in one:
        return dict(one)
    where, _, name = str(one["like"]).rpartition(".")
    other = _written_out(said, where or server, said[where or server][name])
    return other | {key: value for key, value in one.items() if key != "like"}


def _reviewed(said: Mapping[str, Any]) -> Reviewed:
    rules = [FieldRule(rule["at"], shape=rule["shape"]) for rule in said.get("fields", ())]
    rules += [FieldRule(f"{rule['at']}/~keys", shape=rule["shape"]) for rule in said.get("keys", ())]
    profile = Profile(
        roles=said.get("roles", {}),
        shapes=said.get("shapes", {}),
        fields=tuple(rules),
        readers=(USER_ONLY,) if said.get("private") else (),
        directory=said.get("directory", False),
        creates=said.get("creates", ""),
        phrases=tuple(said.get("phrases", ())),
        nouns={name: tuple(words) for name, words in said.get("nouns", {}).items()},
        reviewed=True,
    )
    return Reviewed(said["effect"], said.get("outward", False), profile)
