"""Sagas: steps that are done in order, or undone in the reverse order. Floor 7; its door is `go_on`.

`definition` says what a saga is, `check` refuses one that could not be undone, `standing` reads from a run how far it
has come and what is next, `drive` does it. Nothing is kept beside the ledger.
"""
