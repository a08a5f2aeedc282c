"""Evals: what was done, judged. Floor 11: nothing here is on the path of a call, and no effect of it is real.

Doors: `evaluate` (cases over an agent, or over recorded runs), `judge` (answers, by a model), `backtest` (a changed
policy over recorded calls), `coverage` (what of a policy is used), `redteam_play` (hijacked runs, played).
"""
