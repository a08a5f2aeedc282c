"""The shape of src/interlock: limits on size, and what stands nowhere or in one file alone.

Each rule is a function from a module to its findings, kept beside a sample that breaks it, so that a
rule that cannot fail is found too.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import indent
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "interlock"

LINES_MAX = 400
CODE_LINES_MAX = 60
PARAMETERS_MAX = 6
DEPTH_MAX = 2

GRAB_BAG = re.compile(r"_*(utils?|helpers?|common|types?|base|shared|misc)")

BROAD_EXCEPTS = {
    "execution/attempt.py": 1,  # round the tool's body: whatever a tool raises is data
    "execution/secrets.py": 1,  # the same, where what it raises may have a secret that it was given
    "execution/health.py": 1,  # round a health check, which is the operator's code: whatever it raises, it is not well
    "engine/engine.py": 1,  # round the advancing of one run: a defect there must not stop the others
    "notices/notifier.py": 2,  # round one channel's look and one message: a defect there stops neither path nor line
    "verification/rules.py": 1,  # round a rule, an operator's code: one that raises has not approved
    "approvals/people.py": 1,  # round whoever says who people are: where that raises, nobody is entitled
    "core/progress.py": 1,  # round one who listens to a call: what goes wrong there is none of the tool's
    "models/checked.py": 1,  # round a model, which may be a user's code: one that raises has not answered
    "sources/python.py": 1,  # round the import of a module that the settings name: its code is its author's
    "sources/mcp_session.py": 1,  # round one connection: whatever a server, its transport or the SDK does ends it alone
    "api/gate.py": 1,  # a door: a person or a program gets a number that the log has too, and no word of ours
    "gateway/guard.py": 1,  # a door: a client gets a number that the log has too, and no word of ours
    "screening/screen.py": 1,  # round the screens: whatever they do that they should not, the result is withheld
    "cli/hook.py": 1,  # a door whose client takes any other exit code for leave to go on
    "cli/main.py": 1,  # a door: a person gets a sentence and an exit code
}
"""How many catch-alls each file may have, and must have as long as it stands here."""

STATES = {
    "ValidCall": "registry/validate.py",
    "AllowedCall": "policy/authorize.py",
    "LimitedCall": "limits/limit.py",
    "VerifiedCall": "verification/verify.py",
    "ApprovedCall": "approvals/approve.py",
    "RawResult": "execution/execute.py",
}
"""The one file in which each state of a call is built: its gate's."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Module(NamedTuple):
    path: str  # below src/interlock, with slashes
    text: str
    tree: ast.Module


def module(path: str, text: str) -> Module:
    return Module(path, text, ast.parse(text, filename=path))


MODULES = [
    module(path.relative_to(SOURCE).as_posix(), path.read_text(encoding="utf-8"))
    for path in sorted(SOURCE.rglob("*.py"))
]


# ------------------------------------------------------------------------ rules


def long_files(module: Module) -> Iterator[str]:
    lines = len(module.text.splitlines())
    if lines > LINES_MAX:
        yield f"{module.path}: {lines} lines"


def long_functions(module: Module) -> Iterator[str]:
    code = code_lines(module)
    for function in functions(module.tree):
        lines = len(code.intersection(range(function.lineno, end(function) + 1)))
        if lines > CODE_LINES_MAX:
            yield f"{at(module, function)} {function.name}: {lines} lines of code"


def many_parameters(module: Module) -> Iterator[str]:
    methods = {
        function
        for owner in ast.walk(module.tree)
        if isinstance(owner, ast.ClassDef)
        for function in owner.body
        if isinstance(function, Function) and not decorated(function, "staticmethod")
    }
    for function in functions(module.tree):
        given = function.args
        count = len(given.posonlyargs) + len(given.args) + len(given.kwonlyargs) - (function in methods)
        if count > PARAMETERS_MAX:
            yield f"{at(module, function)} {function.name}: {count} parameters"


def deep_packages(module: Module) -> Iterator[str]:
    depth = module.path.count("/") + 1
    if depth > DEPTH_MAX:
        yield f"{module.path}: packages {depth} deep"


def grab_bags(module: Module) -> Iterator[str]:
    for part in module.path.removesuffix(".py").split("/"):
        if GRAB_BAG.fullmatch(part):
            yield f"{module.path}: name it for what is in it"


def broad_excepts(module: Module) -> Iterator[str]:
    found = [node for node in ast.walk(module.tree) if is_broad(node)]
    allowed = BROAD_EXCEPTS.get(module.path, 0)
    if len(found) != allowed:
        lines = ", ".join(str(node.lineno) for node in found)
        yield f"{module.path}: {len(found)} catch-alls (lines {lines or 'none'}), {allowed} allowed"


def types_of_higher_floors(module: Module) -> Iterator[str]:
    for test in ast.walk(module.tree):
        if not isinstance(test, ast.If) or "TYPE_CHECKING" not in ast.unparse(test.test):
            continue
        for node in ast.walk(test):
            if isinstance(node, ast.ImportFrom):
                own = node.level > 0 or (node.module or "").split(".")[0] == "interlock"
            else:
                own = isinstance(node, ast.Import) and any(
                    alias.name.split(".")[0] == "interlock" for alias in node.names
                )
            if own:
                yield f"{at(module, node)}: an own module imported under TYPE_CHECKING"


def environment_reads(module: Module) -> Iterator[str]:
    if module.path == "settings.py":
        return
    readers = {"environ", "environb", "getenv", "getenvb", "putenv"}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            read = any(alias.name in readers for alias in node.names)
        elif isinstance(node, ast.Attribute):
            read = isinstance(node.value, ast.Name) and node.value.id == "os" and node.attr in readers
        else:
            read = isinstance(node, ast.keyword) and node.arg in ("envvar", "auto_envvar_prefix")
        if read:
            yield f"{at(module, node)}: the environment is read in settings.py alone"


def states_built_elsewhere(module: Module) -> Iterator[str]:
    for state, line in built_states(module):
        if STATES[state] != module.path:
            yield f"{module.path}:{line}: {state} is built in {STATES[state]} alone"


class Rule(NamedTuple):
    keeps: str
    findings: Callable[[Module], Iterator[str]]
    broken_by: list[tuple[str, str]]  # path and text of modules with one finding each


LONG = "def f():\n" + "    a = 1  # why\n" * (CODE_LINES_MAX - 1)

RULES = [
    Rule("no file has more than 400 lines", long_files, [("a.py", "a = 1\n" * 401)]),
    Rule(
        "no function has more than 60 lines of code",
        long_functions,
        [
            ("a.py", LONG + "    b = 1\n"),
            ("a.py", "class A:\n" + indent("async " + LONG + '    return """\n"""\n', " ")),
        ],
    ),
    Rule(
        "no function takes more than 6 parameters",
        many_parameters,
        [
            ("a.py", "def f(a, b, /, c, d, *, e, g, h): ...\n"),
            ("a.py", "class A:\n    def f(self, a, b, c, d, e, g, h): ...\n"),
            ("a.py", "class A:\n    @staticmethod\n    def f(a, b, c, d, e, g, h): ...\n"),
        ],
    ),
    Rule("packages are at most two deep", deep_packages, [("policy/cedar/text.py", "")]),
    Rule(
        "no module is a grab-bag",
        grab_bags,
        [("policy/utils.py", ""), ("_types.py", ""), ("common/ids.py", "")],
    ),
    Rule(
        "nothing is caught wholesale but round a tool's body and at the doors",
        broad_excepts,
        [
            ("a.py", "try: f()\nexcept Exception: pass\n"),
            ("a.py", "try: f()\nexcept (ValueError, BaseException) as e: pass\n"),
            ("a.py", "try: f()\nexcept: pass\n"),
            ("a.py", "try: f()\nexcept* builtins.Exception: pass\n"),
            ("a.py", "with contextlib.suppress(Exception): f()\n"),
            ("a.py", "def f():\n    try: g()\n    except Exception:\n        if a: return\n        raise\n"),
            ("cli/main.py", "try: f()\nexcept ValueError: pass\n"),
        ],
    ),
    Rule(
        "no own module is imported for its types alone",
        types_of_higher_floors,
        [
            ("a.py", "if TYPE_CHECKING:\n    from interlock.app import App\n"),
            ("a.py", "if typing.TYPE_CHECKING:\n    from . import app\n"),
            ("a.py", "if TYPE_CHECKING:\n    import interlock.app\n"),
        ],
    ),
    Rule(
        "the environment is read in settings.py alone",
        environment_reads,
        [
            ("a.py", "import os\nos.environ['A']\n"),
            ("a.py", "import os\nos.getenv('A')\n"),
            ("a.py", "from os import environ\n"),
            ("cli/main.py", "click.option('--a', envvar='A')\n"),
        ],
    ),
    Rule(
        "each state of a call is built in its gate's file alone",
        states_built_elsewhere,
        [
            ("pipeline.py", "ValidCall(call, tool, {}, b'', '')\n"),
            ("pipeline.py", "from interlock.core.call import RawResult as R\nR(a, b, 1, 2)\n"),
            ("pipeline.py", "from interlock.core import call\ncall.AllowedCall(a, b, {})\n"),
            ("pipeline.py", "make = partial(ApprovedCall, verified)\n"),
            ("core/call.py", "class LimitedCall:\n    @classmethod\n    def of(cls): return cls()\n"),
        ],
    ),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.keeps)
def test_the_source_keeps_the_rule(rule: Rule) -> None:
    assert MODULES, f"no source at {SOURCE}"
    findings = [finding for module in MODULES for finding in rule.findings(module)]
    assert not findings, rule.keeps + "\n" + "\n".join(findings)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.keeps)
def test_the_rule_finds_what_it_is_for(rule: Rule) -> None:
    for path, text in rule.broken_by:
        assert len(list(rule.findings(module(path, text)))) == 1, f"{path}:\n{text}"


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (
            long_functions,
            "a.py",
            LONG.replace("    a", '    """\n    Words.\n    """\n\n    # why\n    a', 1),
        ),
        (many_parameters, "a.py", "class A:\n    def f(self, a, b, c, *, d, e, g): ...\n"),
        (broad_excepts, "execution/attempt.py", "try: f()\nexcept Exception: pass\n"),
        (broad_excepts, "a.py", "try: f()\nexcept BaseException:\n    g()\n    raise\n"),
        (types_of_higher_floors, "a.py", "if TYPE_CHECKING:\n    from collections.abc import Mapping\n"),
        (environment_reads, "settings.py", "import os\nos.environ['A']\n"),
        (environment_reads, "a.py", "import os\nos.urandom(10)\n"),
        (states_built_elsewhere, "registry/validate.py", "ValidCall(call, tool, {}, b'', '')\n"),
        (
            states_built_elsewhere,
            "a.py",
            "def f(call: ValidCall) -> Stop: return isinstance(call, RawResult)\n",
        ),
    ],
)
def test_a_rule_lets_the_good_pass(rule: Callable[[Module], Iterator[str]], path: str, text: str) -> None:
    assert list(rule(module(path, text))) == []


@pytest.mark.parametrize(("state", "gate"), STATES.items())
def test_a_gate_builds_the_state_that_it_is_for(state: str, gate: str) -> None:
    """Without this, a renamed class would leave the rule above with nothing to find."""
    paths = {module.path: module for module in MODULES}
    assert gate in paths, f"the path has no gate {gate}"
    defined = {node.name for node in ast.walk(paths["core/call.py"].tree) if isinstance(node, ast.ClassDef)}
    assert state in defined
    assert state in {name for name, _ in built_states(paths[gate])}


# ---------------------------------------------------------------- reading a tree


def functions(tree: ast.Module) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, Function) and not decorated(node, "overload"):
            yield node


def decorated(function: Function, name: str) -> bool:
    return any(ast.unparse(decorator).split(".")[-1] == name for decorator in function.decorator_list)


def code_lines(module: Module) -> set[int]:
    """Numbers of the lines that hold code: no blank, no comment alone, no docstring."""
    found: set[int] = set()
    empty = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
    for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
        if token.type not in empty:
            found.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            found.difference_update(range(node.lineno, end(node) + 1))
    return found


def is_broad(node: ast.AST) -> bool:
    """Whether this swallows everything: a bare except, or one that names a root, or `suppress` of one.

    A handler that tidies up and raises again on every way out swallows nothing.
    """
    if isinstance(node, ast.ExceptHandler):
        leaves = any(isinstance(each, ast.Return | ast.Break | ast.Continue) for each in ast.walk(node))
        last = node.body[-1]
        if isinstance(last, ast.Raise) and last.exc is None and not leaves:
            return False
        if node.type is None:
            return True
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    elif isinstance(node, ast.Call) and terminal(node.func) == "suppress":
        caught = node.args
    else:
        return False
    return any(terminal(each) in ("Exception", "BaseException") for each in caught)


def built_states(module: Module) -> Iterator[tuple[str, int]]:
    """Each state that the module constructs, or hands to something that could, with its line."""
    known = {state: state for state in STATES}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom):
            known |= {alias.asname: alias.name for alias in node.names if alias.asname and alias.name in STATES}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            called = [node.func]
            if terminal(node.func) not in ("isinstance", "issubclass", "cast"):
                called += node.args
            for each in called:
                if (name := terminal(each)) in known:
                    yield known[name], node.lineno
        elif isinstance(node, ast.ClassDef) and node.name in STATES:
            for made in ast.walk(node):
                if isinstance(made, ast.Call) and terminal(made.func) == "cls":
                    yield node.name, made.lineno


def terminal(node: ast.expr) -> str:
    """The last name of a dotted one; empty for anything else."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def at(module: Module, node: ast.AST) -> str:
    return f"{module.path}:{node.lineno}" if hasattr(node, "lineno") else module.path


def end(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno
