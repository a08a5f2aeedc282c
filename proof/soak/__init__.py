"""Budgets and rates under load and kills: see `proof.soak.__main__`."""
