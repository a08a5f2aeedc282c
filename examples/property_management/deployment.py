"""The deployment that the demonstration runs in; see `examples/deployment.py`."""

from __future__ import annotations

import json
from pathlib import Path

import interlock
from examples import deployment

POLICY = Path(__file__).parent / "policy"

AGENT = interlock.Principal("desk-agent", roles=frozenset({"agent"}), kind="service")
"""On whose behalf the session's calls are made."""

LEASE_S = 3
"""Short, because somebody is watching: the runs of a runtime that is killed wait for another one so long."""

_SETTINGS = """
ledger = "ledger.db"
policy = {policy}
tools  = ["property_management_tools", "property_management_onboarding"]
agents = ["property_management_caretaker"]
lease_s = {lease_s}

[[limits.budgets]]
name  = "refunds for the boiler"
unit  = "cents"
most  = 40_000
"""


def deploy(folder: Path) -> interlock.Settings:
    """Make it in a folder; see `deployment.deploy`."""
    said = _SETTINGS.format(policy=json.dumps(str(POLICY)), lease_s=LEASE_S)
    return deployment.deploy(folder, "property_management", ("tools", "onboarding", "caretaker"), said)
