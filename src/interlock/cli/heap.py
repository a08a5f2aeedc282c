"""When Python's collector looks for cycles in a process of Interlock's own. The library leaves that to its caller.

Everything waits while it looks, and by its defaults it looks at everything often: it was made for programs that have
little. What a door has loaded to serve (types, schemas, policies) is some 130,000 objects, which takes it 0.1 s: longer
than any call that waits meanwhile takes by itself.
"""

from __future__ import annotations

import gc
from typing import Final

THRESHOLDS: Final = (10_000, 10, 10)
"""So many objects more than have gone before the youngest are looked at; so many times before the next older are.

A call has a few hundred at once and leaves few of them behind; the default of 700 looks several times a call.
"""


def patient() -> None:
    """From now on the collector looks less often. The first thing that a command does: loading makes objects only."""
    gc.set_threshold(*THRESHOLDS)


def settled() -> None:
    """What is there now stays for as long as the process serves: the collector never looks at it again.

    For the moment before the first request, when what is garbage has just been taken away. What is freed by itself is
    freed as before.
    """
    gc.collect(1)
    gc.freeze()
