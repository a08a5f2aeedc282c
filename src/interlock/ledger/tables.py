"""The tables that show what the events say: their names and columns are public.

    run                  one task: who, driven by what, open or not
    step                 one per call (and per model turn, later): a view of `tool_call`
    tool_call            one call from its proposal to its end
    authz_decision       one policy decision; a call that is held and asked again has several
    tool_result          what came of an execution: `result`, `unknown` or `reconciled`
    compensation_action  a call that undid another
    approval             one request for approval, and how it stands
    grant                one standing permission, and how it stands
    budget               what one run has reserved and spent of one budget
    dead_letter          a call given up on
    retry                that a person had a call given up on proposed again
    due                  what a run waits for, and from when `advance` has something to do
    notice               what a channel was told, or could not be told
    eval                 what came of a suite of golden cases

A row holds scalars only; a list stands as canonical JSON text (`[]` where empty); times are microseconds
UTC; None is what is not known, does not apply or has not happened. Arguments, results and the user's words
are not copied here: they stand in the chain, where they can be erased.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

Row = dict[str, Any]
"""One row: every column of its table, in the table's order."""

Key = tuple[str | int, ...]
"""What names a row within its table: the values of the table's key columns."""


class Rows(Protocol):
    """Where a fold finds the rows it changes and puts them back."""

    def get(self, table: str, key: Key) -> Row | None:
        """The row with this key, to be changed and put back; None where there is none."""
        ...

    def put(self, table: str, key: Key, row: Row) -> None:
        """Insert or replace a row; one that stood already keeps its place in the order."""
        ...

    def drop(self, table: str, key: Key) -> None:
        """Remove a row, if it is there."""
        ...


class Table(NamedTuple):
    """One projection.

    Attributes:
        columns: Names, in the order of `Row`.
        key: The columns that name a row.
    """

    columns: tuple[str, ...]
    key: tuple[str, ...]


TABLES: dict[str, Table] = {
    "run": Table(
        ("run_id", "tenant", "principal_id", "driver", "title", "status", "reason", "worker", "epoch",
         "started_us", "ended_us", "waits"),
        ("run_id",),
    ),
    "step": Table(
        ("run_id", "tenant", "step", "kind", "call_id", "tool", "status", "outcome", "started_us",
         "ended_us"),
        ("run_id", "call_id"),
    ),
    "tool_call": Table(
        ("run_id", "tenant", "call_id", "step", "parent_id", "name", "principal_id", "tool", "server",
         "version", "tool_hash", "effect", "dry_run", "status", "outcome", "code", "approval_id",
         "proposed_us", "intent_us", "ended_us", "grant_id", "charges"),
        ("run_id", "call_id"),
    ),
    "authz_decision": Table(
        ("run_id", "tenant", "seq", "call_id", "step", "at_us", "principal_id", "tool", "effect", "decision",
         "reasons", "mode", "errors", "gate", "code", "policy_hash"),
        ("run_id", "seq"),
    ),
    "tool_result": Table(
        ("run_id", "tenant", "seq", "call_id", "step", "at_us", "kind", "tool", "outcome", "code", "took_us",
         "attempts", "by"),
        ("run_id", "seq"),
    ),
    "compensation_action": Table(
        ("run_id", "tenant", "seq", "call_id", "step", "at_us", "tool", "outcome"),
        ("run_id", "seq"),
    ),
    "approval": Table(
        ("run_id", "tenant", "approval_id", "call_id", "step", "subject", "tool", "effect", "groups",
         "quorum", "rules", "status", "approvers", "decided_by", "requested_us", "expires_us", "decided_us",
         "digest"),
        ("run_id", "approval_id"),
    ),
    "grant": Table(
        ("tenant", "grant_id", "server", "tool", "tool_hash", "subject", "uses", "status", "issued_by", "groups",
         "endorsed_by", "reason", "issued_us", "expires_us", "revoked_by", "revoked_us"),
        ("tenant", "grant_id"),
    ),
    "budget": Table(("run_id", "tenant", "name", "unit", "reserved", "spent", "at_us"), ("run_id", "name")),
    "dead_letter": Table(
        ("run_id", "tenant", "seq", "call_id", "step", "at_us", "tool", "outcome", "code", "attempts"),
        ("run_id", "seq"),
    ),
    "retry": Table(
        ("run_id", "tenant", "seq", "call_id", "step", "at_us", "principal_id"),
        ("run_id", "seq"),
    ),
    "due": Table(("run_id", "tenant", "at_us", "why", "ref"), ("run_id", "ref")),
    "notice": Table(
        ("notice_id", "tenant", "channel", "kind", "about", "ref", "status", "why", "attempts", "at_us"),
        ("notice_id",),
    ),
    "eval": Table(
        ("tenant", "eval_id", "seq", "at_us", "principal_id", "suite", "suite_digest", "how", "cases", "trials",
         "passed", "met"),
        ("tenant", "seq"),
    ),
}  # fmt: skip
"""Every projection by name. A name or column is never renamed; a table only grows."""


TIMES: dict[str, str] = {
    "run": "started_us",
    "step": "started_us",
    "tool_call": "proposed_us",
    "authz_decision": "at_us",
    "tool_result": "at_us",
    "compensation_action": "at_us",
    "approval": "requested_us",
    "grant": "issued_us",
    "dead_letter": "at_us",
    "retry": "at_us",
    "due": "at_us",
    "notice": "at_us",
    "eval": "at_us",
}
"""The column that says when, of each table whose rows have a position of their own: all but `budget`."""

STEP_FROM = {"started_us": "proposed_us"}
"""Columns of `step` that `tool_call` calls otherwise; `kind` is `call` for all of them."""


def step_of(call: Row) -> Row:
    """The row of `step` for a row of `tool_call`."""
    return {
        column: "call" if column == "kind" else call[STEP_FROM.get(column, column)] for column in TABLES["step"].columns
    }
