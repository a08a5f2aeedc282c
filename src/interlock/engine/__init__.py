"""What advances runs when something is due. Floor 4.

An engine holds no state of ours: it calls `advance` at least once for whatever is due, and calling it
twice is harmless.
"""
