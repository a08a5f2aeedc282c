"""What policy says about one call."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from interlock.core.canonical import Json, Written


class Verdict(StrEnum):
    """The three answers."""

    ALLOW = "allow"
    DENY = "deny"
    REQUIRE_APPROVAL = "require_approval"


class Mode(StrEnum):
    """Whether a decision binds. In `evaluate_only` it is recorded and everything runs."""

    ENFORCE = "enforce"
    EVALUATE_ONLY = "evaluate_only"


REVIEW, UNSURE = "verify.review", "confidence.review"
"""What a hold names in the place of a rule: a second reader's doubt; its model's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What it takes to release a held call: the strictest of all rules that asked.

    Attributes:
        groups: Approver groups (role names); the quorum needs a member of each.
        quorum: Different people who must approve, at least 1.
        expires_s: Seconds from the request until nobody can approve any more.
        rules: Ids of the rules that asked.
        in_person: People must look at this very call: nothing that they said beforehand answers it.
    """

    groups: frozenset[str]
    quorum: int = 1
    expires_s: int = 86_400
    rules: tuple[str, ...] = ()
    in_person: bool = False

    def join(self, other: Hold) -> Hold:
        """Both at once: every group, the larger quorum, the shorter time."""
        return Hold(
            groups=self.groups | other.groups,
            quorum=max(self.quorum, other.quorum),
            expires_s=min(self.expires_s, other.expires_s),
            rules=(*self.rules, *other.rules),
            in_person=self.in_person or other.in_person,
        )


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One answer with its reasons.

    Attributes:
        verdict: The answer.
        reasons: Stable codes: `rule:<id>` for a rule that determined it, `no_permit`, `error`, `stopped`, ….
        hold: What releases it; set exactly when the verdict is `require_approval`.
        verify: A second model must agree first.
        policy_digest: Hex SHA-256 of the policies and their schema.
        mode: Whether it binds.
        errors: What could not be evaluated; any entry denies.
        shadow: What the candidate policy would have said, where one is loaded.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    policy_digest: str
    hold: Hold | None = None
    verify: bool = False
    mode: Mode = Mode.ENFORCE
    errors: tuple[str, ...] = ()
    shadow: Decision | None = None

    @property
    def binding_hold(self) -> Hold | None:
        """The hold where it binds; None in `evaluate_only`, which holds nothing."""
        return self.hold if self.mode is Mode.ENFORCE else None

    def __post_init__(self) -> None:
        assert (self.hold is not None) == (self.verdict is Verdict.REQUIRE_APPROVAL), "a hold goes with its verdict"

    @cached_property
    def written(self) -> Written:
        """The decision as events keep it, once for all calls that are decided by it.

        Without the digest of the policies, which stands in their header.
        """
        said = self.as_json()
        del said["policy"]
        return Written(said)

    def as_json(self) -> dict[str, Json]:
        """The decision for the ledger and for people; empty parts left out."""
        said: dict[str, Json] = {
            "verdict": self.verdict.value,
            "reasons": list(self.reasons),
            "policy": self.policy_digest,
            "mode": self.mode.value,
        }
        if self.hold is not None:
            hold = self.hold
            said["hold"] = {
                "groups": sorted(hold.groups),
                "quorum": hold.quorum,
                "expires_s": hold.expires_s,
                "rules": list(hold.rules),
            }
        if self.verify:
            said["verify"] = True
        if self.errors:
            said["errors"] = list(self.errors)
        if self.shadow is not None:
            said["shadow"] = self.shadow.as_json()
        return said
