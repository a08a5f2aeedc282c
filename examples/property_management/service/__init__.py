"""The far end: a property manager's back office, over HTTP, with its own process and its own file.

Nothing of Interlock in it. Start it with `python -m examples.property_management.service --db FILE --port 0`;
`examples/service/process.py` says what it prints and when it ends. Read from `routes.py` (what can be asked) to
`properties.py`, `tenants.py`, `leases.py` and `visits.py` (what then happens) and `books.py` (its tables).
`seed.py` and `names.py` make the houses and people, none of them real. Everything else is what the examples'
far ends share: `examples/service`.
"""
