"""The HTTP API against its own document: `python -m proof.api_fuzz`, or `make api-fuzz`.

Requests that schemathesis makes of the OpenAPI document, valid and invalid ones, go to the whole application in
process, as somebody who may everything, as one who proposes calls, and as nobody. Exits 0 only if no answer was a
server's error, none had a status, a content type or a body that the document has not, and nothing was taken that it
says is wrong.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup

from tests.api.fuzzing import ASKED, ENDLESS, OPERATIONS, Fuzzed, fuzzed

WHO = ("ada", "host", "")


def main() -> None:
    """Ask, and say what was answered."""
    parser = argparse.ArgumentParser(prog="python -m proof.api_fuzz")
    parser.add_argument("--examples", type=int, default=200, help="of each route and kind")
    parser.add_argument("--seed", type=int, default=1)
    given_ = parser.parse_args()
    whole: Counter[int] = Counter()
    failures: list[str] = []
    with tempfile.TemporaryDirectory() as folder, fuzzed(Path(folder)) as open_api:
        for label in OPERATIONS:
            found: Counter[int] = Counter()
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                if label != ENDLESS and (mode is GenerationMode.POSITIVE or label in ASKED):
                    failures += _asked(open_api, label, mode, given_.examples, given_.seed, found)
            print(f"{label:<58} {' '.join(f'{status}:{count}' for status, count in sorted(found.items()))}", flush=True)
            whole += found
    print(f"{whole.total():,} requests to {len(OPERATIONS) - 1} routes, seed {given_.seed}: "
          + ", ".join(f"{count:,} times {status}" for status, count in sorted(whole.items())))  # fmt: skip
    for failure in failures:
        print(failure, file=sys.stderr)
    sys.exit(1 if failures else 0)


def _asked(
    open_api: Fuzzed, label: str, mode: GenerationMode, examples: int, number: int, found: Counter[int]
) -> list[str]:  # fmt: skip
    """Send so many requests of a route; what was wrong with an answer."""

    @seed(number)
    @settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )  # fmt: skip
    @given(case=OPERATIONS[label].as_strategy(generation_mode=mode), who=st.sampled_from(WHO), data=st.data())
    def sent(case: Any, who: str, data: st.DataObject) -> None:
        if mode is GenerationMode.POSITIVE and data.draw(st.booleans(), "of what there is"):
            for name in case.path_parameters or {}:
                case.path_parameters[name] = open_api.ids.get(name, case.path_parameters[name])
        found[open_api.ask(case, who)] += 1

    try:
        sent()
    except FailureGroup as error:
        return [f"{label}: {each}" for each in error.exceptions]
    return []


if __name__ == "__main__":
    main()
