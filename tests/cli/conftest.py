"""A deployment in a temporary folder."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from interlock.core.principal import Principal
from interlock.keys import Keys
from tests.cli.shell import PEOPLE, TOOLS, Shell

_modules = itertools.count()


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A folder with nothing in it."""
    path = list(sys.path)
    monkeypatch.chdir(tmp_path)
    yield Shell(tmp_path)
    sys.path[:] = path
    for name in ("example_tools", *[name for name in sys.modules if name.startswith("shop_tools_")]):
        sys.modules.pop(name, None)


@pytest.fixture
def shell(empty: Shell) -> Shell:
    """A deployment with six tools and five people: Ana calls, Maria approves, Olga operates, Zoe may nothing."""
    module = f"shop_tools_{next(_modules)}"
    (empty.folder / f"{module}.py").write_text(TOOLS, encoding="utf-8")
    (empty.folder / "interlock.toml").write_text(f'tools = ["{module}"]\n', encoding="utf-8")
    keys = Keys(empty.folder / ".interlock" / "keys.json")
    empty.keys = {name: keys.add(Principal(name, roles=roles)) for name, roles in PEOPLE.items()}
    return empty
