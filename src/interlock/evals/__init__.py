"""Evals: what was recorded, judged again. Floor 11: reads the ledger, asks policies, and dials nothing by itself.

Doors: `backtest` (a changed policy over recorded calls), `coverage` (what of a policy is used).
"""
