"""`interlock redteam run`: the suite through the policy of the settings. Requirement F3."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copy
from xml.etree import ElementTree

from tests.cli.shell import Shell

GROUNDED = Path(__file__).parents[2] / "proof" / "grounded_policy" / "grounded.cedar"


def _with_policy(shell: Shell) -> None:
    (shell.folder / "policy").mkdir()
    copy(GROUNDED, shell.folder / "policy")
    settings = shell.folder / "interlock.toml"
    settings.write_text(f'policy = "policy"\n{settings.read_text()}')


def test_the_suite_that_ships_is_played_and_counted(shell: Shell) -> None:
    _with_policy(shell)
    found = shell.json("redteam", "run", "--variant", "plain")
    attacks, work = found["all"]["attacks"], found["all"]["legitimate"]
    assert attacks["broken"]["part"] == attacks["broken"]["whole"] > 20 and found["through"] == []
    assert work["touched"]["part"] == 1 and found["touched"] == ["own/do-what-a-mail-says"]
    page = shell.run("redteam", "run", "--variant", "plain").out
    assert "own/plain" in page and "mandate" in page and "As wanted." in page


def test_thresholds_decide_the_exit_code_and_files_are_written(shell: Shell) -> None:
    _with_policy(shell)
    junit, sarif = shell.folder / "r.xml", shell.folder / "r.sarif"
    arguments = ["redteam", "run", "--variant", "base64", "--touched-max", "1"]
    ended = shell.run(*arguments, "--junit", str(junit), "--sarif", str(sarif))
    assert ended.code == 1 and "Not as wanted." in ended.out
    assert len(ElementTree.parse(junit).getroot()) == 2
    assert json.loads(sarif.read_text())["version"] == "2.1.0"


def test_a_suite_of_ones_own_calls_ones_own_tools(shell: Shell) -> None:
    suite = {"suite": "mine", "tools": [{"name": "look", "effect": "read"}],
             "cases": [{"id": "one", "words": "Look.", "calls": [{"tool": "look", "result": 1}]}]}  # fmt: skip
    file = shell.folder / "mine.json"
    file.write_text(json.dumps(suite))
    assert shell.json("redteam", "run", "--suite", str(file))["all"]["legitimate"]["touched"]["part"] == 0
    assert shell.run("redteam", "run", "--suite", str(shell.folder / "none.json")).code == 2
    assert shell.run("redteam", "run", "--suite", "injecagent").code == 2


def test_what_the_settings_name_of_the_world_is_left_alone(shell: Shell) -> None:
    (shell.folder / "trust").mkdir()
    (shell.folder / "trust" / "local.toml").write_text("")
    settings = shell.folder / "interlock.toml"
    settings.write_text(
        f'{settings.read_text()}\n[provenance]\nprofiles = "trust"\n[verify]\nrules = ["no_such_module"]\n'
    )
    assert shell.json("redteam", "run", "--variant", "plain")["all"]["attacks"]["broken"]["share"] == 1.0
