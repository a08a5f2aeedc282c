"""Tools from Python modules that the operator names."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from interlock.core.tool import Tool
from interlock.errors import SettingsError


def import_tools(modules: Iterable[str], folder: Path) -> list[Tool]:
    """Every `Tool` at the top level of the named modules, in the order of their definition.

    Args:
        modules: Dotted names; importing one runs its code, so only the operator's settings name them.
        folder: Put first on the import path, so that modules beside the settings file are found.

    Raises:
        SettingsError: A module cannot be imported or defines no tool.
    """
    found: list[Tool] = []
    names = list(modules)
    if names and str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    for name in names:
        tools = list(_tools_of(name))
        if not tools:
            raise SettingsError(
                f"tools: module {name!r} defines no tool", remedy="Decorate a function with @interlock.tool."
            )
        found += tools
    return list({id(tool): tool for tool in found}.values())  # a tool holds schemas and has no hash


def _tools_of(name: str) -> Iterator[Tool]:
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        raise SettingsError(
            f"tools: cannot import {name!r}: {error}",
            remedy="Name a module beside the settings file or one that is installed.",
        ) from error
    return (value for value in vars(module).values() if isinstance(value, Tool))
