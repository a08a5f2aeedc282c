from __future__ import annotations

import json

import pytest

from tests.cli.shell import Shell

REFUND = ("refund", '{"order_id": 7, "cents": 500}')


def write_policy(shell: Shell, text: str) -> None:
    folder = shell.folder / "policy"
    folder.mkdir(exist_ok=True)
    (folder / "rules.cedar").write_text(text, encoding="utf-8")
    settings = shell.folder / "interlock.toml"
    if "policy" not in settings.read_text():
        settings.write_text(settings.read_text() + 'policy = "policy"\n')


def test_check_lists_the_rules_and_what_they_reach(shell: Shell) -> None:
    ran = shell.run("policy", "check")
    assert ran.code == 0
    assert "loads: 9 rules for 6 tools, mode enforce." in ran.out
    said = shell.json("policy", "check")
    held = next(rule for rule in said["rules"] if rule["rule"] == "irreversible-held")
    assert held["reaches"] == ["refund"]
    assert held["approvers"] == ["approver"]
    assert len(said["digest"]) == 64


def test_check_names_rules_that_reach_no_tool(shell: Shell) -> None:
    """Threat T34: a rule that is dead is shown."""
    write_policy(shell, '@id("dead")\npermit (principal, action in Action::"effect/read", resource);\n')
    settings = shell.folder / "interlock.toml"
    settings.write_text(settings.read_text().replace(settings.read_text().splitlines()[0], "tools = []"))
    said = shell.json("policy", "check")
    assert [rule["unreachable"] for rule in said["rules"]] == [True]
    assert "Rules that reach no tool\n  dead" in shell.run("policy", "check").out


@pytest.mark.parametrize(
    "rule",
    [
        "permit (principal, action, resource) when { context.argument.order_id > 3 };",
        "permit (principal, action, resource",
        '@approves("x") forbid (principal, action, resource);',
    ],
)
def test_what_does_not_load_is_said_with_file_and_line(shell: Shell, rule: str) -> None:
    write_policy(shell, f"// a comment\n{rule}\n")
    ran = shell.run("policy", "check")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: rules.cedar:2: ")
    assert ran.err.count("\n") == 1
    assert shell.run("call", "look", '{"order_id": 7}').code == 2, "and nothing runs"


def test_check_lists_what_rules_may_name_even_where_the_policy_does_not_load(shell: Shell) -> None:
    write_policy(shell, "nonsense")
    ran = shell.run("policy", "check", "--schema")
    assert ran.code == 0
    assert 'Action::"refund"' in ran.out
    assert "context.arguments.cents" in ran.out
    assert "refund" in shell.json("policy", "check", "--schema")["schema"][""]["actions"]


def test_cases_that_come_out_as_expected_end_with_0(shell: Shell) -> None:
    cases = {"cases": [{"name": "held", "principal": {"id": "u", "roles": ["support"]}, "tool": "refund",
                        "arguments": {"order_id": 7, "cents": 5}, "expect": "require_approval"}]}  # fmt: skip
    (shell.folder / "cases.json").write_text(json.dumps(cases))
    ran = shell.run("policy", "test", "cases.json")
    assert (ran.code, ran.out) == (0, "1 of 1 cases as expected.\n")


def test_a_case_that_comes_out_otherwise_is_named_and_ends_with_1(shell: Shell) -> None:
    cases = {"cases": [{"name": "free for all", "principal": {"id": "u"}, "tool": "refund", "expect": "allow"}]}
    (shell.folder / "cases.json").write_text(json.dumps(cases))
    ran = shell.run("policy", "test", "cases.json")
    assert ran.code == 1
    assert "cases.json: free for all" in ran.out
    assert "expected allow, got deny" in ran.out
    said = shell.json("policy", "test", "cases.json", code=1)
    assert (said["passed"], said["failed"]) == (0, 1)


def test_the_policy_that_ships_passes_its_own_cases(shell: Shell) -> None:
    from interlock.policy.cases import DEFAULT_CASES

    assert shell.run("policy", "test", str(DEFAULT_CASES)).code == 0


def test_a_case_file_that_is_none_is_bad_input(shell: Shell) -> None:
    (shell.folder / "cases.json").write_text('{"cases": [], "case": []}')
    assert shell.json("policy", "test", "cases.json", code=2)["error"]["code"] == "policy.cases"
    assert shell.run("policy", "test").code == 2


@pytest.mark.parametrize(
    ("typed", "code", "verdict"),
    [
        (("look", '{"order_id": 7}'), 0, "allow"),
        (REFUND, 3, "require_approval"),
        ((*REFUND, "--as", "nobody"), 1, "deny"),
        (("wipe", '{"order_id": 7}', "--as", "bot", "--roles", "admin", "--service"), 1, "deny"),
    ],
)
def test_explaining_ends_with_the_code_of_the_verdict(
    shell: Shell, typed: tuple[str, ...], code: int, verdict: str
) -> None:
    said = shell.json("policy", "explain", *typed, code=code)
    assert said["decision"]["verdict"] == verdict


def test_explaining_shows_what_decided_what_nearly_did_and_what_could_be_read(shell: Shell) -> None:
    write_policy(
        shell,
        '@id("small") permit (principal, action == Action::"refund", resource)\n'
        "when { context.arguments.cents < 100 };\n"
        '@id("clerks") permit (principal in Role::"clerk", action, resource);\n',
    )
    ran = shell.run("policy", "explain", *REFUND, "--as", "kim", "--roles", "clerk, night")
    assert ran.code == 0
    assert ran.out.startswith("allow  rule:clerks\n")
    assert "< 100" in ran.out.partition("What does not hold")[2]
    assert "nearly" in ran.out
    assert "context.arguments.cents" in ran.out.partition("What they can read")[2]


def test_explaining_records_nothing_and_runs_nothing(shell: Shell) -> None:
    shell.run("policy", "explain", "look", '{"order_id": 7}')
    assert shell.json("runs", "list")["runs"] == []


def test_explaining_a_call_that_is_not_valid_says_what_is_wrong_with_it(shell: Shell) -> None:
    said = shell.json("policy", "explain", "look", '{"order_id": "x"}', code=1)
    assert said["outcome"]["problems"][0]["field"] == "/order_id"


@pytest.mark.parametrize("wrong", [("--roles", "x"), ("--resource", "[]"), ("--resource", "{}x"), ("--resource", "{}")])
def test_options_that_describe_nobody_or_nothing_are_refused(shell: Shell, wrong: tuple[str, ...]) -> None:
    assert shell.run("policy", "explain", "look", '{"order_id": 7}', *wrong).code == 2


def test_a_resource_is_described_because_nothing_is_looked_up(shell: Shell) -> None:
    shell.add_entity()
    write_policy(
        shell,
        '@id("own") permit (principal, action == Action::"look", resource is Order)\n'
        "when { resource has owner && resource.owner == principal.id };\n",
    )
    call = ("policy", "explain", "look", '{"order_id": 7}')
    assert shell.run(*call, "--resource", '{"owner": "ana"}').code == 0
    assert shell.run(*call, "--resource", '{"owner": "bob"}').code == 1
    assert shell.run(*call).code == 1
    assert "resource.owner" in shell.run("policy", "check", "--schema").out


def test_check_names_arguments_that_no_rule_can_see(shell: Shell) -> None:
    [module] = shell.folder.glob("shop_tools_*.py")
    module.write_text(module.read_text().replace("def wipe(order_id: int)", "def wipe(order_id: int | str)"))
    ran = shell.run("policy", "check")
    assert ran.code == 0
    assert "wipe  /order_id: " in ran.out.partition("Arguments that no rule can see\n")[2]
    assert list(shell.json("policy", "check")["untyped"]) == ["wipe"]
