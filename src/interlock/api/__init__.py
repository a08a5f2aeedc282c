"""The HTTP API and whoever uses it: keys, sessions, roles. Floor: above the gateway and the evals, below the console.

Doors: `gate.py: Gate`, `application.py: application`. It never runs a tool but by the plane, and no route of it is
open that the gate does not name.
"""
