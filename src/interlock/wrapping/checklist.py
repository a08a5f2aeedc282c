"""What `doctor` checks, each with what it answers of the published checklists: the table of the documentation."""

from __future__ import annotations

from typing import Final, NamedTuple


class Check(NamedTuple):
    """One check.

    Attributes:
        asks: What is looked at, as a question.
        answers: Requirements, threats (T) and published samples' defects (#) that it answers to.
    """

    asks: str
    answers: str


CHECKS: Final[dict[str, Check]] = {
    "opens": Check("Do settings, policy, tools and ledger load together?", "B4, T34, #19"),
    "keys": Check("Can the file of keys be read?", "T20"),
    "authentication": Check("Does everybody who comes in have a key?", "T20"),
    "transport": Check("Is the door reached in clear from elsewhere?", "T11, T16"),
    "policy enforced": Check("Do decisions bind, or are they only observed?", "B4, B9, #16"),
    "own policy": Check("Is the policy that ships still in force?", "B4, #17"),
    "default deny": Check("Can somebody without a role call anything?", "B4, T20, #17, #19"),
    "approvers": Check("Is there somebody who may answer, and not only for themselves?", "B10, T24, #22, #33"),
    "administrator": Check("Can anybody hand out keys?", "T24"),
    "pins": Check("Are own tools pinned?", "A5, T7, #15"),
    "reviewed": Check("Is every tool as it was reviewed?", "A5, T6, T7, #72"),
    "effects": Check("Is a tool called a read whose words speak of writing?", "B5, T10, #21"),
    "lost answers": Check("Which irreversible calls need a person where their answer is lost?", "B12, #34, #44, #45"),
    "origins": Check("Which tools do not say what their arguments are for?", "B3, T1, #20, #23"),
    "profiles": Check("Which trust profiles has nobody read?", "B3, T1"),
    "mandates": Check("Do the settings ask for tools that are not here?", "B3, T1"),
    "screening": Check("Is anything told to models that should be taken out of results?", "B16, T4, T9, T32, #58"),
    "versions of tools": Check("Has everybody a version of every tool?", "A8"),
    "health": Check("Did everything answer when it was asked last?", "A9, #46"),
    "stops": Check("Is anything stopped?", "B19"),
    "servers answer": Check("Do the servers behind answer?", "A9"),
    "first sight": Check("Is a server trusted unseen?", "T6, T19"),
    "stated effects": Check("Does somebody say what the tools of each server do?", "B5, #21"),
    "ledger": Check("Is anything kept, and can it be read?", "D1, #61"),
    "sealing": Check("Is the ledger sealed, with heads kept elsewhere?", "D1, T27, #62"),
    "signing key": Check("Does the key that signs stand beside the ledger?", "T27"),
    "file modes": Check("Can others read keys, secrets or the ledger?", "B17, T32"),
    "secrets in clear": Check("Does a secret stand in the settings themselves?", "B17, T32"),
    "rates": Check("Are calls of all runs together bounded in time?", "B6, T29, #68"),
    "budgets": Check("Is what all runs use together bounded?", "C8, T29, #68, #69"),
    "notices": Check("Is anybody told that a call waits?", "E7, #33"),
    "approvers told": Check("Is every group that approves told?", "E7, #33"),
    "hook": Check("Does a hook start fast enough for an agent to wait for it?", "E9"),
    "clock": Check("Does an event lie ahead of the clock?", "T38"),
    "unsealed": Check("Are old events unsealed?", "T27"),
    "retention": Check("Does the ledger grow without anybody archiving?", "D1, #61"),
    "versions": Check("Which versions of what it is made of are here?", "T40"),
}  # fmt: skip
"""Check to what it asks, in the order in which they are made."""
