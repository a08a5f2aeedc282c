"""No effect is lost or doubled, wherever a process is killed: `python -m proof.crash`.

A real process does a few governed calls over SQLite, is killed by SIGKILL at a named crash point or at a random
moment, is started again and killed again, and is at last let live. The far end is a process of its own whose
file says what really happened. `judge` holds that against the ledger and against what the callers were told.
"""
