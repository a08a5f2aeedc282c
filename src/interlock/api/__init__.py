"""The HTTP API and whoever uses it: keys, sessions, roles. Floor: above the gateway and the evals, below the console.

Door: `application.py: open_site`. It never runs a tool but by the plane, and no route of it is open that
`gate.py` does not name.
"""
