"""What `import interlock` loads, seen from a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

import pytest

LATER = frozenset(
    {"cedarpy", "cryptography", "click", "rich"}  # core, imported where used
    | {"mcp", "httpx", "httpx2"}  # the extra mcp
    | {"fastapi", "starlette", "uvicorn", "jinja2", "pydantic_settings", "prometheus_client"}  # server
    | {"psycopg", "pydantic_ai", "pydantic_monty", "tantivy", "opentelemetry", "presidio_analyzer", "hvac"}
    | {"dbos", "temporalio"}
    | {"hypothesis", "pytest"}  # the doubles are public; what tests them is not needed
)

DOORS = frozenset(f"interlock.{door}" for door in ("api", "cli", "console", "gateway", "testing"))


def loaded_by(code: str) -> set[str]:
    """Names of the modules that stand loaded after the code ran, warnings being errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_importing_interlock_loads_no_extra_and_nothing_that_only_a_leaf_needs() -> None:
    assert not loaded_by("import interlock") & LATER


def test_importing_interlock_opens_no_door() -> None:
    assert not loaded_by("import interlock") & DOORS


def test_the_measure_sees_what_is_loaded() -> None:
    assert {"click", "interlock"} <= loaded_by("import interlock, click")


SERVING = frozenset({"mcp", "mcp_types", "uvicorn", "starlette", "jwt"})
SENDING = frozenset({"httpx2", "httpcore2"})
PAGES = frozenset({"rich"})
ELSEWHERE = frozenset({"fastapi", "openai", "anthropic", "pydantic_ai", "yaml", "hypothesis", "pytest"})


@pytest.mark.parametrize(
    ("command", "never"),
    [
        ("hook", SERVING | SENDING | PAGES | ELSEWHERE | {"cedarpy"}),
        ("serve", SERVING | SENDING | ELSEWHERE),
        ("gateway", SERVING | SENDING | ELSEWHERE),
        ("call", SERVING | SENDING | ELSEWHERE),
        ("approvals", SERVING | SENDING | ELSEWHERE),
        ("ledger", SERVING | SENDING | ELSEWHERE),
    ],
)
def test_a_command_loads_what_it_needs_and_no_other_command(command: str, never: frozenset[str]) -> None:
    """Issue 6: a hook is a process for each use of a tool, and what it never needs is most of its time."""
    loaded = loaded_by(f"from interlock.cli.main import interlock; interlock.commands[{command!r}]")
    assert not loaded & never
    assert not loaded & {"interlock.cli.doctor", "interlock.cli.init_from", "interlock.cli.demo"}


def test_the_list_of_commands_loads_none() -> None:
    loaded = loaded_by("from interlock.cli.main import interlock; assert 'hook' in interlock.commands")
    assert not loaded & {"interlock.cli.hook", "interlock.cli.call", "rich", "mcp"}


GROUPS = """
import click
from interlock.cli.main import interlock
def below(name):
    found = interlock.commands[name]
    return sorted(found.commands) if isinstance(found, click.Group) else []
alone = below({name!r})
for each in interlock.commands: interlock.commands[each]
assert alone == below({name!r}), (alone, below({name!r}))
"""


@pytest.mark.parametrize("name", ["approvals", "tools", "ledger", "servers", "policy", "calls", "keys"])
def test_a_group_has_all_of_its_commands_when_it_alone_is_loaded(name: str) -> None:
    """Several files have commands of these: the one that is loaded imports the others."""
    loaded_by(GROUPS.format(name=name))
