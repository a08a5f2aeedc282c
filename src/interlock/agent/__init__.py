"""Agents: a model in a loop on the governed path. Floor 7. All that a run knows stands in the ledger."""
