"""Property management: an agent whose tool calls pass through Interlock to a service that is not ours.

`service/` is the far end: a process of its own, which knows nothing of Interlock.
"""
