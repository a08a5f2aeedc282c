"""What is done about each class of findings, for a tool."""

from __future__ import annotations

from dataclasses import dataclass

from interlock.core.finding import Act


@dataclass(frozen=True, slots=True, kw_only=True)
class Handling:
    """One act for each class; the defaults are the default profile.

    Attributes:
        characters: Characters that nobody sees, or that change how the rest is read.
        content: What loads or acts by itself once somebody draws it.
        secrets: Keys, tokens and passwords.
        injection: Texts that read like instructions to the model: flagged or withheld, for what is taken out of a
            sentence leaves another one.
        personal: Personal data that patterns find.
        fields: Where in a result personal data stand, as RFC 6901 pointers in which `*` is any one part, and of which
            kind: `/customer/name` is a `person`. They are redacted whatever `personal` says.
    """

    characters: Act = Act.REDACT
    content: Act = Act.REDACT
    secrets: Act = Act.REDACT
    injection: Act = Act.FLAG
    personal: Act = Act.OFF
    fields: tuple[tuple[str, str], ...] = ()


DEFAULT = Handling()
"""The default profile."""
