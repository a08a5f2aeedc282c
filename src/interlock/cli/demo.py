"""`interlock demo`: the worked example, against a service of its own, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import told
from interlock.cli.output import Exit, Report
from interlock.errors import NotFound

STORY = "examples.property_management"

_RUN = "import runpy, sys; sys.path.insert(0, sys.argv.pop()); runpy.run_module(sys.argv.pop(), {}, '__main__', True)"
"""A process of its own that finds the story's package and stays in the folder where it was started."""

_PLACES = (Path(__file__).parent / "story", Path(__file__).parents[3])
"""Where the examples stand: within an installed package, or in a checkout."""


@command("demo", example="interlock demo")
def demo(deployment: Deployment) -> Report:
    """See it work on calls that go wrong in the published ways.

    It starts a property-management service of its own and shows what that saw of each call. The deployment is kept in
    .interlock-demo, to be looked at.

    Exit code 0 where everything came out as it should; 1 where something did not.
    """
    place = next((place for place in _PLACES if (place / STORY.replace(".", "/") / "__main__.py").is_file()), None)
    if place is None:
        raise NotFound(
            "the examples are not installed here", code="demo.absent",
            remedy="Clone the repository and run `make demo` in it.",
        )  # fmt: skip
    # Its pages go to the error output where the standard output is for one JSON document.
    out = sys.stderr if deployment.output.as_json else None
    done = subprocess.run([sys.executable, "-c", _RUN, STORY, str(place)], stdout=out, check=False)
    held = done.returncode == 0
    view = [] if held else [told("Not everything came out as it should.", "bad")]
    return Report({"example": STORY, "held": held}, view, Exit.DONE if held else Exit.NO)
