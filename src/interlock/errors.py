"""Every exception that Interlock raises, drawn as a tree.

    InterlockError
    ├── BadInput             outside text is not what it must be: JSON, an id, a file, an argument of the API
    ├── DefinitionError      a tool, a schema or a pin is not acceptable; nothing was registered
    ├── PolicyError          a policy file does not load; the policy in force stays in force
    ├── SettingsError        the settings file or the environment is not acceptable; nothing started
    ├── NotFound             the named run, call, approval or tool does not exist for this principal
    ├── NotEntitled          this principal may not do this to that (approve, settle, stop)
    ├── Conflict             the thing is no longer in a state in which this can be done
    ├── MissingExtra         an optional part is asked for and not installed
    ├── ModelError           a model did not answer, or not with what can be read
    │   └── ModelUnavailable     it may answer later: too many requests, a defect of theirs, no connection, too slow
    ├── LedgerError          a fact could not be written or read; nothing later in the call has run
    │   ├── StoreUnavailable     the store is closed, locked, full or broken
    │   ├── StaleClaim           another worker claimed the run; this one must stop
    │   ├── DuplicateFact        the fact is there already (one intent, one closing, one consumption)
    │   └── GuardRefused         a shared row (budget, rate, uses) said no
    ├── SecretError          a secret that a call refers to cannot be had; nothing was sent
    └── ToolError            raised by a tool's own code to say what happened; the path turns it into an outcome
        ├── NotSent              nothing left this process: the effect cannot have happened
        ├── TryLater             the far end answered that it did not do it now, and may later (429, 503)
        └── Rejected             the far end answered that it did not do it

A refusal is not an exception: it is a `Stop` (core/call.py). Bugs are `assert`s and escape.
"""

from __future__ import annotations


class InterlockError(Exception):
    """Root of every error that an operator or a caller can do something about.

    Attributes:
        code: Stable dotted identifier, such as `policy.parse`; safe to match on.
        remedy: What to do about it, one sentence; empty where there is nothing to do.
    """

    code = "error"

    def __init__(self, message: str, *, code: str | None = None, remedy: str = "") -> None:
        super().__init__(message)
        if code is not None:
            self.code = code
        self.remedy = remedy

    def __str__(self) -> str:
        """The message and, as a sentence of its own, the remedy."""
        message = super().__str__()
        return f"{message.rstrip('.')}. {self.remedy}" if self.remedy else message


class BadInput(InterlockError):
    """Outside text is not what it must be; the message names the place. Nothing has run."""

    code = "input.bad"


class DefinitionError(InterlockError):
    """A tool definition, schema or pin file is not acceptable. Nothing was registered."""

    code = "definition.bad"


class PolicyError(InterlockError):
    """A policy does not load; the message has file and line. The policy in force stays."""

    code = "policy.bad"


class SettingsError(InterlockError):
    """The settings are not acceptable; the message names file and key. Nothing started."""

    code = "settings.bad"


class NotFound(InterlockError):
    """The named thing does not exist, or not for this principal."""

    code = "not_found"


class NotEntitled(InterlockError):
    """This principal may not do this. Nothing changed."""

    code = "not_entitled"


class Conflict(InterlockError):
    """The thing has moved on: decided already, expired, closed. Read it again."""

    code = "conflict"


class MissingExtra(InterlockError):
    """An optional part is not installed; the message has the extra's name."""

    code = "extra.missing"


class ModelError(InterlockError):
    """A model did not answer, or not with what can be read. The provider's own words are not in the message.

    Attributes:
        turned_away: The provider said that it did not take the request, so that nothing is charged for it.
    """

    code = "model.failed"

    def __init__(self, message: str, *, code: str | None = None, turned_away: bool = False) -> None:
        super().__init__(message, code=code)
        self.turned_away = turned_away


class ModelUnavailable(ModelError):
    """A model did not answer now and may later.

    Attributes:
        retry_after_s: Seconds that its provider asked for; None where it did not say.
    """

    code = "model.unavailable"

    def __init__(
        self, message: str, *, code: str | None = None, turned_away: bool = False, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, code=code, turned_away=turned_away)
        self.retry_after_s = retry_after_s


class LedgerError(InterlockError):
    """A fact could not be written or read. Nothing later in the call has run.

    Retry: the whole call, by the same name, once the cause is mended.
    """

    code = "ledger.error"


class StoreUnavailable(LedgerError):
    """The store is closed, locked beyond the wait, full or broken. Nothing was written."""

    code = "ledger.unavailable"


class StaleClaim(LedgerError):
    """The run is claimed by another worker since. Stop working on it; nothing was written."""

    code = "ledger.stale_claim"


class DuplicateFact(LedgerError):
    """The fact stands in the ledger already. Read it instead of writing it again."""

    code = "ledger.duplicate"


class GuardRefused(LedgerError):
    """A guard's row would pass its limit. Nothing was written.

    Attributes:
        guard: Name of the row that refused.
        value: What stood in it.
        wait_us: Microseconds of store time until it would pass, of a row that refills; 0 of any other.
        mended: What the row is from now on, although it refused: the clock was set back; None where it stays as it is.
    """

    code = "ledger.guard_refused"

    def __init__(self, guard: str, *, value: int = 0, wait_us: int = 0, mended: int | None = None) -> None:
        super().__init__(f"guard {guard!r} refused the change")
        self.guard = guard
        self.value = value
        self.wait_us = wait_us
        self.mended = mended


class SecretError(InterlockError):
    """A secret cannot be had, or cannot be used. The message names its reference and says nothing of its value.

    Retry: once the cause is mended; nothing was sent.
    """

    code = "secret.failed"


class ToolError(InterlockError):
    """Raised by a tool's own code. The text is kept for the audit and never shown to a model."""

    code = "tool.failed"


class NotSent(ToolError):
    """Nothing left this process, so the effect cannot have happened. Only a transport may say so."""

    code = "tool.not_sent"


class TryLater(ToolError):
    """The far end answered, in a typed way, that it did not do it now and may do it later (a 429, a 503).

    Attributes:
        retry_after_s: Seconds that it asked for; None where it did not say. At most 60 of them are waited.
    """

    code = "tool.try_later"

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Rejected(ToolError):
    """The far end answered, in a typed way, that it did not do it (a 4xx, a constraint).

    Attributes:
        reason: Short text for the model, written by the tool's author; never the far end's own words.
        said: What the far end answered, a JSON value; None for nothing. It is screened as a result is, and told as
            data: nothing that stands in it decides anything.
    """

    code = "tool.rejected"

    def __init__(self, message: str, *, reason: str = "", said: object = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.said = said
