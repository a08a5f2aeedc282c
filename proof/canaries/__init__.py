"""Secrets that are planted and looked for: `python -m proof.canaries`."""
