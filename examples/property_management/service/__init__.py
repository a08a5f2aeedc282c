"""The far end: a property manager's back office, over HTTP, with its own process and its own file.

Standard library only, and nothing of Interlock in it. Start it with
`python -m examples.property_management.service --db FILE --port 0`; `__main__.py` says what it prints
and when it ends. Read from `routes.py` (what can be asked) to `properties.py`, `tenants.py` and `visits.py`
(what then happens), `store.py` (transactions, and the effects table that bears witness) and `faults.py`
(how it misbehaves on demand). `seed.py` and `names.py` make the houses and people, none of them real.
"""
