"""Runs the official conformance suite twice: `python -m proof.conformance` (issue 6, shown by 1).

Once at the suite's reference server in the official Python SDK, once through `interlock serve` in front of another
process of it, for both revisions. The gateway's settings are those of a trusting deployment on one machine: one server
with an empty prefix, everything allowed that a server may ask, a policy that permits every call.

Exits 0 only where no check that a revision requires passes directly and not through the gateway. What the suite runs
beside that (extensions, pending scenarios) is in the table and said below it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proof.conformance.checks import Found, Row, compared, read_found, required
from proof.processes import free_port, serving

REVISIONS = ("2025-11-25", "2026-07-28")

SETTINGS = """
policy = "policy"

[gateway]
port = {port}

[gateway.local]
id = "conformance"

[limits]
calls_max = 100000
vain_max = 1000
alike_max = 1000
near_max = 1000

[[servers]]
name = "everything"
url = "{url}"
prefix = ""
trust = true
allow = ["sampling", "elicitation", "roots", "logging"]
"""
"""The suite makes the same call over and over as one client, which in an agent is a loop."""

POLICY = '@id("everything")\npermit (principal, action, resource);\n'


@contextmanager
def reference(folder: Path) -> Iterator[str]:
    """The suite's reference server, at its address."""
    port = free_port()
    command = [sys.executable, "-m", "mcp_everything_server", "--port", str(port), "--log-level", "ERROR"]
    with serving(command, port, {**os.environ, "PYTHONPATH": str(folder)}):
        yield f"http://127.0.0.1:{port}/mcp"


@contextmanager
def gateway(url: str) -> Iterator[str]:
    """`interlock serve` in front of a server, at its address."""
    port = free_port()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "policy").mkdir()
        (folder / "policy" / "everything.cedar").write_text(POLICY)
        (folder / "interlock.toml").write_text(SETTINGS.format(port=port, url=url))
        command = [
            str(Path(sys.executable).with_name("interlock")),
            "serve",
            "--settings",
            str(folder / "interlock.toml"),
        ]
        with serving(command, port, dict(os.environ)):
            yield f"http://127.0.0.1:{port}/mcp"


def run_suite(folder: Path, url: str, revision: str) -> Found:
    """One run of the suite at an address."""
    node = next(iter(sorted(folder.glob("node_modules/node-*/bin/node"))), "node")
    with tempfile.TemporaryDirectory() as out:
        command = [str(node), str(suite_in(folder) / "dist/index.js"), "server", "--url", url]
        subprocess.run(
            [*command, "--requirements", revision, "--output-dir", out],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=600, check=False,
        )  # fmt: skip
        return read_found(Path(out))


def suite_in(folder: Path) -> Path:
    """Where the suite is installed."""
    return folder / "node_modules/@modelcontextprotocol/conformance"


def rows(folder: Path) -> list[Row]:
    """Every check of both revisions, in both runs."""
    with reference(folder) as url:
        direct = {revision: run_suite(folder, url, revision) for revision in REVISIONS}
    with reference(folder) as behind, gateway(behind) as url:
        through = {revision: run_suite(folder, url, revision) for revision in REVISIONS}
    suite = suite_in(folder)
    return [
        row for revision in REVISIONS
        for row in compared(revision, direct[revision], through[revision], required(suite, revision))
    ]  # fmt: skip


def show(found: list[Row]) -> None:
    """The table, then what is to be said of it."""
    for row in found:
        mark = "" if row.scored else "  (not required)"
        differs = " <-" if row.worse else ""
        print(f"{row.revision}  {row.scenario}: {row.check:<60} {row.direct:<8} {row.through:<8}{mark}{differs}")
    for revision in REVISIONS:
        mine = [row for row in found if row.revision == revision and row.scored]
        passes = sum(row.direct == "SUCCESS" for row in mine)
        worse = sum(row.worse for row in mine)
        print(
            f"{revision}: of {len(mine)} checks that it requires {passes} pass directly, {worse} of them not through."
        )
    beside = [row for row in found if row.worse and not row.scored]
    for row in beside:
        print(f"{row.revision}: not required, and worse through: {row.scenario}: {row.check}: {row.why or 'unknown'}")


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m proof.conformance")
    parser.add_argument("--folder", type=Path, default=Path(".conformance"), help="where the suite is installed")
    folder: Path = parser.parse_args().folder.resolve()
    found = rows(folder)
    show(found)
    passing = [row for row in found if row.scored and row.direct == "SUCCESS"]
    if not passing:
        print("The suite found nothing that passes directly: it did not run.")
    return 0 if passing and not any(row.worse for row in passing) else 1


if __name__ == "__main__":
    sys.exit(main())
