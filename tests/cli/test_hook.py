from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from interlock.cli.hook import BLOCK
from interlock.core.principal import Principal
from interlock.errors import BadInput
from interlock.keys import TOOLS, WORDS, Keys
from interlock.wrapping.hooked import Moment, answer, configuration, read_heard
from tests.cli.shell import Ran, Shell

POLICY = """
@id("git") permit (principal in Role::"agent", action == Action::"coding:coding.shell", resource)
when { context.arguments.command like "git *" };
@id("push") permit (principal in Role::"agent", action == Action::"coding:coding.shell", resource)
when { context.arguments.command like "deploy*" };
@id("push-held") @approvers("approver")
forbid (principal, action == Action::"coding:coding.shell", resource)
when { context.arguments.command like "deploy*" };
@id("edits") permit (principal in Role::"agent", action == Action::"coding:coding.edit", resource)
when { context.session.words_seen };
@id("reads") permit (principal in Role::"agent", action in Action::"effect/read", resource);
"""


@pytest.fixture
def coder(empty: Shell) -> Shell:
    """A deployment that a coding agent's hooks ask, and somebody who may approve."""
    settings = 'tools = ["interlock.toolkit.coding"]\npolicy = "policy"\n[limits]\nalike_max = 100\n'
    (empty.folder / "interlock.toml").write_text(settings)
    (empty.folder / "policy").mkdir()
    (empty.folder / "policy" / "p.cedar").write_text(POLICY)
    keys = Keys(empty.folder / ".interlock" / "keys.json")
    empty.keys = {
        "root": keys.add(Principal("root", roles=frozenset({"admin", "approver"}))),
        "agent": keys.add(Principal("agent", roles=frozenset({"agent"})), (TOOLS, WORDS)),
        "mute": keys.add(Principal("mute", roles=frozenset({"agent"}))),
    }
    return empty


def ask(shell: Shell, event: str, who: str = "agent", **said: Any) -> Ran:
    """What Claude Code sends, in its own shape."""
    whole = {"session_id": "s1", "transcript_path": "/t", "cwd": "/w", "hook_event_name": event, **said}
    return shell.run("hook", typed=json.dumps(whole), who=who)


def bash(shell: Shell, command: str, use: str, who: str = "agent") -> str:
    """What is decided of a shell's command: empty for no opinion, else why not."""
    ran = ask(shell, "PreToolUse", who, tool_name="Bash", tool_input={"command": command}, tool_use_id=use)
    assert ran.code == 0, ran
    said = json.loads(ran.out).get("hookSpecificOutput", {})
    assert said.get("permissionDecision") in (None, "deny")
    return str(said.get("permissionDecisionReason", ""))


def test_a_command_is_proposed_decided_and_what_came_of_it_recorded_in_one_run(coder: Shell) -> None:
    """E9: the agent executes; the ledger has the proposal, the decision and the report."""
    assert bash(coder, "git status", "u1") == ""
    after = {"tool_name": "Bash", "tool_input": {"command": "git status"}, "tool_use_id": "u1"}
    assert ask(coder, "PostToolUse", **after, tool_response={"stdout": "clean"}).code == 0
    calls = coder.json("calls", "list", who="root")["calls"]
    assert {(call["tool"], call["outcome"]) for call in calls} == {
        ("coding.shell", "done"), ("coding.report", "done"),
    }  # fmt: skip
    assert len({call["run_id"] for call in calls}) == 1, "one session is one run"
    report = next(call for call in calls if call["tool"] == "coding.report")
    shown = json.dumps(coder.json("calls", "show", report["call_id"], who="root"))
    proposed = next(call for call in calls if call["tool"] == "coding.shell")
    assert "clean" in shown and proposed["call_id"] in shown


def test_what_no_rule_permits_the_agent_leaves(coder: Shell) -> None:
    assert bash(coder, "rm -rf /", "u1") != ""
    (call,) = coder.json("calls", "list", who="root")["calls"]
    assert call["outcome"] == "refused"


def test_what_is_held_goes_through_once_after_a_persons_yes_and_never_by_the_agents(coder: Shell) -> None:
    reason = bash(coder, "deploy now", "u1")
    (waiting,) = coder.json("approvals", "list", who="root")["approvals"]
    assert waiting["approval_id"] in reason and "approved" in reason
    assert bash(coder, "deploy now", "u2") != "", "asking again is no approval"
    coder.json("approvals", "approve", waiting["approval_id"], "--yes", who="root")
    assert bash(coder, "deploy later", "u3") != "", "it is for exactly this command"
    assert bash(coder, "deploy now", "u4") == ""
    assert bash(coder, "deploy now", "u5") != "", "and for once"


def test_the_users_words_are_the_runs_where_the_key_may_attest_them(coder: Shell) -> None:
    edit = {"tool_name": "Edit", "tool_input": {"file_path": "/w/a", "old_string": "x", "new_string": "y"}}

    def edited(who: str) -> dict[str, Any]:
        return dict(json.loads(ask(coder, "PreToolUse", who, **edit, tool_use_id=f"u-{who}").out))

    assert "hookSpecificOutput" in edited("mute"), "nobody's words were seen"
    for who in ("agent", "mute"):
        assert ask(coder, "UserPromptSubmit", who, prompt="please fix a").code == 0
    assert ask(coder, "UserPromptSubmit", prompt="and b").code == 0
    assert edited("agent") == {}
    again = ask(coder, "PreToolUse", "mute", **edit, tool_use_id="u9").out
    assert "deny" in again, "a key that may not attest says nothing"


def test_a_session_that_ended_is_over_and_the_next_word_begins_anew(coder: Shell) -> None:
    assert bash(coder, "git status", "u1") == ""
    assert ask(coder, "SessionEnd", reason="clear").code == 0
    assert bash(coder, "git status", "u2") == ""
    assert len({call["run_id"] for call in coder.json("calls", "list", who="root")["calls"]}) == 2


def test_the_same_use_is_asked_about_once(coder: Shell) -> None:
    assert bash(coder, "git status", "u1") == "" and bash(coder, "git status", "u1") == ""
    assert len(coder.json("calls", "list", who="root")["calls"]) == 1
    for number in range(2, 9):
        assert bash(coder, "git status", f"u{number}") == "", "an agent may look as often as it likes"


@pytest.mark.parametrize(
    "typed", ["", "{", "[]", '{"hook_event_name": "PreToolUse"}', '{"a": 1, "a": 2}', '{"session_id": "s"}']
)
def test_what_is_in_no_known_shape_blocks(coder: Shell, typed: str) -> None:
    ran = coder.run("hook", typed=typed, who="agent")
    assert (ran.code, ran.out) == (BLOCK, "") and ran.err


def test_whatever_goes_wrong_before_a_tool_blocks_it(coder: Shell) -> None:
    use = {"tool_name": "Bash", "tool_input": {"command": "git status"}, "tool_use_id": "u1"}
    assert ask(coder, "PreToolUse", "nobody", **use).code == BLOCK
    (coder.folder / ".interlock" / "sessions").write_text("a file where a folder is to be")
    assert ask(coder, "PreToolUse", **use).code == BLOCK
    (coder.folder / "policy" / "p.cedar").write_text("permit (")
    assert ask(coder, "PreToolUse", **use).code == BLOCK
    (coder.folder / "interlock.toml").write_text("")
    ran = ask(coder, "PreToolUse", **use)
    assert ran.code == BLOCK and "interlock.toolkit.coding" in ran.err
    assert ask(coder, "PostToolUse", **use).code == 1, "what has happened cannot be blocked"


# ------------------------------------------------------------------------ shapes


def heard(**said: Any) -> Any:
    return read_heard(json.dumps(said).encode())


def test_cursors_shapes_are_read_and_answered() -> None:
    shell = heard(conversation_id="c", hook_event_name="beforeShellExecution", command="ls", cwd="/w")
    assert (shell.moment, shell.tool) == (Moment.BEFORE, "coding.shell")
    assert shell.arguments == {"agent": "cursor", "tool": "Shell", "command": "ls", "folder": "/w"}
    assert answer(shell, "") == {"permission": "allow"}
    assert answer(shell, "no") == {"permission": "deny", "user_message": "no", "agent_message": "no"}
    generic = heard(conversation_id="c", hook_event_name="preToolUse", tool_name="Write", tool_input={"file_path": "a"})
    assert (generic.tool, generic.arguments["path"]) == ("coding.edit", "a")
    prompt = heard(conversation_id="c", hook_event_name="beforeSubmitPrompt", prompt="hello")
    assert (prompt.words, answer(prompt, "")) == ("hello", {"continue": True})


def test_an_unknown_tool_is_governed_as_the_gravest_and_an_inner_one_is_nobodys() -> None:
    use = {"session_id": "s", "hook_event_name": "PreToolUse", "tool_input": {"x": 1}}
    other = heard(**use, tool_name="Teleport")
    assert (other.tool, other.arguments["input"]) == ("coding.other", '{"x":1}')
    assert heard(**use, tool_name="mcp__files__write").tool == "coding.other"
    assert heard(**use, tool_name="mcp__interlock__files__write").tool == "", "it passes the path in the gateway"
    assert heard(**use, tool_name="TodoWrite").tool == ""


def test_a_shell_without_a_command_has_no_shape() -> None:
    with pytest.raises(BadInput):
        heard(session_id="s", hook_event_name="PreToolUse", tool_name="Bash", tool_input={"command": ["rm"]})


def test_what_is_printed_for_an_agent_closes_what_doctor_found(empty: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    from interlock.settings import Settings
    from interlock.wrapping.coverage import coverage, read_clients

    for agent, client, hooks in (
        ("claude-code", ".mcp.json", ".claude/settings.json"), ("cursor", ".cursor/mcp.json", ".cursor/hooks.json"),
    ):  # fmt: skip
        for file, text in ((client, '{"mcpServers": {}}'), (hooks, empty.run("hook", "--print", agent).out)):
            path = empty.folder / file
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        found = coverage(read_clients([empty.folder / client]), Settings(folder=empty.folder), {}, Path("/nowhere"))
        assert found.ways == (), agent
    assert configuration("cursor", "x")["hooks"]["preToolUse"] == [{"command": "x", "failClosed": True}]


RUN = """
import sys
from interlock.cli.main import main
try:
    main(["hook"])
finally:
    from interlock.core.instructions import _compiled
    print(*sys.modules, f"patterns:{_compiled.cache_info().currsize}", file=sys.stderr)
"""


def test_a_hook_loads_nothing_that_starts_servers_or_writes_pages(coder: Shell) -> None:
    """Issue 6: it is a process for each use of a tool; also where there are servers behind."""
    settings = coder.folder / "interlock.toml"
    settings.write_text(settings.read_text() + '[[servers]]\nname = "far"\ncommand = ["/nowhere"]\n')
    heard = {"session_id": "s1", "hook_event_name": "PreToolUse", "tool_name": "Read", "tool_input": {"path": "a"}}
    ran = subprocess.run(
        [sys.executable, "-c", RUN], input=json.dumps(heard), capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "INTERLOCK_KEY": coder.keys["agent"]},
    )  # fmt: skip
    assert (ran.returncode, json.loads(ran.stdout)) == (0, {})
    loaded = set(ran.stderr.split())
    assert "interlock.policy.cedar" in loaded, "the measure sees what a hook loads"
    assert not loaded & {"rich", "mcp", "mcp_types", "httpx2", "httpcore2", "uvicorn", "starlette", "jwt", "yaml"}
    assert "patterns:0" in loaded, "large patterns are made for a text that may speak to the model, and for no other"
