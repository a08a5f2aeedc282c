"""Tools, agents, models, and rules of a verifier, from Python modules that the operator names."""

from __future__ import annotations

import hashlib
import importlib
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from interlock.agent.agent import Agent
from interlock.core.tool import Tool
from interlock.errors import InterlockError, SettingsError
from interlock.models.model import Model
from interlock.sources.family import NOWHERE, Family, Kept, members


def import_tools(modules: Iterable[str], folder: Path, kept: Kept = NOWHERE) -> list[Tool]:
    """Every `Tool` at the top level of the named modules, and those of each `Family`, in the order of definition.

    Args:
        modules: Dotted names; importing one runs its code, so only the operator's settings name them.
        folder: Put first on the import path, so that modules beside the settings file are found.
        kept: Where tools of families keep what they know.

    Raises:
        SettingsError: A module cannot be imported or defines no tool.
    """
    names = list(modules)
    _find_in(names, folder)
    found: list[Tool] = []
    for name in names:
        tools = list(members(_tools_of(name), kept))
        if not tools:
            raise SettingsError(
                f"tools: module {name!r} defines no tool", remedy="Decorate a function with @interlock.tool."
            )
        found += tools
    return list({id(tool): tool for tool in found}.values())  # a tool holds schemas and has no hash


def import_agents(modules: Iterable[str], folder: Path) -> list[Agent]:
    """Every `Agent` at the top level of the named modules, in the order of their definition.

    Raises:
        SettingsError: A module cannot be imported or defines no agent.
    """
    names = list(modules)
    _find_in(names, folder)
    found: dict[int, Agent] = {}
    for name in names:
        agents = [value for value in vars(_imported("agents", name)).values() if isinstance(value, Agent)]
        if not agents:
            raise SettingsError(
                f"agents: module {name!r} defines no agent", remedy="Give it an `Agent` at its top level."
            )
        found |= {id(agent): agent for agent in agents}
    return list(found.values())


def import_rules(modules: Iterable[str], folder: Path) -> tuple[list[Callable[..., Any]], str]:
    """The functions in `RULES` of the named modules, and an identity that changes with the modules' text.

    Raises:
        SettingsError: A module cannot be imported, or has no `RULES` of functions.
    """
    names = list(modules)
    _find_in(names, folder)
    rules: list[Callable[..., Any]] = []
    text = hashlib.sha256()
    for name in names:
        module = _imported("verify.rules", name)
        found = getattr(module, "RULES", ())
        if not isinstance(found, tuple | list) or not found or not all(map(callable, found)):
            raise SettingsError(
                f"verify.rules: module {name!r} has no RULES, a tuple of functions",
                remedy="End it with `RULES = (one_rule, another_rule)`.",
            )
        rules += found
        text.update(_text_of(module))
    return rules, f"rules:{','.join(names)}/{text.hexdigest()[:12]}"


def import_encoder(module: str, folder: Path) -> Callable[[Sequence[str]], Sequence[Sequence[float]]]:
    """The function `encode` of the named module: texts in, a vector for each out.

    Raises:
        SettingsError: The module cannot be imported, or has none.
    """
    _find_in([module], folder)
    found = getattr(_imported("routing.encoder", module), "encode", None)
    if not callable(found):
        raise SettingsError(
            f"routing.encoder: module {module!r} has no function `encode`",
            remedy="Give it one that takes a list of texts and returns a vector of floats for each.",
        )
    encode: Callable[[Sequence[str]], Sequence[Sequence[float]]] = found
    return encode


def import_model(named: str, folder: Path) -> Model:
    """The model of that name in a module: `module:NAME`.

    Raises:
        SettingsError: The module cannot be imported, or has none of that name.
    """
    module, _, name = named.partition(":")
    _find_in([module], folder)
    found: Any = getattr(_imported("judge.model", module), name, None)
    if not callable(getattr(found, "reply", None)):
        raise SettingsError(
            f"judge.model: module {module!r} has no model {name!r}", remedy="Name an object with `reply`."
        )
    model: Model = found
    return model


def _find_in(names: list[str], folder: Path) -> None:
    if names and str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _text_of(module: ModuleType) -> bytes:
    """What stands in the module's file, behind its length."""
    file = Path(module.__file__ or "")
    text = file.read_bytes() if file.is_file() else b""
    return len(text).to_bytes(8, "big") + text


def _tools_of(name: str) -> Iterator[Tool | Family]:
    return (value for value in vars(_imported("tools", name)).values() if isinstance(value, Tool | Family))


def _imported(key: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except InterlockError:
        raise  # a definition in it is not acceptable, and says what to mend
    except ModuleNotFoundError as error:
        if f"{name}.".startswith(f"{error.name}."):
            where, remedy = "", "Name a module beside the settings file or one that is installed."
        else:
            where, remedy = _where(error), "Install what the module imports."
        raise SettingsError(f"{key}: cannot import {name!r}: {error}{where}", remedy=remedy) from error
    except Exception as error:  # the module's own code: whatever it raises is its author's to mend
        raise SettingsError(
            f"{key}: cannot import {name!r}: {type(error).__name__}: {error}{_where(error)}", remedy="Mend the module."
        ) from error


def _where(error: Exception) -> str:
    """The line that an import came to last, outside of Python's own import machinery; nothing where that is unknown."""
    if isinstance(error, SyntaxError):
        return ""  # says so itself
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if len(frames) > 1 else ""
