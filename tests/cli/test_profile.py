"""`interlock profile`: drafts that nobody has read raise nothing, are overwritten by nobody, and are listed."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tests.cli.shell import Shell


def settings(shell: Shell, more: str) -> None:
    file = shell.folder / "interlock.toml"
    file.write_text(file.read_text() + more)


def of_look(shell: Shell, reviewed: str) -> None:
    folder = shell.folder / "profiles"
    folder.mkdir(exist_ok=True)
    (folder / "local.toml").write_text(f'[tools.look]\nreviewed = {reviewed}\nroles = {{ order_id = "selector" }}\n')


def test_a_draft_has_every_tool_of_the_server_a_reason_for_each_role_and_fields_of_recorded_results(
    shell: Shell,
) -> None:
    shell.run("call", "refund", '{"order_id": 7, "cents": 5}')
    shell.run("call", "look", '{"order_id": 7}')
    said = shell.json("profile", "draft", "local")
    tools = {tool["name"]: tool for tool in said["tools"]}
    assert list(tools) == ["look", "refund", "wipe", "flaky", "rejecting", "lying"]
    assert tools["look"]["roles"]["order_id"] == "selector" and tools["look"]["why"]["order_id"] == "by its word 'id'"
    assert tools["look"]["fields"] == {"/order_id": "id"} and tools["refund"]["fields"] == {}
    assert said["reviewed"] is False and "by its word 'id'" in shell.run("profile", "draft", "local").out
    assert not any(tool["reviewed"] for tool in tomllib.loads(said["text"])["tools"].values())


def test_a_file_that_is_there_is_overwritten_by_force_alone(shell: Shell) -> None:
    file = shell.folder / "profiles" / "local.toml"
    said = shell.run("profile", "draft", "local", "--out", str(file))
    assert said.code == 0 and "under [provenance]" in said.out
    file.write_text("# mine\n")
    refused = shell.json("profile", "draft", "local", "--out", str(file), code=2)["error"]
    assert refused["code"] == "profile.exists" and "--force" in refused["remedy"]
    assert file.read_text() == "# mine\n"
    assert shell.run("profile", "draft", "local", "--out", str(file), "--force").code == 0
    assert "[tools.refund]" in file.read_text()


def test_a_server_of_which_nothing_is_known_and_a_file_that_cannot_be_written_are_named(shell: Shell) -> None:
    error = shell.run("profile", "draft", "nobody", "--json").document["error"]
    assert error["code"] == "profile.server" and "SERVER" in error["message"]
    (shell.folder / "plain").write_text("")
    out = str(Path(shell.folder / "plain" / "x.toml"))
    error = shell.run("profile", "draft", "local", "--out", out, "--json").document["error"]
    assert error["code"] == "profile.write" and "--out" in error["message"]


def test_the_list_says_which_profiles_somebody_has_read(shell: Shell) -> None:
    assert {tool["profile"] for tool in shell.json("profile", "list")["tools"]} == {"none"}
    settings(shell, '[provenance]\nprofiles = "profiles"\n')
    for reviewed, word in (("false", "unreviewed"), ("true", "reviewed")):
        of_look(shell, reviewed)
        found = {tool["name"]: tool["profile"] for tool in shell.json("profile", "list")["tools"]}
        assert (found["look"], found["wipe"]) == (word, "none")


def test_lint_knows_the_roles_that_stand_in_a_reviewed_profile(shell: Shell) -> None:
    def lacking() -> set[str]:
        found = shell.json("tools", "lint")["findings"]
        return {each["tool"] for each in found if each["code"] == "scope.undeclared"}

    assert "wipe" in lacking()
    settings(shell, '[provenance]\nprofiles = "profiles"\n')
    (shell.folder / "profiles").mkdir()
    for reviewed in (False, True):
        text = f'[tools.wipe]\nreviewed = {str(reviewed).lower()}\nroles = {{ order_id = "selector" }}\n'
        (shell.folder / "profiles" / "local.toml").write_text(text)
        assert ("wipe" in lacking()) is not reviewed


def test_the_doctor_names_profiles_that_nobody_read_and_mandates_of_no_tool(shell: Shell) -> None:
    settings(shell, '[provenance]\nprofiles = "profiles"\nmandates = { ana = ["wipe", "wiep"] }\n')
    of_look(shell, "false")
    found = {each["check"]: each for each in shell.run("doctor", "--json").document["findings"]}
    assert (found["profiles"]["says"], found["profiles"]["severity"]) == ("look", "warn")
    assert found["mandates"]["says"] == "wiep for ana"
    of_look(shell, "true")
    found = {each["check"]: each for each in shell.run("doctor", "--json").document["findings"]}
    assert found["profiles"]["severity"] == "good"
