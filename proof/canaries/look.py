"""A deployment with secrets in real processes, and what stands in each of nine places afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import anyio

from interlock import Principal
from interlock.keys import Keys
from proof.canaries.caller import SOURCES
from proof.canaries.forms import FORMS, canary, traces
from proof.canaries.service import DOCUMENT, serving
from proof.gateway_process import Deployment, Wire, http, messages_of
from proof.gateway_process import serving as gateway_of

ROOT = Path(__file__).resolve().parents[2]
SINKS = (
    "ledger", "outcome", "gateway", "approvals, inbox", "logs, stderr", "cache", "calls, runs show", "audit, export",
    "errors, repr",
)  # fmt: skip
_NEW = "2026-07-28"
_META = {"io.modelcontextprotocol/protocolVersion": _NEW, "io.modelcontextprotocol/clientCapabilities": {}}

SETTINGS = """
tools = ["proof.canaries.tools"]
policy = "policy"
[limits]
calls_max = 100000
near_max = 1000
alike_max = 1000
vain_max = 1000
[[services]]
name = "shop"
openapi = "shop.json"
base_url = "{url}"
effects = {{ "*" = "read" }}
[[servers]]
name = "far"
command = ["{python}", "-m", "proof.canaries.server"]
env = {{ PYTHONPATH = "{root}" }}
trust = true
allow = ["logging"]
effects = {{ echo = "read" }}
tools = {{ echo = {{ attempts_max = 1 }} }}
[screening]
secrets = "off"
[secrets]
folder = "secrets"
[[secrets.allow]]
tool = "far__*"
argument = "key"
references = ["env://CANARY_*"]
[[secrets.allow]]
tool = "shop__*"
argument = "/key"
references = ["env://CANARY_*"]
"""
POLICY = """
permit (principal, action, resource);

@approvers("approver")
forbid (principal, action == Action::"held", resource);
"""

GATEWAY_WAYS = ("result", "error", "aside")
"""Through the gateway, without the failures that are tried again after a pause."""

Sinks = dict[str, bytes]
"""What stands in each place."""


@contextmanager
def canaries_in_environment(canaries: Sequence[str], leaked: str) -> Iterator[None]:
    """Have processes that are started from here have them as variables."""
    names = {f"CANARY_{number}": secret for number, secret in enumerate(canaries)} | {"LEAKED": leaked}
    added = {**names, "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT)))}
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def deployed(folder: Path, url: str) -> Deployment:
    """The deployment, with the keys of somebody who calls and of somebody who may see everything."""
    (folder / "policy").mkdir()
    (folder / "policy" / "own.cedar").write_text(POLICY)
    (folder / "shop.json").write_text(json.dumps(DOCUMENT))
    (folder / "interlock.toml").write_text(SETTINGS.format(url=url, python=sys.executable, root=ROOT))
    keys = Keys(folder / ".interlock" / "keys.json")
    root = keys.add(Principal("root", roles=frozenset({"admin", "operator", "approver"})))
    return Deployment(folder, {"root": root, "ana": keys.add(Principal("ana", roles=frozenset({"support"})))})


def looked_through(folder: Path, canaries: Sequence[str], leaked: str) -> Sinks:
    """Make every call in processes of their own, and gather what stands everywhere.

    Args:
        folder: An empty one.
        canaries: Given to calls by reference.
        leaked: Told by a tool that has it by itself: what must be found.
    """
    with canaries_in_environment(canaries, leaked), serving() as url:
        deployment = deployed(folder, url)
        caller = [sys.executable, "-m", "proof.canaries.caller", str(folder), str(len(canaries))]
        ran = subprocess.run(caller, cwd=folder, env=deployment.environment(), capture_output=True, check=False)
        if ran.returncode:
            raise RuntimeError(ran.stderr.decode(errors="replace")[-4000:])
        gateway = anyio.run(_through_the_gateway, deployment, len(canaries))
        shown = _shown(deployment)
    files = [*(folder / ".interlock").rglob("*"), *(folder / "files_while_open").rglob("*")]
    log = ran.stdout + ran.stderr + (folder / "serve.log").read_bytes() + (folder / "server_errors.txt").read_bytes()
    return {
        "ledger": b"".join(file.read_bytes() for file in files if file.is_file()),
        "outcome": (folder / "told.txt").read_bytes(),
        "gateway": gateway,
        "logs, stderr": log + shown.pop("stderr"),
        "cache": (folder / "cache.txt").read_bytes(),
        "errors, repr": (folder / "raised.txt").read_bytes(),
        **shown,
    }


async def _through_the_gateway(deployment: Deployment, canaries: int) -> bytes:
    """Everything that clients get, byte by byte: answers, progress and log among them; a client for each source."""
    got: list[bytes] = []
    async with gateway_of(deployment) as gateway:

        async def client(calls: Iterable[tuple[str, dict[str, Any]]]) -> None:
            async with await anyio.connect_tcp(*gateway.address) as stream:
                wire = Wire(stream)
                for name, arguments in calls:
                    params = {"name": name, "arguments": arguments, "_meta": {**_META, "progressToken": 1}}
                    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
                    head = {"mcp_protocol_version": _NEW, "mcp_method": "tools/call", "mcp_name": name}
                    body = json.dumps(asked).encode()
                    await stream.send(http(gateway.address, deployment.keys["ana"], body, **head))
                    with anyio.fail_after(60):
                        answer = await wire.read()
                    got.append(repr(answer.head).encode() + answer.body + repr(messages_of(answer)).encode())

        async with anyio.create_task_group() as tasks:
            for source in SOURCES:
                tasks.start_soon(client, list(_calls_of(source, canaries)))
            tasks.start_soon(client, [("leak", {"form": form}) for form in FORMS])
    return b"".join(got)


def _calls_of(source: str, canaries: int) -> Iterator[tuple[str, dict[str, Any]]]:
    for number in range(canaries):
        for form in FORMS:
            for way in GATEWAY_WAYS:
                yield source, {"key": {"$secret": f"env://CANARY_{number}"}, "form": form, "way": way}


def _shown(deployment: Deployment) -> Sinks:
    """What the commands print, and what they write."""
    with subprocess.Popen(
        [sys.executable, "-m", "proof.canaries.typist"], cwd=deployment.folder, env=deployment.environment("root"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as typist:  # fmt: skip
        assert typist.stdin is not None and typist.stdout is not None
        shown = _typed(deployment, typist.stdin, typist.stdout)
        typist.stdin.close()
    return shown


def _typed(deployment: Deployment, words_in: IO[str], lines_out: IO[str]) -> Sinks:
    errors = b""

    def typed(*words: str) -> bytes:
        nonlocal errors
        print(json.dumps(words), file=words_in, flush=True)
        code, out, error = json.loads(lines_out.readline())
        errors += error.encode()
        if code not in (0, 1, 3):
            raise RuntimeError(f"{words}: {code}: {error[-2000:]}")
        said: str = out
        return said.encode()

    waiting = typed("approvals", "list", "--json", "--limit", "1000")
    asked = [each["approval_id"] for each in _rows(waiting)]
    approvals = waiting + typed("inbox") + typed("inbox", "--json") + typed("approvals", "list")
    for approval_id in asked:
        approvals += typed("approvals", "show", approval_id, "--json")
    for approval_id in asked[:4]:
        approvals += typed("approvals", "show", approval_id)
    calls = typed("calls", "list", "--json", "--limit", "1000")
    runs = typed("runs", "list", "--json", "--limit", "1000")
    for run in _rows(runs):
        calls += typed("runs", "show", run["run_id"], "--json")
    for call in _rows(typed("calls", "list", "--json", "--limit", "8")):
        calls += typed("calls", "show", call["call_id"], "--json") + typed("calls", "show", call["call_id"])
    audit = b"".join(typed("audit", view, "--json", "--limit", "10000") for view in ("tool_call", "tool_result"))
    audit += typed("ledger", "export", "--since", "2000-01-01", "--to", "bundle.jsonl")
    audit += (deployment.folder / "bundle.jsonl").read_bytes()
    return {"approvals, inbox": approvals, "calls, runs show": calls + runs, "audit, export": audit, "stderr": errors}


def _rows(text: bytes) -> list[dict[str, Any]]:
    said: Any = json.loads(text)
    lists = [said] if isinstance(said, list) else [part for part in said.values() if isinstance(part, list)]
    rows: list[dict[str, Any]] = lists[0]
    return rows


def found(sinks: Mapping[str, bytes], canaries: Sequence[str]) -> dict[tuple[str, str], int]:
    """How many canaries stand in each place in each form."""
    wanted = [trace for secret in canaries for form in FORMS for trace in traces(form, secret)]
    seen = {sink: _matches(text, wanted) for sink, text in sinks.items()}
    return {
        (sink, form): sum(any(trace in seen[sink] for trace in traces(form, secret)) for secret in canaries)
        for sink in sinks
        for form in FORMS
    }


def _matches(text: bytes, wanted: Sequence[bytes]) -> bytes:
    """Every stretch of a text that is one of these, each once; by grep, which looks for all of them in one pass."""
    with tempfile.NamedTemporaryFile() as patterns:
        patterns.write(b"\n".join(wanted))
        patterns.flush()
        words = ["grep", "-aoF", "-f", patterns.name]
        ran = subprocess.run(words, input=text, env={**os.environ, "LC_ALL": "C"}, capture_output=True, check=False)
    if ran.returncode > 1:
        raise RuntimeError(ran.stderr.decode(errors="replace"))
    return b"\n".join(set(ran.stdout.splitlines()))


def made(count: int, seed: int) -> list[str]:
    """So many canaries."""
    return [canary(number, seed) for number in range(count)]
