"""One real call of every tool of the reference servers, in an order in which each has what it works on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Call = tuple[str, str, dict[str, Any]]
"""Server, tool and arguments."""


def prepare(folder: Path) -> None:
    """The files and the repository that the servers work on."""
    (folder / "files").mkdir()
    (folder / "files" / "a.txt").write_text("one\ntwo\n")
    (folder / "files" / "b.txt").write_text("three\n")
    (folder / "files" / "p.png").write_bytes(bytes.fromhex("89504e470d0a1a0a"))
    repo = folder / "repo"
    repo.mkdir()
    (repo / "a.txt").write_text("one\n")
    identity = ("-c", "user.name=Ana", "-c", "user.email=ana@shop.example")
    for command in (("init", "-q", "-b", "main"), ("add", "."), (*identity, "commit", "-qm", "first")):
        subprocess.run(["git", "-C", str(repo), *command], check=True, stdout=subprocess.DEVNULL)
    for name, value in (("user.name", "Ana"), ("user.email", "ana@shop.example")):
        subprocess.run(["git", "-C", str(repo), "config", name, value], check=True)
    (repo / "a.txt").write_text("two\n")


def calls(folder: Path, page: str) -> Iterator[Call]:
    """Every call.

    Args:
        page: An address of this machine that answers with a page.
    """
    for server, made in (
        ("everything", _everything()), ("filesystem", _filesystem(folder / "files")), ("git", _git(folder / "repo")),
        ("memory", _memory()), ("sqlite", _sqlite()), ("fetch", [("fetch", {"url": page})]), ("time", _time()),
        ("sequential-thinking", [("sequentialthinking", _THOUGHT)]),
    ):  # fmt: skip
        yield from ((server, tool, arguments) for tool, arguments in made)


_THOUGHT = {"thought": "Once.", "nextThoughtNeeded": False, "thoughtNumber": 1, "totalThoughts": 1}

Made = list[tuple[str, dict[str, Any]]]


def _everything() -> Made:
    return [
        ("echo", {"message": "hello"}), ("get-annotated-message", {"messageType": "success"}), ("get-env", {}),
        ("get-resource-links", {"count": 2}), ("get-resource-reference", {"resourceType": "Text", "resourceId": 1}),
        ("get-structured-content", {"location": "Chicago"}), ("get-sum", {"a": 2, "b": 3}), ("get-tiny-image", {}),
        ("gzip-file-as-resource", {"name": "x.gz", "data": "data:text/plain;base64,eA==", "outputType": "resource"}),
        ("toggle-simulated-logging", {}), ("toggle-subscriber-updates", {}),
        ("trigger-long-running-operation", {"duration": 1, "steps": 2}), ("simulate-research-query", {"topic": "tea"}),
    ]  # fmt: skip


def _filesystem(files: Path) -> Made:
    a, made = str(files / "a.txt"), str(files / "made.txt")
    return [
        ("read_file", {"path": a}), ("read_text_file", {"path": a}),
        ("read_media_file", {"path": str(files / "p.png")}),
        ("read_multiple_files", {"paths": [a, str(files / "b.txt")]}),
        ("write_file", {"path": made, "content": "made\n"}),
        ("edit_file", {"path": a, "edits": [{"oldText": "two", "newText": "2"}]}),
        ("create_directory", {"path": str(files / "more")}), ("list_directory", {"path": str(files)}),
        ("list_directory_with_sizes", {"path": str(files)}), ("directory_tree", {"path": str(files)}),
        ("move_file", {"source": made, "destination": str(files / "more" / "moved.txt")}),
        ("search_files", {"path": str(files), "pattern": "*.txt"}), ("get_file_info", {"path": a}),
        ("list_allowed_directories", {}),
    ]  # fmt: skip


def _git(repo: Path) -> Made:
    at = {"repo_path": str(repo)}
    return [
        ("git_status", at), ("git_diff_unstaged", at), ("git_add", at | {"files": ["a.txt"]}), ("git_diff_staged", at),
        ("git_reset", at), ("git_add", at | {"files": ["a.txt"]}), ("git_commit", at | {"message": "second"}),
        ("git_log", at), ("git_create_branch", at | {"branch_name": "side"}),
        ("git_diff", at | {"target": "side"}), ("git_show", at | {"revision": "HEAD"}),
        ("git_branch", at | {"branch_type": "local"}), ("git_checkout", at | {"branch_name": "side"}),
    ]  # fmt: skip


def _memory() -> Made:
    entities = [{"name": name, "entityType": "person", "observations": ["is"]} for name in ("Ana", "Bob")]
    relation = {"from": "Ana", "to": "Bob", "relationType": "knows"}
    return [
        ("create_entities", {"entities": entities}), ("create_relations", {"relations": [relation]}),
        ("add_observations", {"observations": [{"entityName": "Ana", "contents": ["reads"]}]}), ("read_graph", {}),
        ("search_nodes", {"query": "Ana"}), ("open_nodes", {"names": ["Ana"]}),
        ("delete_observations", {"deletions": [{"entityName": "Ana", "observations": ["reads"]}]}),
        ("delete_relations", {"relations": [relation]}), ("delete_entities", {"entityNames": ["Bob"]}),
    ]  # fmt: skip


def _sqlite() -> Made:
    return [
        ("create_table", {"query": "CREATE TABLE t (n INTEGER)"}), ("list_tables", {}),
        ("describe_table", {"table_name": "t"}), ("write_query", {"query": "INSERT INTO t VALUES (1)"}),
        ("read_query", {"query": "SELECT n FROM t"}), ("append_insight", {"insight": "One row."}),
    ]  # fmt: skip


def _time() -> Made:
    times = {"source_timezone": "Europe/Prague", "time": "12:00", "target_timezone": "Asia/Tokyo"}
    return [("get_current_time", {"timezone": "Europe/Prague"}), ("convert_time", times)]
