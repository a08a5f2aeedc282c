from __future__ import annotations

from typing import Any

from interlock.core.tool import Effect, Tool
from interlock.policy.cedar import Policy
from interlock.policy.rules import Source
from interlock.wrapping.suggest import SeenCall, suggest
from tests.cli.shell import Shell


def observe(shell: Shell) -> None:
    settings = shell.folder / "interlock.toml"
    settings.write_text(settings.read_text() + 'mode = "evaluate_only"\n')


def test_what_was_seen_goes_on_and_nothing_else_does(shell: Shell) -> None:
    """E3: rules from the ledger, loaded, enforced: what was done is allowed or held, everything else is denied."""
    observe(shell)
    assert shell.run("call", "look", '{"order_id": 7}').code == 0
    assert shell.run("call", "refund", '{"order_id": 7, "cents": 5}').code == 0, "observed, not held"
    said = shell.json("policy", "suggest", "--to", "next/seen.cedar", who="ana")
    assert [each["tool"] for each in said["granted"]] == ["look", "refund"]
    settings = shell.folder / "interlock.toml"
    settings.write_text(settings.read_text().replace('mode = "evaluate_only"', 'policy = "next"'))
    assert shell.run("policy", "check").code == 0
    assert shell.run("call", "look", '{"order_id": 8}').code == 0
    assert shell.run("call", "refund", '{"order_id": 8, "cents": 5}').code == 3, "irreversible stays held"
    assert shell.run("call", "flaky", '{"order_id": 8}').code == 1, "a tool that was not seen"
    assert shell.run("call", "look", '{"order_id": 8}', who="olga").code == 1, "a principal that was not seen"


def test_the_rules_say_what_was_seen_and_decided(shell: Shell) -> None:
    observe(shell)
    shell.run("call", "look", '{"order_id": 7}')
    shell.run("call", "look", '{"order_id": 8}')
    out = shell.run("policy", "suggest", who="ana").out
    assert "// look (read) by default/ana: 2 calls seen. The policy of that time: 2 allowed." in out
    assert '@id("irreversible-held")' in out


def test_nothing_is_overwritten_and_nothing_seen_is_said(shell: Shell) -> None:
    assert shell.json("policy", "suggest", code=2)["error"]["code"] == "suggest.nothing"
    (shell.folder / "there.cedar").write_text("mine")
    assert shell.json("policy", "suggest", "--to", "there.cedar", code=1)["error"]["code"] == "suggest.exists"


# ------------------------------------------------------------------------ the rules


async def nothing(arguments: dict[str, Any], context: object) -> None:
    return None


SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["a"]}
PAY = Tool(name="pay", server="bank", input_schema=SCHEMA, body=nothing, effect=Effect.REVERSIBLE)


def seen(decision: str = "allow", principal: str = "default/ana", **arguments: str) -> SeenCall:
    return SeenCall(principal=principal, server="bank", tool="pay", decision=decision, arguments=arguments)


def test_what_would_have_been_denied_gets_no_rule() -> None:
    found = suggest([seen("deny", a="x")], [PAY])
    assert found.granted == () and "permit (" not in found.text
    assert suggest([seen("deny", a="x"), seen(a="x")], [PAY]).granted == (("default/ana", "pay"),)


def test_an_optional_argument_that_was_never_given_is_not_granted() -> None:
    assert "unless { context.arguments has b }" in suggest([seen(a="x")], [PAY]).text
    assert "unless" not in suggest([seen(a="x", b="y")], [PAY]).text


def test_hostile_ids_and_lost_tools_are_no_rules() -> None:
    hostile = 'default/x"); permit (principal, action, resource); //'
    gone = SeenCall(principal="default/ana", server="bank", tool="x\n permit (principal, action, resource);",
                    decision="allow")  # fmt: skip
    found = suggest([seen(principal=hostile), gone], [PAY])
    assert found.granted == ()
    assert [rule.permits for rule in Policy([Source("seen.cedar", found.text)], [PAY]).rules] == [False] * 3
