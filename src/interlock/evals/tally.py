"""What a backtest counts, and what it says of it. Bounded, whatever the number of calls."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from interlock.core.canonical import Json
from interlock.core.clock import iso
from interlock.core.decision import Verdict
from interlock.evals.again import WHY
from interlock.evals.asked import Asked, Terms

VERDICTS: Final = (Verdict.ALLOW.value, Verdict.REQUIRE_APPROVAL.value, Verdict.DENY.value)
"""The three answers, in the order of tables."""

HOLD: Final = Verdict.REQUIRE_APPROVAL.value
DIVERGED: Final = "diverged"

Change = tuple[str, str]
"""What a call was decided as, and what it would be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One policy's word, or the recorded one.

    Attributes:
        verdict: What.
        reasons: Why: the rules that decided.
        terms: What it comes to.
    """

    verdict: str
    reasons: tuple[str, ...]
    terms: Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One recorded decision with what the policy says now.

    Attributes:
        asked: The recorded decision.
        before: What it is compared with; None where nobody can say it.
        now: What the policy says; None where it cannot be said.
        why: Why it cannot: a key of `again.WHY`, or `diverged`; empty where it can.
        path: The fact that was not there.
        after: Whether a decision before it in its run is, or may be, another.
    """

    asked: Asked
    before: Said | None
    now: Said | None
    why: str = ""
    path: str = ""
    after: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One call of a kind of change."""

    asked: Asked
    was: tuple[str, ...]
    now: tuple[str, ...]

    def as_json(self) -> dict[str, Json]:
        """For a program: which call, what it was, and the reasons of both."""
        asked = self.asked
        principal = (asked.facts or {}).get("principal", {})
        return {
            "run_id": asked.run_id, "call_id": asked.call_id, "at": iso(asked.at_us), "tool": asked.name,
            "principal": principal.get("id", ""), "arguments": asked.arguments, "was": list(self.was),
            "now": list(self.now),
        }  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Tally:
    """The counts. A call counts once, by its first decision of the time.

    Attributes:
        examples_max: Examples that are kept of each kind of change.
        calls: Calls that policy was asked about.
        matrix: How many went from what to what, the unchanged ones too.
        terms: Of those with the same verdict, how many another quorum, group, time or reader lets pass.
        undecided: Why, to how many.
        missing: Fact that was not there, to how many.
        diverged: Calls whose facts depend on a decision before them that is, or may be, another.
        after: Calls that were decided, and stand behind a changed one of their run all the same.
        again, again_changed: Decisions about calls that were asked about before, and those of them that change.
        unasked: Calls that did not come as far as policy.
        tools: Tool and change, to how many.
        rules: Rule or reason that decides changed calls now, to how many.
        examples: Of each change, some.
    """

    examples_max: int = 3
    calls: int = 0
    matrix: Counter[Change] = field(default_factory=Counter)
    terms: int = 0
    undecided: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    diverged: int = 0
    after: int = 0
    again: int = 0
    again_changed: int = 0
    unasked: int = 0
    tools: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    examples: dict[Change, list[Example]] = field(default_factory=dict)

    def take(self, judged: Judged) -> None:
        """Count one decision."""
        before, now, asked = judged.before, judged.now, judged.asked
        if asked.again:
            self.again += 1
            self.again_changed += before is not None and now is not None and before.verdict != now.verdict
            return
        self.calls += 1
        if judged.why == DIVERGED:
            self.diverged += 1
            return
        if judged.why or before is None or now is None:
            self.undecided[judged.why] += 1
            if judged.path:
                self.missing[judged.path] += 1
            return
        change = before.verdict, now.verdict
        self.matrix[change] += 1
        self.after += judged.after
        if before.verdict == now.verdict:
            self.terms += before.terms != now.terms and before.terms.verdict == now.terms.verdict
            return
        self.tools[(asked.name, *change)] += 1
        self.rules.update(now.reasons)
        kept = self.examples.setdefault(change, [])
        if len(kept) < self.examples_max:
            kept.append(Example(asked=asked, was=before.reasons, now=now.reasons))

    @property
    def compared(self) -> int:
        """Calls of which both decisions are known."""
        return self.matrix.total()

    @property
    def changed(self) -> int:
        """Those of them whose verdict changes."""
        return sum(count for (before, now), count in self.matrix.items() if before != now)

    @property
    def undecidable(self) -> int:
        """Calls that cannot be decided again."""
        return self.undecided.total()

    def share(self, count: int) -> float:
        """Part of the compared calls, 0 to 1."""
        return count / self.compared if self.compared else 0.0

    def verdicts(self, place: int) -> Counter[str]:
        """How many of the compared calls had each verdict before (0), or have now (1)."""
        found: Counter[str] = Counter()
        for change, count in self.matrix.items():
            found[change[place]] += count
        return found

    def holds_per_100(self, place: int) -> float:
        """Held calls of 100 compared ones, before (0) or now (1)."""
        return 100 * self.share(self.verdicts(place)[HOLD])

    def as_json(self) -> dict[str, Any]:
        """All of it, for a program."""
        return {
            "calls": self.calls,
            "compared": self.compared,
            "changed": self.changed,
            "changed_share": self.share(self.changed),
            "matrix": {was: {now: self.matrix[was, now] for now in VERDICTS} for was in VERDICTS},
            "terms_changed": self.terms,
            "undecidable": {"calls": self.undecidable, "why": dict(self.undecided), "facts": dict(self.missing)},
            "diverged": self.diverged,
            "after_a_change": self.after,
            "not_asked": self.unasked,
            "asked_again": {"decisions": self.again, "changed": self.again_changed},
            "holds_per_100": {"before": self.holds_per_100(0), "now": self.holds_per_100(1)},
            "tools": [
                {"tool": tool, "was": was, "now": now, "calls": count}
                for (tool, was, now), count in self.tools.most_common()
            ],
            "rules": [{"rule": rule, "calls": count} for rule, count in self.rules.most_common()],
            "examples": [
                {"from": was, "to": now, **example.as_json()}
                for (was, now), kept in sorted(self.examples.items())
                for example in kept
            ],
        }


MEANINGS: Final = {**WHY, DIVERGED: "its facts depend on a decision before it that is, or may be, another"}
"""Why a call is not compared."""
