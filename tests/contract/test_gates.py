"""Removing any one gate from the path fails a type check and a test (issue 2, Shown by 5).

`GATES` is the table: each gate with what it stands for, as a test that holds while the gate is there. Each is
shown to fail where the gate lets everything pass, so that no gate can be lost unnoticed.
"""

from __future__ import annotations

import ast
import inspect
import json
import math
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from interlock import CallContext, Outcome, OutcomeKind, Run, pipeline
from interlock.core.call import (
    AllowedCall,
    ApprovedCall,
    LimitedCall,
    RawResult,
    ToolCall,
    ValidCall,
    VerifiedCall,
    call_digest,
)
from interlock.core.canonical import canonical
from interlock.core.decision import Decision, Verdict
from interlock.policy.flags import Scope
from interlock.registry.registry import Registry
from tests.planes import OPA, Far, Stage, staged

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(inspect.getsourcefile(pipeline) or "")

# ---------------------------------------------------------- what each gate stands for


async def nonsense(arguments: dict[str, Any], context: CallContext) -> object:
    return {"n": math.nan}


class Scene:
    """A run on which each gate has something to do."""

    def __init__(self, stage: Stage, far: Far, run: Run) -> None:
        self.stage, self.far, self.run = stage, far, run


async def only_valid_calls_run(scene: Scene) -> None:
    assert (await scene.run.call("put", {"n": "one"})).code == "validate.schema"
    assert scene.far.ran == []


async def only_allowed_calls_run(scene: Scene) -> None:
    await scene.stage.plane.plane.switch.turn(Scope.TOOL, "put", OPA, stop=True)
    assert (await scene.run.call("put", {"n": 1})).code == "authorize.stopped"
    scene.stage.obey('@id("none") forbid (principal, action, resource);')
    assert (await scene.run.call("get", {"n": 1})).kind is OutcomeKind.REFUSED
    assert scene.far.ran == []


async def no_call_runs_beyond_the_limits(scene: Scene) -> None:
    outcomes = [await scene.run.call("get", {"n": n}) for n in range(4)]
    assert [outcome.done for outcome in outcomes] == [True, True, True, False]


async def nothing_runs_unverified_that_must_be_verified(scene: Scene) -> None:
    scene.stage.obey('@id("v") @verify permit (principal, action, resource);')
    assert (await scene.run.call("put", {"n": 1})).code == "verify.no_verifier"
    assert scene.far.ran == []


async def no_held_call_runs_before_a_person_approved_it(scene: Scene) -> None:
    assert (await scene.run.call("pay", {"n": 1})).kind is OutcomeKind.HELD
    assert scene.far.ran == []


async def no_effect_leaves_before_its_intent_stands(scene: Scene) -> None:
    outcome = await scene.run.call("put", {"n": 1})
    assert outcome.done
    said = await scene.stage.said(scene.run.run_id, outcome.call_id)
    assert said.index("call.intent") < said.index("call.result/done")


async def no_result_is_told_that_is_not_fit_to_be_told(scene: Scene) -> None:
    outcome = await scene.run.call("odd", {"n": 1})
    assert outcome.kind is OutcomeKind.WITHHELD
    assert outcome.value is None


GATES: dict[str, Callable[[Scene], Awaitable[None]]] = {
    "validate": only_valid_calls_run,
    "authorize": only_allowed_calls_run,
    "limit": no_call_runs_beyond_the_limits,
    "verify": nothing_runs_unverified_that_must_be_verified,
    "approve": no_held_call_runs_before_a_person_approved_it,
    "execute": no_effect_leaves_before_its_intent_stands,
    "screen": no_result_is_told_that_is_not_fit_to_be_told,
}
"""Each gate in the order of the path, and the test that it stands for."""


async def played(scenario: Callable[[Scene], Awaitable[None]]) -> None:
    far = Far()
    tools = [
        far.tool("get"),
        far.tool("put", "reversible"),
        far.tool("pay", "irreversible"),
        far.tool("odd", does=nonsense),
    ]
    async with staged(*tools, settings={"limits": {"calls_max": 3}}) as stage, stage.run() as run:
        await scenario(Scene(stage, far, run))


@pytest.mark.anyio
@pytest.mark.parametrize("gate", GATES)
async def test_each_gate_does_what_it_stands_for(gate: str) -> None:
    await played(GATES[gate])


# --------------------------------------------------------- the gate lets everything pass


def pass_validate(call: ToolCall, registry: Registry, *rest: object) -> ValidCall:
    known = registry.find(call.tool)
    assert known is not None
    arguments = call.arguments if isinstance(call.arguments, dict) else json.loads(str(call.arguments))
    text = canonical(arguments)
    return ValidCall(call, known.tool, arguments, text, call_digest(known.tool, text))


async def pass_authorize(valid: ValidCall, *rest: object) -> AllowedCall:
    return AllowedCall(valid, Decision(verdict=Verdict.ALLOW, reasons=(), policy_digest=""), {})


async def pass_limit(allowed: AllowedCall, *rest: object) -> LimitedCall:
    return LimitedCall(allowed, ())


async def pass_verify(limited: LimitedCall, *rest: object) -> VerifiedCall:
    return VerifiedCall(limited, None, limited.allowed.decision.binding_hold)


async def pass_approve(verified: VerifiedCall, *rest: object) -> ApprovedCall:
    return ApprovedCall(verified, "")


async def pass_execute(approved: ApprovedCall, *rest: object) -> RawResult:
    valid = approved.valid
    context = CallContext(
        run_id="", call_id="", attempt=1, idempotency_key="", principal_id="", tenant="", deadline_s=1
    )  # fmt: skip
    return RawResult(approved, await valid.tool.body(dict(valid.arguments), context), 1, 0)


def pass_screen(result: RawResult, *rest: object) -> Outcome:
    call = result.approved.valid.call
    value = None if "nan" in repr(result.value) else result.value  # what cannot be recorded would fail by itself
    return Outcome(kind=OutcomeKind.DONE, call_id=call.call_id, tool=call.tool, value=value)


PASSING: dict[str, Callable[..., Any]] = {
    "validate": pass_validate,
    "authorize": pass_authorize,
    "limit": pass_limit,
    "verify": pass_verify,
    "approve": pass_approve,
    "execute": pass_execute,
    "screen": pass_screen,
}


@pytest.mark.anyio
@pytest.mark.parametrize("gate", GATES)
async def test_the_gates_test_fails_where_the_gate_lets_everything_pass(
    gate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"interlock.pipeline.{gate}", PASSING[gate])
    with pytest.raises((AssertionError, ValueError)):
        await played(GATES[gate])


@pytest.mark.anyio
@pytest.mark.parametrize("gate", GATES)
async def test_without_one_gate_the_others_still_do_what_they_stand_for(
    gate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No gate leans on another's work: the tests of the others hold."""
    monkeypatch.setattr(f"interlock.pipeline.{gate}", PASSING[gate])
    leaning = {
        # what policy asks for is said by authorize
        "authorize": {"verify", "approve"},
    }
    for other in GATES.keys() - {gate} - leaning.get(gate, set()):
        await played(GATES[other])


# ------------------------------------------------------------ the gate is left out


class LeftOut(ast.NodeTransformer):
    """`call_tool` without one gate: what it built is taken to be what the one before it built."""

    def __init__(self, gate: str) -> None:
        self.gate = gate
        self.built = self.taken = ""

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        target = ast.unparse(node.targets[0])
        for call in ast.walk(node.value):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == self.gate and not self.built:
                self.built, self.taken = target, ast.unparse(call.args[0])
                return None
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self.taken, node.ctx) if self.built and node.id == self.built else node


def without(gate: str) -> str:
    """The source of the pipeline with one gate left out of `call_tool`; whole for an empty name."""
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    (path,) = (node for node in tree.body if isinstance(node, ast.AsyncFunctionDef) and node.name == "call_tool")
    left_out = LeftOut(gate)
    left_out.visit(path)
    assert bool(left_out.built) == bool(gate), f"no gate {gate!r} in call_tool"
    return ast.unparse(ast.fix_missing_locations(tree))


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What mypy says of the pipeline without each gate, and of the whole one, under an empty name."""
    folder = tmp_path_factory.mktemp("left_out")
    files = {gate: folder / f"without_{gate or 'nothing'}.py" for gate in ("", *GATES)}
    for gate, file in files.items():
        file.write_text(without(gate), encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--no-pretty", *map(str, files.values())]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert ended.returncode in (0, 1), ended.stderr
    said = ended.stdout.splitlines()
    return {gate: [line for line in said if file.name in line] for gate, file in files.items()}


@pytest.mark.parametrize("gate", GATES)
def test_the_path_without_a_gate_does_not_pass_the_type_check(gate: str, complaints: dict[str, list[str]]) -> None:
    """Each gate takes the state that only its predecessor builds."""
    assert complaints[""] == [], "the whole path passes, so that it is the missing gate that is found"
    assert any("[arg-type]" in line for line in complaints[gate]), complaints[gate]


BESIDE = {"_ask", "_reads", "_instead", "_meter", "FarEnd", "call_tool", "unstopped", "screen_failure"}
"""What the path calls that is no gate: what gates are given, the stop switch once more, what is left of a far end's
answer to a call that failed, and the call of a fallback."""


def test_the_table_has_every_gate_of_the_path_in_its_order() -> None:
    """A gate that is added has to be added here."""
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    (path,) = (node for node in tree.body if isinstance(node, ast.AsyncFunctionDef) and node.name == "call_tool")
    gates = [
        ast.unparse(call.func)
        for node in ast.walk(path)
        if isinstance(node, ast.Assign)
        for call in ast.walk(node.value)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id not in BESIDE
    ]
    assert gates == list(GATES)


def test_nobody_but_the_path_executes() -> None:
    """One path: `execute` and a tool's `body` are called where the path and the gate do it, and nowhere else."""
    callers: dict[str, set[str]] = {"execute": set(), "body": set(), "attempt": set()}
    for file in (ROOT / "src" / "interlock").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                if name in ("execute", "attempt"):
                    callers[name].add(file.name)
                elif name.endswith(".body"):
                    callers["body"].add(file.name)
    assert callers == {"execute": {"pipeline.py"}, "attempt": {"attempts.py"}, "body": {"attempt.py"}}
