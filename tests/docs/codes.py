"""Every stable code that the source can say, read from its syntax: of errors, and of outcomes.

A code is written out where it is raised or told, or is a choice of two, or has a first part that a helper adds to
what it is called with, or ends in the kind of a tool's failure. One that comes in another way fails here, so that
nobody adds a code that no page can know.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.docs.page import ROOT

SOURCE = ROOT / "src" / "interlock"

NOT_OURS = {"Problem", "Finding", "Pin", "Count"}
"""What has a `code` that is neither an error's nor an outcome's."""

_PLACES = {"refuse": 1, "_Words": 0}
"""What takes its code without a name, and where."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Module(NamedTuple):
    path: str
    tree: ast.Module


MODULES = [
    Module(path.relative_to(SOURCE).as_posix(), ast.parse(path.read_text(encoding="utf-8")))
    for path in sorted(SOURCE.rglob("*.py"))
]


def error_classes() -> dict[str, str]:
    """Class to its own code, of everything in errors.py."""
    [tree] = [each.tree for each in MODULES if each.path == "errors.py"]
    return {node.name: _class_code(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def error_codes() -> set[str]:
    """Every code of an exception, and those with which the command line says an error itself."""
    known = error_classes()
    return {*_said(lambda name: name in known), *known.values(), *_printed()}


def outcome_codes() -> set[str]:
    """Every code of an outcome; `screen.json.…` for all that strict JSON refuses."""
    said = _said(lambda name: name in ("Outcome", *_PLACES))
    return {"screen.json.…" if code.startswith("screen.json.") else code for code in said}


def problem_codes() -> set[str]:
    """The codes of problems that are no keyword of JSON Schema's."""
    calls = [call for module in MODULES for _, call in _calls(module.tree) if _name(call.func) == "Problem"]
    said = [keyword.value for call in calls for keyword in call.keywords if keyword.arg == "code"]
    return {str(node.value) for node in said if isinstance(node, ast.Constant)}


def _said(wanted: Callable[[str], bool]) -> Iterator[str]:
    for module in MODULES:
        for function, call in _calls(module.tree):
            name = _name(call.func)
            if name in NOT_OURS or not wanted(name):
                continue
            given = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
            if isinstance(call.func, ast.Name) and name in _PLACES:
                given = [call.args[_PLACES[name]]]
            for node in given:
                yield from _values(node, module, function)


def _values(node: ast.expr, module: Module, function: Function | None) -> Iterator[str]:
    """What an expression for a code can be; nothing where it hands on one that was said elsewhere."""
    match node:
        case ast.Constant(value=str(code)):
            if code:
                yield code
        case ast.IfExp(body=one, orelse=other):
            yield from _values(one, module, function)
            yield from _values(other, module, function)
        case ast.JoinedStr(values=[ast.Constant(value=str(first)), ast.FormattedValue(value=rest)]):
            yield from (first + part for part in _parts(rest, module, function))
        case ast.Name(id=name) if function is not None and name in _parameters(function):
            yield from _handed_to(function, name, module)
        case ast.Name(id=name) if function is not None and _unpacked(function, name):
            return
        case ast.Attribute(attr="code"):
            return
        case ast.Call(func=ast.Attribute(attr="get")):  # read back from the ledger
            return
        case _:
            raise AssertionError(f"{module.path}:{node.lineno}: a code that no page can know: {ast.unparse(node)}")


def _parts(node: ast.expr, module: Module, function: Function | None) -> Iterator[str]:
    text = ast.unparse(node)
    if text == "failure.kind":
        for each in MODULES:
            for _, call in _calls(each.tree):
                if _name(call.func) == "Failure":
                    yield from _values(call.args[0], each, None)
        return
    assert function is not None and isinstance(node, ast.Name), f"{module.path}:{node.lineno}: {text}"
    if text in _parameters(function):
        yield from _handed_to(function, text, module)
        return
    for assigned in ast.walk(function):
        if isinstance(assigned, ast.Assign) and ast.unparse(assigned.targets[0]) == text:
            yield from _values(assigned.value, module, function)


def _unpacked(function: Function, name: str) -> bool:
    """Whether a name is a part of a constant of the module, which says its code where it is made."""
    return any(
        isinstance(each, ast.Assign)
        and isinstance(each.targets[0], ast.Tuple)
        and name in (ast.unparse(part) for part in each.targets[0].elts)
        and isinstance(each.value, ast.Name)
        and each.value.id.isupper()
        for each in ast.walk(function)
    )


def _parameters(function: Function) -> list[str]:
    return [each.arg for each in function.args.args]


def _handed_to(function: Function, parameter: str, module: Module) -> Iterator[str]:
    """What a helper of a module is called with there; the code of a JSON error stands for all of them."""
    place = _parameters(function).index(parameter)
    for _, call in _calls(module.tree):
        if not isinstance(call.func, ast.Name) or call.func.id != function.name:
            continue
        if isinstance(call.args[0], ast.Starred):
            # `*place` stands for as many as the helper's first parameters: the code is the first text behind it
            yield next(str(each.value) for each in call.args if isinstance(each, ast.Constant))
        elif isinstance(node := call.args[place], ast.Attribute) and node.attr == "code":
            yield "json.…"
        else:
            yield from _values(node, module, None)


def _printed() -> Iterator[str]:
    """`output.error("code", …)` of the command line."""
    for module in MODULES:
        if not module.path.startswith("cli/"):
            continue
        for _, call in _calls(module.tree):
            if _name(call.func) == "error" and call.args and isinstance(call.args[0], ast.Constant):
                yield str(call.args[0].value)


def _calls(tree: ast.AST, function: Function | None = None) -> Iterator[tuple[Function | None, ast.Call]]:
    """Every call, with the innermost function that it stands in."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Call):
            yield function, node
        yield from _calls(node, node if isinstance(node, Function) else function)


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else ast.unparse(node)


def _class_code(node: ast.ClassDef) -> str:
    [code] = [
        each.value.value
        for each in node.body
        if isinstance(each, ast.Assign)
        and ast.unparse(each.targets[0]) == "code"
        and isinstance(each.value, ast.Constant)
    ]
    return str(code)
