"""What the service says back: an answer, or a problem with a stable code (RFC 9457)."""

from __future__ import annotations

from typing import NamedTuple


class Answer(NamedTuple):
    """A status and a JSON body.

    Attributes:
        replayed: The first answer to this idempotency key, given again; nothing was done this time.
    """

    status: int
    body: dict[str, object]
    replayed: bool = False


class Problem(Exception):
    """A request that is refused; nothing was changed.

    Attributes:
        code: Stable, safe to match on: `tenant_not_found`.
        more: Members beside the standard ones, such as `field` or `refundable_cents`.
    """

    def __init__(self, status: int, code: str, detail: str, **more: object) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.more = more

    def answer(self) -> Answer:
        """The problem+json document, with its status."""
        title = self.code.replace("_", " ").capitalize()
        document = {"type": f"urn:example-service:{self.code}", "title": title, "status": self.status}
        return Answer(self.status, {**document, "code": self.code, "detail": str(self), **self.more})
