"""What goes out of this process, but for what tools do themselves. Floor 4: it knows no ledger and no gate.

Nothing here listens: what comes back is an answer to what was sent, and decides nothing.
"""
