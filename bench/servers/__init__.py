"""Processes that the gateway suite starts: servers behind, and peers that stand before them."""
