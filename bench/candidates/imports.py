"""The rows of `import`: what a program that defines one tool has to import, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from bench.candidate import Candidate, Opened, Setting

FLOOR = "pydantic"

STATEMENTS = {
    # name: (statement, distribution)
    "nothing": ("pass", ""),
    "pydantic": ("from pydantic import BaseModel", "pydantic"),
    "interlock": ("import interlock", "interlock"),
    "dbos": ("from dbos import DBOS", "dbos"),
    "fastmcp": ("from fastmcp import FastMCP", "fastmcp"),
    "langgraph": ("from langgraph.prebuilt import ToolNode", "langgraph"),
    "mcp": ("from mcp.server.mcpserver import MCPServer", "mcp"),
    "openai-agents": ("from agents import Agent, function_tool", "openai-agents"),
    "pydantic-ai": ("from pydantic_ai import Agent", "pydantic-ai-slim"),
}


@asynccontextmanager
async def imported(_: Setting, statement: str) -> AsyncIterator[Opened]:
    # -I: nothing of the caller's environment or folder is imported instead
    command = [sys.executable, "-I", "-c", statement]
    tried = subprocess.run(command, capture_output=True, text=True, check=False)
    if tried.returncode:
        raise RuntimeError(tried.stderr.strip().splitlines()[-1])

    async def batch(n: int) -> None:
        for _ in range(n):
            subprocess.run(command, stdin=subprocess.DEVNULL, check=True)

    yield Opened(batch=batch)


def _opener(statement: str) -> Callable[[Setting], AbstractAsyncContextManager[Opened]]:
    return lambda setting: imported(setting, statement)


CANDIDATES = tuple(
    Candidate(
        name=name,
        suite="import",
        what=f"`{statement}`",
        open=_opener(statement),
        floor=FLOOR,
        distributions=(distribution,) if distribution else (),
    )
    for name, (statement, distribution) in STATEMENTS.items()
)
