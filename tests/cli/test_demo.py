from __future__ import annotations

from pathlib import Path

import pytest

from interlock.cli import demo
from tests.cli.shell import Shell


def write_story(folder: Path, code: str) -> None:
    """A story that takes the place of the real one, which tests/examples plays."""
    package = folder / "examples" / "property_management"
    package.mkdir(parents=True)
    (package / "__main__.py").write_text(code)


@pytest.mark.parametrize(("ends", "code"), [(0, 0), (1, 1), (2, 1)])
def test_the_demo_runs_where_it_is_typed_and_ends_as_the_story_does(
    shell: Shell,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    ends: int,
    code: int,
) -> None:
    story = tmp_path / "installed"
    write_story(story, f"import os, sys\nprint('played in', os.getcwd())\nsys.exit({ends})\n")
    monkeypatch.setattr(demo, "_PLACES", (tmp_path / "nowhere", story))
    ran = shell.run("demo")
    assert ran.code == code
    assert capfd.readouterr().out == f"played in {shell.folder}\n"
    assert ("Not everything came out as it should." in ran.out) == (code == 1)


def test_where_the_story_is_not_installed_it_is_said_where_to_find_it(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "_PLACES", ())
    said = shell.json("demo", code=2)
    assert said["error"]["code"] == "demo.absent"
    assert "make demo" in said["error"]["remedy"]


def test_the_story_of_a_checkout_is_found() -> None:
    assert any((place / "examples" / "property_management" / "__main__.py").is_file() for place in demo._PLACES)
