"""A browser for the tests of the console: the machine's own Chromium."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from interlock import Tool
from proof.browser import chromium
from tests.console.stand import Stand, stand
from tests.planes import Far


@pytest.fixture(scope="module")  # its loop runs in this thread while it is open: no async test may come beside it
def browser() -> Iterator[Browser]:
    """Chromium without a window. Where the machine has none the test is skipped; in CI it fails instead."""
    found = chromium()
    if found is None:
        absent = pytest.fail if os.environ.get("CI") else pytest.skip
        absent("no Chromium here (INTERLOCK_CHROMIUM names one; .ci/browser installs it)")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Stand]:
    """A console over a plane with a tool of each effect."""
    with stand(tmp_path, tools) as opened:
        yield opened


def tools(far: Far) -> list[Tool]:
    return [
        far.tool("look_up", "read"),
        far.tool("note", "reversible"),
        far.tool("refund", "irreversible"),
        far.tool("delete_tenant", "privileged"),
    ]
