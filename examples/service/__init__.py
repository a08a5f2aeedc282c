"""What the far ends of the examples are made of: HTTP in, one SQLite file, and an effects table that bears witness.

Standard library only, and nothing of Interlock in it. Read from `endpoint.py` (what can be asked) and `request.py` (how
it is read) to `store.py` (transactions and effects), `witness.py` (what became of a request), `faults.py` (how it
misbehaves on demand), `server.py` and `process.py`.
"""
