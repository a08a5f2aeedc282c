"""What `import interlock` loads, seen from a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

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
