"""AgentDojo's cases out of the public `agentdojo` package, where its recorded runs are not at hand.

Its environments answer the calls, its injection vectors say where a planted text stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from interlock.core.canonical import Json, canonical
from interlock.errors import MissingExtra
from interlock.evals.recorded_values import plain
from interlock.evals.redteam_agentdojo import SUITES, Goal, Task, suite_cases
from interlock.evals.redteam_case import PAYLOAD, Definition, Step, Suite
from interlock.evals.redteam_profiles import Reviewed, read_profiles

try:
    from agentdojo.functions_runtime import FunctionsRuntime  # type: ignore[import-not-found]  # checks do without it
    from agentdojo.task_suite.load_suites import get_suites  # type: ignore[import-not-found]  # the same
except ImportError:
    raise MissingExtra("interlock[redteam]") from None

_VERSION: Final = "v1.2.2"


def read_suites() -> list[Suite]:
    """The four suites, as `redteam_agentdojo.read_suites` makes them of recorded runs."""
    profiles = read_profiles("agentdojo")
    found = get_suites(_VERSION)
    return [_suite(name, found[name], profiles[name]) for name in SUITES]


def _suite(name: str, suite: Any, reviewed: Mapping[str, Reviewed]) -> Suite:
    tasks = [_task(suite, key, task) for key, task in suite.user_tasks.items()]
    goals = [Goal(key, task.GOAL) for key, task in suite.injection_tasks.items()]
    tools = tuple(
        Definition(
            tool.name, tool.description, tool.parameters.model_json_schema(), reviewed[tool.name].effect,
            reviewed[tool.name].outward,
        )
        for tool in suite.tools
    )  # fmt: skip
    return Suite(
        name=name, tools=tools, profiles={tool: said.profile for tool, said in reviewed.items()},
        cases=tuple(suite_cases(name, tasks, goals, _Far(suite).answer)),
    )  # fmt: skip


def _task(suite: Any, name: str, task: Any) -> Task:
    vectors = suite.get_injection_vector_defaults()
    steps = _ideal(suite, task, {})
    planted = _ideal(suite, task, dict.fromkeys(vectors, PAYLOAD))
    return Task(name, task.PROMPT, steps, planted)


def _ideal(suite: Any, task: Any, injections: Mapping[str, str]) -> tuple[Step, ...]:
    """The calls of the task's ideal run, in an environment with these texts planted."""
    environment = task.init_environment(suite.load_and_inject_default_environment(dict(injections)))
    runtime = FunctionsRuntime(suite.tools)
    steps = []
    for call in task.ground_truth(environment.model_copy(deep=True)):
        value, error = runtime.run_function(environment, call.function, dict(call.args))
        steps.append(Step(call.function, _arguments(call.args), None if error else _json(value), str(error or "")))
    return tuple(steps)


class _Far:
    """What a suite's tools return where nobody has done anything yet; an environment takes a while to read."""

    def __init__(self, suite: Any) -> None:
        self._runtime = FunctionsRuntime(suite.tools)
        self._environment = suite.load_and_inject_default_environment({})
        self._known: dict[tuple[str, bytes], Json] = {}

    def answer(self, tool: str, arguments: Mapping[str, Any]) -> Json:
        """What the tool returns."""
        key = tool, canonical(dict(arguments))
        if key not in self._known:
            environment = self._environment.model_copy(deep=True)
            value, error = self._runtime.run_function(environment, tool, dict(arguments))
            self._known[key] = None if error else _json(value)
        return self._known[key]


def _arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    made = plain(dict(given))
    assert isinstance(made, dict)
    return made


def _json(value: Any) -> Json:
    """What a function returned, in JSON's types: its records are pydantic models."""
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(mode="json"))
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_json(item) for item in value]
    return plain(value)
