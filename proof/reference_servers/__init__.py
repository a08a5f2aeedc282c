"""The official reference servers of the protocol, all at once behind one gateway."""
