"""Facts made durable. Floor 4; its doors are `record` (what a call writes) and `store` (where it stands).

It never decides anything: a gate decides, the ledger keeps it.
"""
