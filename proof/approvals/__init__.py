"""Approvals under a long random life, beside a small state machine that knows the rules and none of the code."""
