"""Worked agents: each is a story that runs offline and exits non-zero when an expectation does not hold."""
