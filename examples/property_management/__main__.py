"""The demonstration: `python -m examples.property_management`, from the root of the checkout.

Starts the service, plays one session against it, and prints what came of every call. Exit code 0 only if all
of it was as expected, 1 if something was not, 2 if it could not begin.
"""

from __future__ import annotations

import sys
from pathlib import Path

from examples.demonstration import Story, demonstrate
from examples.property_management.deployment import POLICY, deploy
from examples.property_management.far_end import serving
from examples.property_management.service.routes import PUBLIC
from examples.property_management.session import play

STORY = Story("examples.property_management", Path(".interlock-demo"), POLICY, PUBLIC, deploy, serving, play)

if __name__ == "__main__":
    sys.exit(demonstrate(STORY, __doc__))
