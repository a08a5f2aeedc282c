"""The deployment that the demonstration runs in: a folder with settings, a ledger and people's keys.

The agent's session opens it as the command line does, from its `interlock.toml`, so that afterwards
`interlock` shows what happened.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import interlock
from examples.property_management.far_end import ROOT
from interlock.errors import Conflict
from interlock.keys import Keys, write_private
from interlock.settings import FILE

POLICY = Path(__file__).parent / "policy"

AGENT = interlock.Principal("desk-agent", roles=frozenset({"agent"}), kind="service")
"""On whose behalf the session's calls are made."""

FINANCE = interlock.Principal("lucinda", roles=frozenset({"finance"}))
"""Decides about refunds."""

OPERATOR = interlock.Principal("marguerite", roles=frozenset({"operator"}))
"""Stops and resumes tools, and settles what nobody else can know."""

RUNTIME = interlock.Principal("runtime", roles=frozenset({"operator"}), kind="service")
"""Whose key the runtime works with, the process that carries out what was approved."""

LEASE_S = 3
"""Short, because somebody is watching: the runs of a runtime that is killed wait for another one so long."""

_MARK = "# Made by examples/property_management, which replaces this folder when it runs again.\n"

_SETTINGS = """
ledger = "ledger.db"
policy = {policy}
tools  = ["property_tools"]
lease_s = {lease_s}

[[limits.budgets]]
name  = "refunds for the boiler"
unit  = "cents"
most  = 40_000
"""

_TOOLS = '''\
"""Where the `interlock` command finds the example's tools, which stand in the checkout."""

import sys

sys.path.append({root!r})

from examples.property_management.tools import *  # noqa
'''


def deploy(folder: Path) -> interlock.Settings:
    """Make the deployment in a folder, in place of an earlier one of the demonstration's.

    Raises:
        Conflict: The folder holds something else, which stays as it is.
    """
    settings = folder / FILE
    if settings.is_file() and settings.read_text(encoding="utf-8").startswith(_MARK):
        shutil.rmtree(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Conflict(f"{folder} holds something else", remedy="Name an empty folder, or one that does not exist.")
    folder.mkdir(parents=True, exist_ok=True)
    settings.write_text(_MARK + _SETTINGS.format(policy=json.dumps(str(POLICY)), lease_s=LEASE_S), encoding="utf-8")
    (folder / "property_tools.py").write_text(_TOOLS.format(root=str(ROOT)), encoding="utf-8")
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    keys = Keys(folder / "keys.json")
    for person in (FINANCE, OPERATOR, RUNTIME):
        write_private(key_file(folder, person), keys.add(person).encode() + b"\n")
    return interlock.load_settings(settings)


def key_file(folder: Path, person: interlock.Principal) -> Path:
    """Where a person's key stands in the clear, because nobody is there to be shown it once."""
    return folder / f"{person.id}.key"
