"""A process in which commands are typed: a JSON list of words on each line of its input, what came of it on its output.

One process for all of them, because each would otherwise spend most of its time on beginning.
"""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout

from interlock.cli.main import main as interlock


def main() -> None:
    """Type until the input ends."""
    for line in sys.stdin:
        out, err, code = io.StringIO(), io.StringIO(), 0
        with redirect_stdout(out), redirect_stderr(err):
            try:
                interlock(json.loads(line))
            except SystemExit as over:
                code = int(over.code or 0)
        print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)


if __name__ == "__main__":
    main()
