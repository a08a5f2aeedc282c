"""A process that serves spares its clients the collector's pauses, and no other program the collector's ways."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from interlock.cli.heap import THRESHOLDS

INTERLOCK = Path(sys.executable).with_name("interlock")
TOOLS = '''
import gc

import interlock

@interlock.tool(effect="read")
def heap() -> dict[str, object]:
    """What the collector of this process does."""
    young = set(map(id, gc.get_objects()))
    loaded = [interlock, interlock.__dict__, interlock.tool]
    return {
        "thresholds": list(gc.get_threshold()), "on": gc.isenabled(), "frozen": gc.get_freeze_count(),
        "looked_at": len([each for each in loaded if id(each) in young]),
    }
'''
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
CALL: dict[str, Any] = {
    "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"_meta": META, "name": "heap", "arguments": {}},
}  # fmt: skip


@pytest.fixture
def deployment(tmp_path: Path) -> dict[str, Any]:
    """How a process of a deployment with the tool is started."""
    (tmp_path / "heap_tools.py").write_text(TOOLS)
    settings = 'tools = ["heap_tools"]\n\n[gateway.local]\nid = "ana"\nroles = ["support"]\n'
    (tmp_path / "interlock.toml").write_text(settings)
    env = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK")}
    return {"cwd": tmp_path, "env": env | {"PYTHONUNBUFFERED": "1", "XDG_CONFIG_HOME": str(tmp_path / "config")}}


def over_http(deployment: dict[str, Any]) -> dict[str, Any]:
    words = [INTERLOCK, "serve", "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **deployment) as process:
        try:
            assert process.stdout is not None
            found = re.search(rb"http://[^\s;]+", process.stdout.readline())
            assert found
            head = {
                "Content-Type": "application/json", "Accept": "application/json, text/event-stream",
                "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "heap",
            }  # fmt: skip
            request = urllib.request.Request(found[0].decode(), json.dumps(CALL).encode(), head)
            with urllib.request.urlopen(request, timeout=60) as answered:
                said = answered.read().decode()
        finally:
            process.kill()
    return read(said.partition("data: ")[2] or said)


def over_stdio(deployment: dict[str, Any]) -> dict[str, Any]:
    words = [INTERLOCK, "gateway", "stdio"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(words, **pipes, **deployment) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(CALL).encode() + b"\n")
        process.stdin.flush()
        said = process.stdout.readline().decode()
        process.communicate()
    return read(said)


def read(said: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said)["result"]["structuredContent"]
    return found


@pytest.mark.parametrize("way", [over_http, over_stdio])
def test_what_was_loaded_before_the_first_request_is_never_looked_at_again(
    deployment: dict[str, Any], way: Any
) -> None:
    """The collector goes on, on what comes after: a program that only switched it off would keep every cycle."""
    found = way(deployment)
    assert found["on"]
    assert found["looked_at"] == 0
    assert found["frozen"] > 10_000
    assert tuple(found["thresholds"]) == THRESHOLDS


def test_a_program_that_uses_the_library_has_its_own_collector_as_it_was() -> None:
    program = "import gc; before = gc.get_threshold(); import interlock, interlock.gateway.http, interlock.cli.main\n"
    program += "assert (gc.get_threshold(), gc.get_freeze_count(), gc.isenabled()) == (before, 0, True)"
    subprocess.run([sys.executable, "-c", program], check=True)
