"""Whether secrets get out: `python -m proof.canaries`, or `make canaries`.

50 canaries are given to calls by reference: of an own tool, of an MCP server behind over its standard streams, and of a
service of OpenAPI. Each repeats its secret in 8 forms, in results, errors, exceptions, headers, progress, logs and
standard error. Then 9 places are looked through for every form. The screen that finds secrets by shape is off.

That what gets out is found is shown twice. A tool tells one more secret, which it has by itself and not by reference:
it must be found in every form in every place. And each form of each canary is planted in a copy of each place. Exits 0
only if all of that was found, and nothing else.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from proof.canaries.caller import SOURCES, WAYS
from proof.canaries.forms import FORMS, said
from proof.canaries.look import GATEWAY_WAYS, SINKS, found, looked_through, made


def main() -> int:
    """Look, and print what was found."""
    words = argparse.ArgumentParser(prog="python -m proof.canaries", description=__doc__)
    words.add_argument("--canaries", type=int, default=50)
    words.add_argument("--seed", type=int, default=7)
    given = words.parse_args()
    *canaries, leaked = made(given.canaries + 1, given.seed)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="interlock-canaries-") as folder:
        sinks = looked_through(Path(folder), canaries, leaked)
    seen = found(sinks, canaries)
    control = found(sinks, [leaked])
    planted = {
        sink: found({sink: sinks[sink] + "\n".join(
            text for secret in canaries for form in FORMS for text in said(form, secret)).encode()}, canaries)
        for sink in SINKS
    }  # fmt: skip
    each, took = len(canaries) * len(FORMS) * len(SOURCES), time.monotonic() - begun
    made_of = f"{each * len(WAYS):,} calls by a process, {each * len(GATEWAY_WAYS):,} through a gateway"
    print(f"{len(canaries)} canaries, {made_of}, {took:.0f} s")
    print(f"{'place':<18}{'bytes':>12}  " + "".join(f"{form:>11}" for form in FORMS))
    for sink in SINKS:
        counts = "".join(f"{seen[sink, form]:>11}" for form in FORMS)
        print(f"{sink:<18}{len(sinks[sink]):>12,}  {counts}")
    missed = sum(len(canaries) - planted[sink][sink, form] for sink in SINKS for form in FORMS)
    total, all_of_them = sum(seen.values()), len(canaries) * len(FORMS) * len(SINKS)
    unseen = [f"{sink}: {form}" for sink in SINKS for form in FORMS if not control[sink, form]]
    print(f"found {total} of {all_of_them:,}; of as many that were planted, {missed} were missed")
    leaks = len(control)
    print(f"of one secret that leaks on purpose, {leaks - len(unseen)} of {leaks} were found", *unseen)
    empty = [sink for sink in SINKS if not sinks[sink]]
    held = not total and not missed and not unseen and not empty
    print("held" if held else f"NOT HELD {empty or ''}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
