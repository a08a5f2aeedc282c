"""The demonstration: it holds, it says what does not hold, and what it leaves behind can be looked at."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

import interlock
from examples.property_management import client
from examples.property_management.crash import FATES
from examples.property_management.deployment import POLICY, deploy
from examples.property_management.onboarding import TOOLS
from examples.property_management.script import TURNS
from examples.runtime import verify
from interlock.errors import Conflict
from interlock.policy.cases import read_cases, run_cases
from interlock.policy.cedar import Policy
from interlock.registry.registry import Registry
from tests.examples.demonstration_process import Played, played
from tests.examples.property_process import LEAK, ROOT, Service

CONTEXT = interlock.CallContext(
    run_id="run_1", call_id="call_1", attempt=1, idempotency_key="key-1", principal_id="desk-agent", tenant="default",
    deadline_s=2.0,
)  # fmt: skip


PROPERTY = "examples.property_management"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Played:
    folder = tmp_path_factory.mktemp("demo") / "kept"
    return played(PROPERTY, folder, "--keep", str(folder))


# The session


def test_every_expectation_of_the_demonstration_holds(kept: Played) -> None:
    assert kept.code == 0, kept.out
    assert "28 calls and 22 acts of people and of the runtime, each as expected." in kept.out


def test_the_table_has_each_call_with_its_decision_outcome_and_effects(kept: Played) -> None:
    rows = [line.split() for line in kept.table]
    calls = {int(row[0]): (row[1], row[2], *row[-2:]) for row in rows if row[0].isdigit()}
    assert list(calls) == list(range(1, 29))
    asked = [ask for turn in TURNS for ask in turn.asks]
    told = [(name, outcome, int(effects)) for name, _, outcome, effects in calls.values()]
    assert told[:17] == [(ask.tool, ask.expect.outcome, ask.expect.effects) for ask in asked]
    assert told[17:21] == [(fate.tool, "held", 0) for fate in FATES]
    assert calls[14] == ("refund_payment", "require_approval", "held", "0")
    assert calls[15] == ("charge_late_fee", "allow", "unknown", "1")
    assert calls[17][1] == "deny"
    approved = [row for row in rows if "lucinda" in row and "approves" in row]
    assert [row[-2:] for row in approved] == [["done", "1"], ["sent", "0"], *[["sent", "1"]] * 3]


def test_a_runtime_that_is_killed_over_four_effects_settles_each_as_its_tool_declares(kept: Played) -> None:
    """Of two payments, one had reached the far end and one had not; neither is lost or made twice."""
    taken_up = [line for line in kept.table if "is taken up" in line]
    assert [line.split()[-2:] for line in taken_up] == [["done", "1"], ["done", "0"], ["done", "0"], ["unknown", "0"]]
    assert len({line.split("process ")[1].split()[0] for line in kept.out.splitlines() if "process " in line}) > 1
    assert "17 by the service's own count, 17 by the ledger's." in kept.out


def test_what_is_approved_again_and_again_is_granted_and_what_runs_away_is_stopped(kept: Played) -> None:
    """Issue 4: an approval with a grant proposed from it, a budget stop and a loop stop."""
    told = [line.split()[-2:] for line in kept.table if line.split()[0].isdigit()][21:]
    assert told == [["done", "1"], ["done", "1"], ["refused", "0"], *[["done", "0"]] * 3, ["refused", "0"]]
    acts = " ".join(kept.out.partition("decision")[0].split())
    assert "covers the 3 refunds that were approved, and nothing else" in acts
    assert acts.count("by the grant of lucinda") == 2
    assert "it does not fit into what is left of the budget" in acts
    assert "asked again and again, with the same answer" in acts


def test_a_saga_that_fails_is_undone_across_a_kill_and_another_one_completes(kept: Played) -> None:
    """Issue 5: the lease is made void and the record erased, each once, by a process that began neither."""
    told = {line.partition("·")[2].split("  ")[0].strip(): line.split()[-2:] for line in kept.table if "·" in line}
    assert told["Bo's saga turns back"] == ["compensating", "3"]
    assert told["what Bo's saga did is undone"] == ["compensated", "1"]
    assert told["Ada's saga"] == ["completed", "3"]
    assert "2 steps are still to be undone, as far as the ledger knows" in kept.out


def test_it_ends_with_the_verdict_of_the_verification(kept: Played) -> None:
    [verdict] = [line for line in kept.out.splitlines() if "nothing is wrong: " in line]
    assert "all of them under a signed checkpoint that is kept outside the ledger" in verdict


def test_a_ledger_that_was_changed_afterwards_has_another_verdict(kept: Played, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(kept.folder, changed)
    database = apsw.Connection(str(changed / "ledger.db"))
    for (trigger,) in list(database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")):
        database.execute(f"DROP TRIGGER {trigger}")
    database.execute("UPDATE payload SET body = CAST(replace(CAST(body AS TEXT), '15000', '95000') AS BLOB)")
    database.close()
    assert verify(kept.folder).wrong == ""
    assert verify(changed).wrong != ""


def test_the_script_covers_the_published_failure_modes() -> None:
    """Defects of S0 to S4 as the issue lists them, by the reasons that must be given for them."""
    expected = [ask.expect for turn in TURNS for ask in turn.asks]
    assert {expect.code for expect in expected} >= {
        "validate.schema", "validate.unknown_tool", "authorize.entity", "authorize.stopped", "authorize.not_available",
        "approve.held", "execute.unknown", "limit.duplicate", "rehearsal.would_hold",
    }  # fmt: skip
    assert any(len(turn.asks) == 2 for turn in TURNS)
    assert any(expect.repeated for expect in expected)
    assert sum(expect.effects for expect in expected) == 3, "and the refund's, which waits for a person"


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Played:
    fault = ("--fault", "list_maintenance_requests", "error_after_effect")
    return played(PROPERTY, tmp_path_factory.mktemp("spoiled") / "kept", "--no-keep", *fault, columns=80)


def test_what_is_not_as_expected_is_named_and_the_exit_code_is_1(spoiled: Played) -> None:
    assert spoiled.code == 1
    [row] = [line for line in spoiled.table if "✗" in line]
    assert "list_maintenance_requests" in row and "failed" in row
    assert "not so       call 5, list_maintenance_requests: expected done" in spoiled.out
    assert "each as expected" not in spoiled.out


def test_the_page_keeps_to_the_terminal_and_is_plain_where_nobody_watches(kept: Played, spoiled: Played) -> None:
    assert max(map(len, spoiled.out.splitlines())) <= 80
    assert max(map(len, kept.wrapped)) <= 120
    assert "\x1b" not in kept.out + spoiled.out


# What it leaves behind


def test_nothing_is_left_behind_where_nothing_is_to_be_kept(spoiled: Played) -> None:
    assert list(spoiled.folder.parent.iterdir()) == []


def test_the_commands_that_it_names_work_as_they_stand(kept: Played) -> None:
    assert len(kept.commands) == 6
    script = "\n".join(kept.commands)
    done = subprocess.run(["sh", "-e", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "lucinda" in done.stdout
    assert "28 of 28 cases as expected." in done.stdout
    assert "20 tools" in done.stdout
    assert "the ledger is what was written" in done.stdout


def test_keys_and_ledger_are_for_their_owner_alone_and_git_sees_nothing(kept: Played) -> None:
    for name in ("marguerite.key", "lucinda.key", "runtime.key", "keys.json", "deployment.key", "ledger.db"):
        assert (kept.folder / name).stat().st_mode & 0o077 == 0, name
    assert (kept.folder / ".gitignore").read_text() == "*\n"


def test_the_next_run_replaces_its_own_folder_and_no_other(tmp_path: Path) -> None:
    deploy(tmp_path / "mine")
    (tmp_path / "mine" / "old").touch()
    deploy(tmp_path / "mine")
    assert not (tmp_path / "mine" / "old").exists()
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter-1").touch()
    with pytest.raises(Conflict, match="something else"):
        deploy(tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter-1").exists()


# Tools and policy


def test_the_policy_says_what_its_cases_expect() -> None:
    policy = Policy.load(POLICY, TOOLS)
    results = run_cases(read_cases(POLICY / "cases.json"), policy)
    assert [result.wrong for result in results if result.wrong] == []
    assert policy.unreachable() == ()
    decided = {rule.rule_id for rule in policy.rules}
    assert decided == {name for result in results for name in result.case.rules or ()}, "each rule has a case"


def test_every_tool_is_registered_with_an_effect_a_time_and_an_example() -> None:
    assert len(Registry(TOOLS)) == 20
    for tool in TOOLS:
        assert {"effect", "timeout_s", "examples"} <= tool.declared, tool.name
        assert tool.output_schema is not None, tool.name


@pytest.fixture
def service_here(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv(client.URL, f"http://127.0.0.1:{service.ready['port']}")
    monkeypatch.setenv(client.TOKEN, service.ready["token"])
    yield service


def test_no_connection_means_that_nothing_was_sent(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(client.URL, raising=False)
    with pytest.raises(interlock.NotSent):
        client.post(CONTEXT, "/v1/maintenance-requests", LEAK)
    gone = Service(tmp_path / "gone.db")
    gone.end()
    monkeypatch.setenv(client.URL, f"http://127.0.0.1:{gone.ready['port']}")
    monkeypatch.setenv(client.TOKEN, gone.ready["token"])
    with pytest.raises(interlock.NotSent):
        client.post(CONTEXT, "/v1/maintenance-requests", LEAK)


def test_a_typed_refusal_says_why_in_our_words_and_anything_else_counts_as_maybe_done(service_here: Service) -> None:
    with pytest.raises(interlock.Rejected) as refused:
        client.post(CONTEXT, "/v1/maintenance-requests", LEAK | {"property_id": 1})
    assert refused.value.reason == "there is no property with this id"
    service_here.arm("create_maintenance_request", "error_after_effect")
    with pytest.raises(client.ServiceFault):
        client.post(CONTEXT, "/v1/maintenance-requests", LEAK)
    with pytest.raises(client.ServiceFault):
        client.get(CONTEXT, "/v1/nowhere")


def test_a_look_up_is_null_for_what_does_not_exist_and_for_nothing_else(service_here: Service) -> None:
    assert client.look_up(CONTEXT, "/v1/properties/1", "property_not_found") is None
    assert client.look_up(CONTEXT, "/v1/properties/1003", "property_not_found")["id"] == 1003
    with pytest.raises(client.ServiceFault):
        client.look_up(CONTEXT, "/v1/nowhere", "property_not_found")


def test_only_what_a_tool_calls_keyed_is_sent_with_the_calls_key(service_here: Service) -> None:
    context = replace(CONTEXT, idempotency_key="key-2")
    with service_here.watched() as happened:
        for _ in range(2):
            client.post(context, "/v1/maintenance-requests", LEAK)
            client.post_without_key(context, "/v1/tenants/20001/late-fees", {"amount_cents": 1, "reason": "late"})
    kinds = [(effect["kind"], effect["idempotency_key"]) for effect in happened]
    assert kinds == [("create_maintenance_request", "key-2"), *[("charge_late_fee", None)] * 2]
