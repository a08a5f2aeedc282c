"""What a page points at is there: pages, headings, commands, options, targets. And what it must not name is not."""

from __future__ import annotations

import re
import shlex
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from interlock.cli.main import interlock
from tests.docs.page import DOCS, PAGES, ROOT, blocks, commands, name_of

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)

HOSTS = {
    "127.0.0.1", "docs.cedarpolicy.com", "example.com", "keepachangelog.com", "semver.org", "www.standardwebhooks.com",
}  # fmt: skip
"""Hosts that pages may name."""

_HOST = re.compile(r"\b(?:[a-z0-9-]+\.)+(?:com|dev|io|net|org)\b|\blocalhost\b|\b\d+\.\d+\.\d+\.\d+\b")


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCED.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    return _LINK.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub names them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if "://" in link:
            assert link.split("/")[2] in HOSTS, f"{link}: another host"
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(ROOT) and target.exists(), f"{link}: nothing there"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


def test_every_page_is_reached_from_the_index() -> None:
    index = DOCS / "index.md"
    reached = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}
    pages = {page for page in PAGES if page.is_relative_to(DOCS) and page.parent.name != "adr"}
    assert not [name_of(page) for page in pages - reached - {index}]


def machine() -> list[str]:
    """Places of this machine, and its name."""
    places = [str(place) for place in (ROOT, *ROOT.parents, Path.home(), Path(tempfile.gettempdir()))]
    return [*(place for place in places if place != "/"), socket.gethostname()]


def named(text: str) -> list[str]:
    """What of this machine, and which hosts, a text names."""
    here = [place for place in machine() if re.search(rf"(?<![\w./}}-]){re.escape(place)}\b", text)]
    return here + [host for host in _HOST.findall(text) if host not in HOSTS]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_page_names_a_machine_or_the_host_of_a_registry(page: Path) -> None:
    assert not named(page.read_text(encoding="utf-8"))


def test_what_a_page_must_not_name_is_found() -> None:
    assert all(named(f"it is in {place}/x") for place in machine())
    assert named("from https://packages.example.org/simple") and named("http://localhost:8080") and named("10.0.0.1")
    assert not [place for place in machine() if place in named(f"POST /api/v1/policy{place}")]
    assert not named("an apsw of 3.54.1; name@example.com; `interlock.registry.formats`")


# ----------------------------------------------------------------- command lines


def typed(page: Path) -> Iterator[str]:
    """Every command line of a page: in blocks, and in the sentences."""
    for block in blocks(page):
        if block.language in ("sh", "console", ""):
            yield from (line for line in commands(block) if "interlock" in line or "make " in line)
    yield from (span.replace("\n", " ") for span in _SPAN.findall(prose(page)))


def interlock_lines(page: Path) -> Iterator[list[str]]:
    for line in typed(page):
        words = shlex.split(line.replace("'", '"') if line.count("'") % 2 else line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            words.pop(0)
        if words[:1] == ["interlock"] and len(words) > 1:
            yield words[1:]


def problem_of(words: list[str]) -> str:
    """What is wrong with a command line; empty where it exists with its options."""
    command: click.Command = interlock
    at = 0
    while isinstance(command, click.Group) and at < len(words) and not words[at].startswith("-"):
        found = command.commands.get(words[at])
        if found is None:
            return "" if words[at].isupper() else f"no command {' '.join(words[: at + 1])!r}"
        command, at = found, at + 1
    options = {option for parameter in command.params for option in parameter.opts} | {"--help", "-h"}
    unknown = [word for word in words[at:] if word.startswith("--") and word.partition("=")[0] not in options]
    return f"{command.name} has no {unknown[0]}" if unknown else ""


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_that_a_page_types_exists_with_its_options(page: Path) -> None:
    assert not [problem for words in interlock_lines(page) if (problem := problem_of(words))]


def targets(page: Path) -> set[str]:
    """The make targets that a page types or names."""
    return {found[1] for line in typed(page) if (found := re.match(r"make ([a-z][a-z-]*)", line))}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert not targets(page) - set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


def test_the_check_of_commands_finds_what_it_is_for() -> None:
    assert problem_of(["polici", "check"]) and problem_of(["policy", "chek"])
    assert problem_of(["stop", "--tol", "refund"])
    assert not problem_of(["approvals", "approve", "appr_1", "--yes", "--json"])
    assert len(list(interlock_lines(DOCS / "tutorial.md"))) > 8
    assert targets(ROOT / "README.md") >= {"demo", "test", "bench"}
