"""Public doubles, so that users' tests look like ours. Nothing here is imported by the product.

Time that stands still, ids that count, a far end that remembers what it was asked to do, a proxy that does to a
connection what networks do, crash points, a model with a script.
"""

from interlock.core.ids import CountedIds
from interlock.ledger.store import MemoryStore
from interlock.models.scripted import ScriptedModel
from interlock.testing.clock import FrozenClock
from interlock.testing.crash import Crash, CrashAt, kill_at_every_point
from interlock.testing.oracle import EffectOracle
from interlock.testing.proxy import FaultProxy, Passed

__all__ = [
    "CountedIds",
    "Crash",
    "CrashAt",
    "EffectOracle",
    "FaultProxy",
    "FrozenClock",
    "MemoryStore",
    "Passed",
    "ScriptedModel",
    "kill_at_every_point",
]
