"""How well arguments are found in what a user said, and invented ones are not: `python -m proof.grounding`.

Every gold argument of bfcl_v4's single-turn cases that is a free text or a number: no truth value, no enumeration of
the tool's schema, none that may be left out. The user's message is the words; nothing else has entered. A text is
judged as what a call acts on (`selector`), a number as an `amount`, by the same ladder as in a run; found is what is
the user's (level USER or better). Then, in each call, one such leaf is swapped with the same kind of value of another
case: flagged is what is found no more. Issue 7, shown by 4. Intervals are Wilson's, 95 %; the swaps have a fixed seed.

What the matching knows (units at numbers, number words, day words, capitals) was chosen having seen these cases, as
rules for any text; no case has a rule of its own. Exits 0 only where at least 85 % are found and 90 % flagged.
"""

from __future__ import annotations

import gzip
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from interlock.core.provenance import ArgumentOrigin, Level
from interlock.grounding.ground import nouns_of
from interlock.grounding.index import Index
from interlock.grounding.ladder import Asked, classify
from interlock.grounding.profile import Profile
from interlock.verification.calibrate import Share
from proof.recorded import FOLDER

FOUND_MIN, FLAGGED_MIN = 0.85, 0.90
SEED = 20_261_126
NOW_US = 1_732_000_000_000_000
"""November 2024: the cases say no time of their own."""


class Leaf(NamedTuple):
    """One leaf of a gold call.

    Attributes:
        case, call: Which case, and which of its calls.
        index: What its user said.
        tool, schema: What is called.
        pointer: Into the arguments.
        value: As the first accepted answer has it.
        accepted: The other ways to write the whole argument that count as right.
        optional: The argument may be left out.
    """

    case: str
    call: int
    index: Index
    tool: str
    schema: Mapping[str, Any]
    pointer: str
    value: str | int | float
    accepted: tuple[object, ...]
    optional: bool

    @property
    def kind(self) -> str:
        """`text` or `number`."""
        return "text" if isinstance(self.value, str) else "number"

    def origin(self, value: object) -> ArgumentOrigin:
        """Where a value would have come from in this place."""
        role = "selector" if self.kind == "text" else "amount"
        nouns = nouns_of(self.pointer.split("/")[1], self.tool)
        return classify(
            self.index, _PROFILE, Asked(self.tool, self.schema, self.pointer, role, "", nouns, NOW_US), value
        )

    @property
    def found(self) -> bool:
        """Whether it is the user's."""
        return self.origin(self.value).level >= Level.USER

    @property
    def found_in_any_spelling(self) -> bool:
        """Whether it is in one of the spellings that are accepted."""
        return self.found or any(self.origin(other).level >= Level.USER for other in self.accepted)


_PROFILE = Profile()


def leaves() -> Iterator[Leaf]:
    """Every leaf of the gold calls that is a free text or a number."""
    tools = {tool["id"]: tool for tool in _lines("tools")}
    call = 0
    for case in _lines("cases"):
        index = Index()
        index.say("\n".join(message["content"] for message in case["messages"] if message["role"] == "user"))
        for named in case.get("possible_answers") or ():
            for name, arguments in named.items():
                call += 1
                tool = next((tools[each] for each in case["tools"] if each.partition("@")[0] == name), None)
                if tool is None:
                    continue
                for key, answers in arguments.items():
                    accepted = [answer for answer in answers if answer != ""]
                    if not accepted:
                        continue
                    part = tool["input_schema"].get("properties", {}).get(key, {})
                    rest = tuple(each for each in accepted[1:] if isinstance(each, str | int | float))
                    for pointer, value in _free(_settled(accepted[0]), part, f"/{key}"):
                        yield Leaf(case["id"], call, index, name, tool["input_schema"], pointer, value,
                                   rest if pointer.count("/") == 1 else (), "" in answers)  # fmt: skip


class Swap(NamedTuple):
    """A leaf with another case's value in its place."""

    leaf: Leaf
    value: str | int | float
    origin: ArgumentOrigin


def swaps(of: list[Leaf]) -> Iterator[Swap]:
    """In each call, one leaf with the same kind of value of another case."""
    draw = random.Random(SEED)
    pools = {kind: [leaf for leaf in of if leaf.kind == kind] for kind in ("text", "number")}
    calls: dict[int, list[Leaf]] = {}
    for leaf in of:
        calls.setdefault(leaf.call, []).append(leaf)
    for those in calls.values():
        leaf = draw.choice(those)
        while True:
            other = draw.choice(pools[leaf.kind])
            if other.case != leaf.case and str(other.value).casefold() != str(leaf.value).casefold():
                break
        yield Swap(leaf, other.value, leaf.origin(other.value))


def main() -> int:
    """Print the tables; 0 where both aims are met."""
    every = list(leaves())
    needed = [leaf for leaf in every if not leaf.optional]
    print("gold arguments that are the user's after normalisation")
    shares = {"all": _share(needed)}
    shares |= {f"  {kind}s": _share([leaf for leaf in needed if leaf.kind == kind]) for kind in ("text", "number")}
    for said, share in shares.items():
        print(f"{said:<44}{_said(share)}")
    spelled = Share(sum(leaf.found_in_any_spelling for leaf in needed), len(needed))
    print(f"{'in any accepted spelling':<44}{_said(spelled)}")
    print(f"{'besides: those that may be left out':<44}{_said(_share([leaf for leaf in every if leaf.optional]))}")
    print("\nby rung: " + _counted(leaf.origin(leaf.value).rung for leaf in needed))
    swapped = list(swaps(needed))
    print("\ncalls with one value of another case, flagged")
    flagged = {"all": _flagged(swapped)}
    flagged |= {
        f"  {kind}s": _flagged([each for each in swapped if each.leaf.kind == kind]) for kind in ("text", "number")
    }
    for said, share in flagged.items():
        print(f"{said:<44}{_said(share)}")
    false = [each for each in swapped if each.origin.level >= Level.USER]
    print("\nfalse grounding, of all swaps, by rung")
    for (kind, rung), count in sorted(Counter((each.leaf.kind, each.origin.rung) for each in false).items()):
        print(f"{'  ' + kind + 's, ' + rung:<44}{_said(Share(count, len(swapped)))}")
    if "--show" in sys.argv:
        for leaf in needed:
            if not leaf.found:
                print(f"  not found: {leaf.case} {leaf.pointer} {leaf.value!r}")
    met = (shares["all"].value or 0) >= FOUND_MIN and (flagged["all"].value or 0) >= FLAGGED_MIN
    print(f"\naims: {FOUND_MIN:.0%} found, {FLAGGED_MIN:.0%} flagged: {'met' if met else 'missed'}")
    return not met


def _share(of: list[Leaf]) -> Share:
    return Share(sum(leaf.found for leaf in of), len(of))


def _flagged(of: list[Swap]) -> Share:
    return Share(sum(each.origin.level < Level.USER for each in of), len(of))


def _said(share: Share) -> str:
    low, high = share.interval
    return f"{share.part} of {share.whole} ({share.value or 0:.1%}; {low:.1%} to {high:.1%})"


def _counted(words: Iterator[str]) -> str:
    return ", ".join(f"{word} {count}" for word, count in sorted(Counter(words).items()))


def _settled(answer: Any) -> Any:
    """The first accepted way of what is nested in an answer, where each field lists its own."""
    if isinstance(answer, dict):
        return {
            key: _settled(next((each for each in part if each != ""), None) if isinstance(part, list) else part)
            for key, part in answer.items()
        }
    return [_settled(part) for part in answer] if isinstance(answer, list) else answer


def _free(value: Any, schema: Any, pointer: str) -> Iterator[tuple[str, str | int | float]]:
    """Texts and numbers for which the schema has no enumeration."""
    schema = schema if isinstance(schema, dict) else {}
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _free(part, (schema.get("properties") or {}).get(key), f"{pointer}/{key}")
    elif isinstance(value, list):
        for at, part in enumerate(value):
            yield from _free(part, schema.get("items"), f"{pointer}/{at}")
    elif isinstance(value, str | int | float) and not isinstance(value, bool) and value != "" and "enum" not in schema:
        yield pointer, value


def _lines(name: str) -> Iterator[Any]:
    with gzip.open(FOLDER / "bfcl_v4" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


if __name__ == "__main__":
    sys.exit(main())
