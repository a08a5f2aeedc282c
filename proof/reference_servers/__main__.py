"""The 8 official reference servers behind one gateway: `python -m proof.reference_servers` (issue 6, shown by 2).

Over stdio and over HTTP, each of the 58 tools that the data folder has is listed as its server says it to a client that
asks it directly, and called once by the client of the official Python SDK. The Inspector's command line lists all of
them over both, and calls one tool of most servers. What the coverage report says of a client's file that names the
gateway alone is printed besides, and how many definitions a server gives as they were recorded: other builds of the
servers' own libraries describe parameters otherwise.

Exits 0 only where every definition arrived unchanged but for its server's prefix, every call was done, and the coverage
is 100 %.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anyio
import httpx2
import mcp_types as types
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from pydantic import RootModel

from interlock.settings import load_settings
from interlock.wrapping.clients import read_client
from interlock.wrapping.coverage import coverage
from proof.processes import free_port, serving
from proof.recorded import FOLDER
from proof.reference_servers.calls import calls, prepare

POLICY = '@id("everything")\npermit (principal, action, resource);\n'
HEAD = """
policy = "policy"

[gateway]
port = {port}

[gateway.local]
id = "proof"

[limits]
calls_max = 100000

[routing]
above = 1000
"""

TASKS_ONLY = "requires task augmentation"
"""What `simulate-research-query` answers to every plain call, directly too: that it is called so arrives."""


class _Raw(RootModel[dict[str, Any]]):
    """A result as it came."""


@dataclass
class Found:
    """What one transport showed.

    Attributes:
        changed: Tools whose definition is another one, with the fields.
        absent: Tools that were recorded and are not listed.
        not_done: Calls that were not done, with what was answered.
        done: How many tools were called, and answered.
    """

    changed: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    not_done: list[str] = field(default_factory=list)
    done: int = 0

    @property
    def holds(self) -> bool:
        """Whether nothing is to be said against it."""
        return not (self.changed or self.absent or self.not_done) and self.done > 0


def recorded() -> dict[str, dict[str, Any]]:
    """Prefixed name to the definition as it was recorded."""
    with gzip.open(FOLDER / "mcp_reference_tools" / "tools.jsonl.gz", "rt") as rows:
        said = [json.loads(row) for row in rows]
    return {
        f"{row['server']}__{row['name']}": {k: v for k, v in row.items() if k not in ("server", "server_info", "name")}
        for row in said
    }


def commands(installed: Path, folder: Path) -> Mapping[str, tuple[list[str], dict[str, str]]]:
    """Each server's command line and environment."""
    node, py, old = installed / "node_modules/.bin", installed / "py/bin", installed / "old/bin"
    return {
        "everything": ([f"{node}/mcp-server-everything"], {}),
        "filesystem": ([f"{node}/mcp-server-filesystem", f"{folder}/files"], {}),
        "memory": ([f"{node}/mcp-server-memory"], {"MEMORY_FILE_PATH": f"{folder}/memory.json"}),
        "sequential-thinking": ([f"{node}/mcp-server-sequential-thinking"], {}),
        "fetch": ([f"{py}/mcp-server-fetch", "--ignore-robots-txt", "--allow-private-ips"], {}),
        "git": ([f"{py}/mcp-server-git", "--repository", f"{folder}/repo"], {}),
        "time": ([f"{py}/mcp-server-time", "--local-timezone", "Etc/UTC"], {}),
        "sqlite": ([f"{old}/mcp-server-sqlite", "--db-path", f"{folder}/t.db"], {}),
    }


def deploy(installed: Path, folder: Path, port: int) -> Path:
    """Settings of a gateway before all of them; their file."""
    prepare(folder)
    (folder / "policy").mkdir()
    (folder / "policy" / "everything.cedar").write_text(POLICY)
    said = HEAD.format(port=port)
    for name, (command, env) in commands(installed, folder).items():
        said += (
            f"\n[[servers]]\nname = {json.dumps(name)}\ncommand = {json.dumps(command)}\ntrust = true\nstart_s = 120\n"
        )
        said += "".join(f"env.{key} = {json.dumps(value)}\n" for key, value in env.items())
    file = folder / "interlock.toml"
    file.write_text(said)
    return file


async def listed_by(client: Client) -> dict[str, dict[str, Any]]:
    """Name to definition, as they came."""
    answer = (await client.session.send_request(types.ListToolsRequest(), _Raw)).root
    return {tool.pop("name"): tool for tool in answer["tools"]}


async def direct(installed: Path, folder: Path) -> dict[str, dict[str, Any]]:
    """Prefixed name to the definition that each server gives a client that asks it directly."""
    found = {}
    for server, (command, env) in commands(installed, folder).items():
        started = StdioServerParameters(command=command[0], args=command[1:], env=env or None)
        async with Client(stdio_client(started), mode="legacy") as client:
            found |= {f"{server}__{name}": said for name, said in (await listed_by(client)).items()}
    return found


async def used(client: Client, folder: Path, page: str, wanted: Mapping[str, dict[str, Any]]) -> Found:
    """Lists and calls everything through one client."""
    found = Found()
    listed = await listed_by(client)
    found.absent = sorted(recorded().keys() - wanted.keys())
    for name, said in wanted.items():
        if name not in listed:
            found.absent.append(name)
            continue
        fields = [key for key in said.keys() | listed[name].keys() if said.get(key) != listed[name].get(key)]
        if fields:
            found.changed.append(f"{name}: {', '.join(sorted(fields))}")
    called: set[str] = set()
    for server, tool, arguments in calls(folder, page):
        name = f"{server}__{tool}"
        result = await client.call_tool(name, arguments)
        text = result.content[0].model_dump().get("text", "") if result.content else ""
        if result.is_error and TASKS_ONLY not in text:
            found.not_done.append(f"{name}: {text[:200]}")
        else:
            called.add(name)
    found.not_done += [f"{name}: not called" for name in wanted.keys() - called if not _said(found, name)]
    found.done = len(called & wanted.keys())
    return found


def _said(found: Found, name: str) -> bool:
    return any(each.startswith(f"{name}:") for each in found.not_done)


async def over_http(url: str, folder: Path, page: str, wanted: Mapping[str, dict[str, Any]]) -> Found:
    """Through the SDK's client over HTTP."""
    async with httpx2.AsyncClient(timeout=120) as http, Client(
        streamable_http_client(url, http_client=http), mode="legacy"
    ) as client:  # fmt: skip
        return await used(client, folder, page, wanted)


async def over_stdio(settings: Path, folder: Path, page: str, wanted: Mapping[str, dict[str, Any]]) -> Found:
    """The same over stdio."""
    command = StdioServerParameters(command=_interlock(), args=["gateway", "stdio", "--settings", str(settings)])
    async with Client(stdio_client(command), mode="legacy") as client:
        return await used(client, folder, page, wanted)


def inspect(installed: Path, target: list[str], method: list[str]) -> dict[str, Any]:
    """One request of the Inspector's command line; what it printed."""
    command = [str(installed / "node_modules/.bin/mcp-inspector"), "--cli", *target, *method]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    try:
        said: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return {"error": (done.stdout + done.stderr)[-300:]}
    return said


def inspected(installed: Path, target: list[str]) -> list[str]:
    """What the Inspector found amiss: it lists everything, and calls one tool that needs nothing of each server."""
    names = {tool["name"] for tool in inspect(installed, target, ["--method", "tools/list"]).get("tools", ())}
    amiss = [f"Inspector does not list {name}" for name in recorded() if name not in names]
    for name, given in (
        ("everything__echo", ["message=hello"]), ("filesystem__list_allowed_directories", []),
        ("memory__read_graph", []), ("sqlite__list_tables", []), ("time__get_current_time", ["timezone=UTC"]),
    ):  # fmt: skip
        arguments = [part for each in given for part in ("--tool-arg", each)]
        said = inspect(installed, target, ["--method", "tools/call", "--tool-name", name, *arguments])
        if "content" not in said or said.get("isError"):
            amiss.append(f"Inspector: {name}: {json.dumps(said)[:200]}")
    return amiss


@contextmanager
def a_page(folder: Path) -> Iterator[str]:
    """A page on loopback, for the server that fetches one."""
    (folder / "page").mkdir()
    (folder / "page" / "index.html").write_text("<html><body><h1>Tea</h1><p>Green.</p></body></html>")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder / "page")))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def covered(settings: Path) -> int | None:
    """What the coverage report says of a client that was given the gateway alone."""
    said = load_settings(settings)
    file = settings.parent / "claude_desktop_config.json"
    url = f"http://127.0.0.1:{said.gateway.port}{said.gateway.path}"
    file.write_text(json.dumps({"mcpServers": {"interlock": {"type": "http", "url": url}}}))
    tools = Counter(name.split("__")[0] for name in recorded())
    return coverage([read_client(file)], said, tools, settings.parent).percent


def show(transport: str, found: Found, amiss: list[str]) -> bool:
    """Print one transport; whether all of it holds."""
    whole = len(recorded())
    same = whole - len(found.changed) - len(found.absent)
    print(f"{transport}: {same} of {whole} definitions unchanged, {found.done} tools called and answered")
    for line in (*found.changed, *found.absent, *found.not_done, *amiss):
        print(f"  {line}")
    return found.holds and not amiss


def _interlock() -> str:
    return str(Path(sys.executable).with_name("interlock"))


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m proof.reference_servers")
    parser.add_argument("--folder", type=Path, default=Path(".reference-servers"), help="where they are installed")
    installed: Path = parser.parse_args().folder.resolve()
    holds = []
    with tempfile.TemporaryDirectory() as made:
        for transport in ("HTTP", "stdio"):
            folder, port = Path(made) / transport, free_port()
            folder.mkdir()
            settings = deploy(installed, folder, port)
            wanted = anyio.run(direct, installed, folder)
            with a_page(folder) as page:
                if transport == "HTTP":
                    command = [_interlock(), "serve", "--settings", str(settings)]
                    with serving(command, port, dict(os.environ)):
                        url = f"http://127.0.0.1:{port}/mcp"
                        found = anyio.run(over_http, url, folder, page, wanted)
                        amiss = inspected(installed, [url, "--transport", "http"])
                    share = covered(settings)
                else:
                    found = anyio.run(over_stdio, settings, folder, page, wanted)
                    amiss = inspected(installed, [_interlock(), "gateway", "stdio", "--settings", str(settings)])
            holds.append(show(transport, found, amiss))
            shutil.rmtree(folder)
    same = sum(wanted.get(name) == said for name, said in recorded().items())
    print(f"{same} of {len(recorded())} definitions are given directly as they were recorded")
    print(f"coverage: {share} %")
    return 0 if all(holds) and share == 100 else 1


if __name__ == "__main__":
    sys.exit(main())
