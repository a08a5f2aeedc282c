"""The deployment that a demonstration runs in: a folder with settings, a ledger and people's keys.

The agent's session opens it as the command line does, from its `interlock.toml`, so that afterwards
`interlock` shows what happened.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import interlock
from examples.far_end import ROOT
from interlock.errors import Conflict
from interlock.keys import CONSOLE, TOOLS, Keys
from interlock.private_files import write_private
from interlock.settings import FILE

FINANCE = interlock.Principal("lucinda", roles=frozenset({"finance"}))
"""Decides about money."""

OPERATOR = interlock.Principal("marguerite", roles=frozenset({"operator"}))
"""Stops and resumes tools, and settles what nobody else can know."""

RUNTIME = interlock.Principal("runtime", roles=frozenset({"operator"}), kind="service")
"""Whose key the runtime works with, the process that carries out what was approved."""

_MARK = "# Made by {maker}, which replaces this folder when it runs again.\n"

_MODULE = '''\
"""Where the `interlock` command finds this part of the example, which stands in the checkout."""

import sys

sys.path.append({root!r})

from examples.{example}.{part} import *  # noqa
'''


def deploy(folder: Path, example: str, parts: Sequence[str], settings: str) -> interlock.Settings:
    """Make the deployment in a folder, in place of an earlier one of the same demonstration's.

    Args:
        example: Name of its package.
        parts: Modules of it that the settings name, as `<example>_<part>`.
        settings: What its settings say.

    Raises:
        Conflict: The folder holds something else, which stays as it is.
    """
    file, mark = folder / FILE, _MARK.format(maker=f"examples/{example}")
    if file.is_file() and file.read_text(encoding="utf-8").startswith(mark):
        shutil.rmtree(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Conflict(f"{folder} holds something else", remedy="Name an empty folder, or one that does not exist.")
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(mark + settings, encoding="utf-8")
    for part in parts:
        module = _MODULE.format(root=str(ROOT), example=example, part=part)
        (folder / f"{example}_{part}.py").write_text(module, encoding="utf-8")
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    keys = Keys(folder / "keys.json")
    for person in (FINANCE, OPERATOR, RUNTIME):
        scopes = (CONSOLE,) if person.kind == "user" else (TOOLS,)
        write_private(key_file(folder, person), keys.add(person, scopes).encode() + b"\n")
    return interlock.load_settings(file)


def key_file(folder: Path, person: interlock.Principal) -> Path:
    """Where a person's key stands in the clear, because nobody is there to be shown it once."""
    return folder / f"{person.id}.key"
