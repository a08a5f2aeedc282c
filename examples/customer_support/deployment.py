"""The deployment that the demonstration runs in; see `examples/deployment.py`."""

from __future__ import annotations

import json
from pathlib import Path

import interlock
from examples import deployment

POLICY = Path(__file__).parent / "policy"

AGENT = interlock.Principal("desk-agent", roles=frozenset({"support"}), kind="service")
"""On whose behalf the agent's calls are made."""

_SETTINGS = """
ledger = "ledger.db"
policy = {policy}
tools  = ["customer_support_tools"]
agents = ["customer_support_desk"]
lease_s = 3

[limits]
vain_max = 2
"""


def deploy(folder: Path) -> interlock.Settings:
    """Make it in a folder; see `deployment.deploy`."""
    said = _SETTINGS.format(policy=json.dumps(str(POLICY)))
    return deployment.deploy(folder, "customer_support", ("tools", "desk"), said)
