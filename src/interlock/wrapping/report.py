"""The report of a deployment: its tools, what its policy makes of them, who may what, and how safe it stands.

Every part is tables of plain values, from which the terminal, the JSON document, the files and the page are made. No
secret is in it: it is made of names, places and digests.
"""

from __future__ import annotations

from interlock.wrapping.report_part import Grounds, Part
from interlock.wrapping.report_risk import risk_part
from interlock.wrapping.report_roles import roles_part
from interlock.wrapping.report_security import security_part
from interlock.wrapping.report_tools import entries, tools_part
from interlock.wrapping.standing import standings


def report(grounds: Grounds) -> tuple[Part, ...]:
    """The parts, in the order in which they are read. The same deployment gives the same report."""
    some = standings(grounds)
    found = entries(grounds, some)
    return (
        tools_part(grounds, found, some),
        risk_part(grounds, found, some),
        roles_part(grounds, found),
        security_part(grounds),
    )
