"""Public doubles, so that users' tests look like ours. Nothing here is imported by the product.

Time that stands still, ids that count, a far end that remembers what it was asked to do, a proxy that does to a
connection what networks do, crash points, a model with a script, and a simulation in which all of it goes wrong.
"""

from interlock.core.ids import CountedIds
from interlock.ledger.store import MemoryStore
from interlock.models.scripted import ScriptedModel
from interlock.testing.clock import FrozenClock
from interlock.testing.crash import Crash, CrashAt, kill_at_every_point
from interlock.testing.far_end import FarEnd
from interlock.testing.oracle import EffectOracle
from interlock.testing.proxy import FaultProxy, Passed
from interlock.testing.reference import Divergence
from interlock.testing.simulate import Seen, Simulator
from interlock.testing.simulated_plan import Wish

__all__ = [
    "CountedIds",
    "Crash",
    "CrashAt",
    "Divergence",
    "EffectOracle",
    "FarEnd",
    "FaultProxy",
    "FrozenClock",
    "MemoryStore",
    "Passed",
    "ScriptedModel",
    "Seen",
    "Simulator",
    "Wish",
    "kill_at_every_point",
]
