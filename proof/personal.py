"""Personal data that patterns find in labelled sentences, type by type: `python -m proof.personal`.

The sentences are synthetic, of presidio-research, with spans of 17 types. Ours look for 11 kinds; what has no kind of
ours is not looked for: an organisation, a country or a domain alone is nobody's. Counted are spans: right is one that
covers the same characters as the label, within two at each end. Beside it stands, where the extra `pii` is installed,
what Presidio finds by itself, with the model that is there or without one. Intervals are Wilson's, 95 %, of the recall.

Our patterns were written with these sentences at hand; the ways in which numbers are introduced are few in them.
There is no aim for a type: what is printed is what holds. Exits 0 only where each type with a checksum (cards, IBANs)
and each that is a pattern by its nature (mail, SSN, IP) has an F1 of at least 0.9.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from interlock.errors import MissingExtra, SettingsError
from interlock.screening.personal import personal_in
from interlock.screening.secrets import Span
from interlock.verification.calibrate import Share
from proof.recorded import FOLDER

KIND = {
    "EMAIL_ADDRESS": "email", "CREDIT_CARD": "card", "IBAN_CODE": "iban", "US_SSN": "ssn", "IP_ADDRESS": "ip",
    "PHONE_NUMBER": "phone", "US_DRIVER_LICENSE": "licence", "DATE_TIME": "birth", "AGE": "age",
    "STREET_ADDRESS": "address", "PERSON": "person",
}  # fmt: skip
"""The label's type to ours. Of dates only those of a birth are looked for."""

CERTAIN = ("EMAIL_ADDRESS", "CREDIT_CARD", "IBAN_CODE", "US_SSN", "IP_ADDRESS")
F1_MIN = 0.9
_SLACK = 2

Finder = Callable[[str], Iterable[Span]]


class Figures(NamedTuple):
    """Of one type.

    Attributes:
        right, found, labelled: Spans that are both, that were found, and that are labelled.
    """

    right: int
    found: int
    labelled: int

    @property
    def precision(self) -> float:
        """Of what was found, the part that is right; 0 of nothing."""
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> Share:
        """Of what is labelled, the part that was found."""
        return Share(self.right, self.labelled)

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        both = self.precision + (self.recall.value or 0)
        return 2 * self.precision * (self.recall.value or 0) / both if both else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=FOLDER, help="the data folder (INTERLOCK_DATA)")
    parser.add_argument("--model", default="en_core_web_sm", help="spaCy pipeline for Presidio, where it is installed")
    parser.add_argument("--json", action="store_true", help="print figures as JSON")
    options = parser.parse_args()
    sentences = rows(options.data)
    ours = measure(sentences, personal_in, KIND)
    theirs = _presidio(sentences, options.model)
    met = all(ours[kind].f1 >= F1_MIN for kind in CERTAIN)
    if options.json:
        print(json.dumps({kind: {**each._asdict(), "f1": each.f1} for kind, each in ours.items()}))
        return 0 if met else 1
    print(f"{len(sentences)} sentences; Presidio: {theirs[0]}")
    print("type                 spans  found  right  precision  recall            95 %     F1  Presidio F1")
    for kind, each in ours.items():
        low, high = each.recall.interval
        beside = f"{theirs[1][kind].f1:.2f}" if kind in theirs[1] else "-"
        if kind not in KIND:
            print(f"{kind:<20}{each.labelled:>6}  not looked for{'':>40}{beside:>14}")
            continue
        print(
            f"{kind:<20}{each.labelled:>6}{each.found:>7}{each.right:>7}{each.precision:>11.2f}"
            f"{each.recall.value or 0:>8.2f}{f'[{low:.2f}, {high:.2f}]':>16}{each.f1:>7.2f}{beside:>13}"
        )
    print(f"aim for {', '.join(CERTAIN)}: F1 at least {F1_MIN}: {'met' if met else 'MISSED'}")
    return 0 if met else 1


def rows(data: Path) -> list[dict[str, Any]]:
    """The labelled sentences."""
    with gzip.open(data / "pii" / "presidio_synth_v2.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def measure(sentences: Iterable[dict[str, Any]], find: Finder, kinds: dict[str, str]) -> dict[str, Figures]:
    """The figures of each type of the labels, most frequent first."""
    right, found, labelled = Counter[str](), Counter[str](), Counter[str]()
    for sentence in sentences:
        spans = list(find(sentence["text"]))
        found.update(span.what for span in spans)
        for label in sentence["spans"]:
            labelled[label["type"]] += 1
            kind = kinds.get(label["type"])
            right[label["type"]] += any(_same(span, label) for span in spans if span.what == kind)
    return {
        kind: Figures(right[kind], found[kinds[kind]] if kind in kinds else 0, count)
        for kind, count in labelled.most_common()
    }


def _same(span: Span, label: dict[str, Any]) -> bool:
    return abs(span.start - label["start"]) <= _SLACK and abs(span.end - label["end"]) <= _SLACK


def _presidio(sentences: list[dict[str, Any]], model: str) -> tuple[str, dict[str, Figures]]:
    """What it is, and its figures by itself; nothing where it is not installed."""
    try:
        from interlock.screening.presidio import analyser

        find = analyser(model)
    except (MissingExtra, SettingsError) as error:
        return f"not measured: {error}", {}
    theirs = {"GPE": "LOCATION", "STREET_ADDRESS": "LOCATION", "DOMAIN_NAME": "URL", "AGE": "DATE_TIME"}
    types = ("PERSON", "ORGANIZATION", "NRP", "PHONE_NUMBER", "CREDIT_CARD", "DATE_TIME", "EMAIL_ADDRESS", "US_SSN",
             "IBAN_CODE", "IP_ADDRESS", "US_DRIVER_LICENSE")  # fmt: skip
    return f"alone, with {model}", measure(sentences, find, theirs | {kind: kind for kind in types})


if __name__ == "__main__":
    sys.exit(main())
