"""What the screen of results finds, misses and changes, on labelled texts of others: `python -m proof.screening`.

- Secrets: the fixtures of gitleaks' rules, each text alone: found among those that its authors call secrets, flagged
  among those that they call none (the hard negatives). Our patterns were written with these fixtures at hand, so the
  figures say what they cover, and not how they do on secrets that nobody has seen.
- Clean results: texts labelled clean, and every result of the ideal runs of AgentDojo and AgentDyn and of tau-bench,
  screened by the default profile as values of a call; changed are those that are not the same character for character.
  One that holds something that loads or acts by itself is no clean one by the profile's own word, and is counted apart.
- Injection: how many of the texts with an injection are flagged, by source, and how many of the clean ones. The clean
  texts of AgentDyn have helpful instructions in them. A flag is evidence, and no figure of it is an aim.

Intervals are Wilson's, 95 %. Exits 0 only where at least 98 % of the secrets are found, at most 30 % of the hard
negatives are flagged, and no clean result is changed.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from interlock.core.canonical import canonical
from interlock.screening.copier import Copied, Copier
from interlock.screening.handling import DEFAULT
from interlock.screening.secrets import secrets_in
from interlock.verification.calibrate import Share
from proof.recorded import FOLDER

FOUND_MIN, FLAGGED_MAX = 0.98, 0.30
"""Parts of the secrets, and of what only looks like one."""

RUNS = {
    "agentdojo, ideal runs": "agentdojo/ground_truth_traces.jsonl.gz",
    "agentdyn, ideal runs": "agentdyn/ground_truth_traces.jsonl.gz",
    "tau-bench airline, all runs": "tau_bench/traces_gpt4o_airline.jsonl.gz",
}
"""Recorded runs that nobody attacked."""


def main() -> int:
    options = _options()
    secrets, clean, injection = (each(options.data) for each in (measure_secrets, measure_clean, measure_injection))
    met = (
        (secrets["found"].value or 0) >= FOUND_MIN
        and (secrets["flagged"].value or 0) <= FLAGGED_MAX
        and not any(counts["changed"] for counts in clean.values())
    )
    if options.json:
        shares = {**secrets, **injection}
        print(json.dumps({"met": met, "clean": clean, **{name: each.as_json() for name, each in shares.items()}}))
        return 0 if met else 1
    print("secrets (gitleaks' fixtures)")
    print(f"  {'found of the secrets':<34}{shown(secrets['found'])}   aim: at least {FOUND_MIN:.0%}")
    print(f"  {'flagged of the hard negatives':<34}{shown(secrets['flagged'])}   aim: at most {FLAGGED_MAX:.0%}")
    print("\nclean results by the default profile        texts  changed  with active content  flagged")
    for name, counts in clean.items():
        told = [counts[each] for each in ("texts", "changed", "active", "flagged")]
        print(f"  {name:<40}{told[0]:>7}{told[1]:>9}{told[2]:>21}{told[3]:>9}")
    print("  aim: 0 changed")
    print("\ntexts that are flagged as instructions")
    for name, share in injection.items():
        print(f"  {name:<34}{shown(share)}")
    print("\naims met" if met else "\nAIMS MISSED")
    return 0 if met else 1


def measure_secrets(data: Path) -> dict[str, Share]:
    """The parts of the secrets and of the hard negatives in which something is found."""
    found = Counter[tuple[int, bool]]()
    for row in rows(data / "secrets" / "gitleaks_fixtures.jsonl.gz"):
        found[row["label"], bool(secrets_in(row["text"]))] += 1
    return {
        name: Share(found[label, True], found[label, True] + found[label, False])
        for name, label in (("found", 1), ("flagged", 0))
    }


def measure_clean(data: Path) -> dict[str, dict[str, int]]:
    """Of each set, how many clean results there are, and what the default profile does to them."""
    sets: dict[str, list[str]] = {}
    for row in rows(data / "screening" / "results.jsonl.gz"):
        if row["label"] == 0:
            sets.setdefault(f"labelled clean, {row['source']}", []).append(row["text"])
    for name, file in RUNS.items():
        sets[name] = sorted({text for row in rows(data / file) for text in results(row)})
    return {name: _counted(texts) for name, texts in sets.items()}


def measure_injection(data: Path) -> dict[str, Share]:
    """By source and label, the part that is flagged; and of all that is flagged, the part that has an injection."""
    found = Counter[tuple[str, int, bool]]()
    copier = Copier(DEFAULT)
    for row in rows(data / "screening" / "results.jsonl.gz"):
        said = any(each.what.startswith("injection.") for each in screened(row["text"], copier).findings)
        found[row["source"], row["label"], said] += 1
    shares = {}
    for label, title in ((1, "injected"), (0, "clean")):
        for source in sorted({source for source, labelled, _ in found if labelled == label}):
            flagged, not_flagged = found[source, label, True], found[source, label, False]
            shares[f"{title}, {source}"] = Share(flagged, flagged + not_flagged)
    flagged = sum(count for (_, _, said), count in found.items() if said)
    shares["precision over all"] = Share(sum(n for (_, label, said), n in found.items() if said and label), flagged)
    return shares


def shown(share: Share) -> str:
    """The share as a table has it."""
    low, high = share.interval
    return f"{share.part:>5} of {share.whole:<6}{100 * (share.value or 0):>6.1f} %  [{100 * low:.1f}, {100 * high:.1f}]"


def screened(text: str, copier: Copier) -> Copied:
    """The copy that is told of a text."""
    return copier.copy(text, canonical(text).decode())


def rows(file: Path) -> Iterator[dict[str, Any]]:
    """The records of a file of the data folder."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def results(run: Mapping[str, Any]) -> Iterator[str]:
    """What tools returned in a recorded run."""
    for message in run["messages"]:
        if message["role"] == "tool" and isinstance(message.get("content"), str):
            yield message["content"]


def _counted(texts: Iterable[str]) -> dict[str, int]:
    copier = Copier(DEFAULT)
    counts = {"texts": 0, "changed": 0, "active": 0, "flagged": 0}
    for text in texts:
        told = screened(text, copier)
        active = any(each.what.startswith("content.") for each in told.findings)
        counts["texts"] += 1
        counts["active"] += active
        counts["changed"] += told.value != text and not active
        counts["flagged"] += any(each.what.startswith("injection.") for each in told.findings)
    return counts


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=FOLDER, help="the data folder (INTERLOCK_DATA)")
    parser.add_argument("--json", action="store_true", help="print figures as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
