"""The nouns. Floor 1: frozen data and pure functions over it; no I/O, no clock of its own, no randomness."""
