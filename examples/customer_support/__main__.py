"""The demonstration: `python -m examples.customer_support`, from the root of the checkout.

Starts the service, plays a day of the support desk against it, and prints what came of every call. Exit code 0 only
if all of it was as expected, 1 if something was not, 2 if it could not begin.
"""

from __future__ import annotations

import sys
from pathlib import Path

from examples.customer_support.deployment import POLICY, deploy
from examples.customer_support.far_end import serving
from examples.customer_support.service.routes import PUBLIC
from examples.customer_support.session import play
from examples.demonstration import Story, demonstrate

STORY = Story("examples.customer_support", Path(".interlock-support"), POLICY, PUBLIC, deploy, serving, play)

if __name__ == "__main__":
    sys.exit(demonstrate(STORY, __doc__))
