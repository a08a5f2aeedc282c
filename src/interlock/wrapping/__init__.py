"""Putting Interlock between a client that people use already and the servers that it reaches."""
