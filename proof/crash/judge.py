"""What must hold after every trial: spec/faults K1, K2, K4 and «never», read off the oracle's file and the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from proof.crash.trial import Trial

KINDS = ("lost", "doubled", "stuck", "untrue")
"""An effect that was promised is not there; one is there twice; something waits that nobody will wake; what the
ledger or a caller was told is not so."""


class Finding(NamedTuple):
    """One thing that does not hold.

    Attributes:
        kind: Of `KINDS`.
        says: What, in one sentence.
    """

    kind: str
    says: str


def judge(trial: Trial) -> list[Finding]:
    """Everything that does not hold of a trial."""
    if not trial.report:
        return [Finding("stuck", f"it could not be recovered: {trial.trouble or 'no report'}")]
    return [
        *([Finding("stuck", trial.trouble)] if trial.trouble else []),
        *_effects(trial),
        *_calls(trial),
        *_told(trial),
        *_recoveries(trial),
        *_approvals(trial),
        *_rest(trial),
    ]


def _keys(trial: Trial) -> dict[str, str]:
    """The idempotency key of each call that has an intent."""
    events = trial.report["events"]
    return {event["call_id"]: event["body"]["key"] for event in events if event["kind"] == "call.intent"}


def _effects(trial: Trial) -> Iterator[Finding]:
    """Defects 34, 35, 64: the intent first, and its key on every effect."""
    keys = _keys(trial)
    for effect in trial.effects:
        if effect["key"] not in keys.values():
            yield Finding("untrue", f"effect {effect['n']} bears no key of an intent")
    if len(set(keys.values())) < len(keys):
        yield Finding("untrue", "two calls share a key")


def _calls(trial: Trial) -> Iterator[Finding]:
    """K1: how many effects an intent may and must have, by what the tool declares, and what the ledger says of it."""
    keys = _keys(trial)
    for row in trial.report["calls"]:
        call_id, outcome = row["call_id"], row["outcome"]
        if row["status"] not in ("closed", "unknown"):
            yield Finding("stuck", f"call {call_id} is left {row['status']}")
        if call_id in keys:
            done = [effect for effect in trial.effects if effect["key"] == keys[call_id]]
            yield from _by_class(trial.tried.tool_class, call_id, done, row)
        elif row["effect"] != "read" and outcome == "done":
            yield Finding("untrue", f"call {call_id} is done without an intent")


def _by_class(tool_class: str, call_id: str, done: list[dict[str, Any]], row: dict[str, Any]) -> Iterator[Finding]:
    outcome = row["outcome"]
    quarantined = row["code"] == "execute.quarantined"
    if len(done) > 1 and (
        tool_class != "idempotent" or any(each["arguments"] != done[0]["arguments"] for each in done)
    ):
        yield Finding("doubled", f"call {call_id} took effect {len(done)} times")
    if outcome == "done" and not done:
        yield Finding("lost", f"call {call_id} is done, and nothing was")
    if outcome not in ("done", "unknown", None):
        yield Finding("untrue", f"call {call_id} is {outcome}, and something may have left")
    if tool_class != "none" and outcome != "done" and not quarantined:
        kind = "stuck" if done else "lost"
        yield Finding(kind, f"call {call_id} is {outcome} where a {tool_class} one goes on ({len(done)} effects)")


def _told(trial: Trial) -> Iterator[Finding]:
    """What was acknowledged stays so: nobody was told what is not true, or not true any more."""
    rows = {row["call_id"]: row for row in trial.report["calls"]}
    for said in trial.told:
        outcome = said.get("outcome")
        if outcome is None:
            continue
        row = rows.get(outcome["call_id"])
        if outcome["outcome"] == "done" and (row is None or row["outcome"] != "done"):
            now = "not there" if row is None else row["outcome"]
            yield Finding("lost", f"call {outcome['call_id']} was told done and is {now}")
        elif outcome["outcome"] not in ("done", "held", "unknown"):
            yield Finding("untrue", f"call {outcome['call_id']} was told {outcome['outcome']}: {outcome.get('code')}")
    told = {(said["outcome"]["call_id"], said["outcome"]["value"]) for said in trial.told if _done(said)}
    if len(told) > len({call_id for call_id, _ in told}):
        yield Finding("untrue", f"one call was told two results: {sorted(told)}")


def _recoveries(trial: Trial) -> Iterator[Finding]:
    """K4: each time that a lost call is taken up again is counted, and there are no more than processes that could."""
    taken_up: dict[str, list[int]] = {}
    for event in trial.report["events"]:
        if event["kind"] == "recovery":
            taken_up.setdefault(event["call_id"], []).append(event["attempt"])
    for call_id, numbers in taken_up.items():
        counted = numbers == list(range(2, len(numbers) + 2))  # the worker that was lost first was number 1
        if not counted or len(numbers) > max(1, len(trial.tried.kills)):
            yield Finding("untrue", f"call {call_id} was taken up as {numbers} by {len(trial.tried.kills)} processes")


def _done(said: dict[str, Any]) -> bool:
    return bool(said.get("outcome", {}).get("outcome") == "done")


def _approvals(trial: Trial) -> Iterator[Finding]:
    """Nothing that needs an approval runs without one, one approval lets one call run, and an answer is not lost."""
    events, keys = trial.report["events"], _keys(trial)
    consumed = Counter(event["approval_id"] for event in events if event["kind"] == "approval.consumed")
    decided = {event["approval_id"] for event in events if event["kind"] == "approval.decided"}
    for row in trial.report["approvals"]:
        approval_id = row["approval_id"]
        if consumed[approval_id] > 1:
            yield Finding("doubled", f"approval {approval_id} was used {consumed[approval_id]} times")
        if row["call_id"] in keys and not (consumed[approval_id] and approval_id in decided):
            yield Finding("untrue", f"call {row['call_id']} ran without its approval")
        if row["status"] != "consumed":
            yield Finding("stuck", f"approval {approval_id} is left {row['status']}")
    for said in trial.told:
        if said.get("answered", "") not in {"", *decided}:
            yield Finding("lost", f"the answer to {said['answered']} was acknowledged and is not there")


def _rest(trial: Trial) -> Iterator[Finding]:
    report = trial.report
    for stuck in ("due", "unsettled", "open_runs"):
        if report[stuck]:
            yield Finding("stuck", f"left {stuck}: {report[stuck]}")
    if report["grown"]:
        yield Finding("untrue", f"advancing again wrote {report['grown']} events")
    for found in report["verified"]:
        yield Finding("untrue", f"the ledger does not verify: {found}")
