"""The airline's written policy, with what it says of the talk before a call: see `airline_rules`."""

from __future__ import annotations

from proof import airline_rules

RULES = airline_rules.RULES + airline_rules.CONDUCT
