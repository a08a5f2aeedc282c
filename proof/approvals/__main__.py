"""The command: `python -m proof.approvals [--steps N] [--seed N] [--storm] [--rounds N] [--json FILE]`.

A seeded random life of held calls on the real path, each step beside the reference; with `--storm`, racing approvers
and workers in several processes with a kill among them. Exits 1 where anything is wrong, and says what.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from functools import partial
from pathlib import Path

import anyio

from proof.approvals.life import Lived, live
from proof.approvals.storm import PROCESSES, RACERS, storm

TELLING = (
    "propose", "approve", "reject", "edit", "respond", "withdraw", "again", "mismatched", "forge", "people", "lend",
    "take_back", "policy", "publish", "time", "advance", "crash", "killed",
)  # fmt: skip
"""What somebody did, in the order of the table."""


def main() -> int:
    options = _options()
    logging.getLogger("interlock").setLevel(logging.CRITICAL)
    found: dict[str, object] = {}
    bad = False
    if not options.storm:
        began = time.monotonic()
        life = anyio.run(
            partial(live, options.seed, options.steps, partial(_progress, began, options.steps), stop=False)
        )
        bad = _report(life, options.seed, time.monotonic() - began)
        found |= {"seed": options.seed, "seen": dict(sorted(life.seen.items())), "violations": life.wrong}
    if options.storm or options.rounds:
        most = options.rounds or 50
        rounds = storm(most, options.seed, lambda done: print(f"\r{done} of {most} rounds", end="", flush=True))
        wrong = [f"round {number}: {what}" for number, (_, what) in enumerate(rounds, 1) if what]
        kills = sum(each.kills for each, _ in rounds)
        again = sum(each.asked - 1 for each, _ in rounds)
        print(
            f"\r{len(rounds)} rounds of {PROCESSES * RACERS} racers in {PROCESSES} processes, {kills} kills, "
            f"{again} times asked again under the same key: {len(wrong)} rounds with another end than one effect"
        )
        print("\n".join(wrong))
        bad = bad or bool(wrong)
        found |= {"rounds": len(rounds), "kills": kills, "asked_again": again, "wrong": wrong}
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return int(bad)


def _progress(began: float, steps: int, life: Lived) -> None:
    done = life.seen["steps"]
    if done % 20 and done < steps:  # some of the runs
        return
    pace = done / (time.monotonic() - began)
    said = f"{done:,} of {steps:,} steps, {pace:,.0f} a second, {len(life.wrong)} violations"
    print(f"\r{said:<90}", end="", flush=True)


def _report(life: Lived, seed: int, seconds: float) -> bool:
    seen = life.seen
    print("\n" + "\n".join(f"  {name:<12}{seen[name]:>8,}" for name in TELLING))
    print(
        f"{seen['steps']:,} steps of seed {seed} in {seconds:.0f} s: {seen['counted']:,} words of people counted, "
        f"{seen['executed']:,} executions ({seen['approved']:,} released by a quorum, "
        f"{seen['free']:,} that nothing held), {len(life.wrong)} violations"
    )
    print("\n".join(life.wrong[:20]))
    return bool(life.wrong)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m proof.approvals", description="A random life of held calls beside a reference."
    )
    parser.add_argument("--steps", type=int, default=100_000, metavar="N", help="how many (100,000)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="what they are drawn from (0)")
    parser.add_argument("--storm", action="store_true", help="only race approvers and workers with kills")
    parser.add_argument("--rounds", type=int, default=0, metavar="N", help="rounds of the storm (50 with --storm)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
