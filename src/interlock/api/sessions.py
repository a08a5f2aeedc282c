"""Sessions of people in browsers: sealed in a cookie, so that every worker knows them and none keeps them.

What a session may do is not in it: who somebody is now, and whether the session was ended, is looked up at each
request. A worker that signs somebody out signs them out everywhere.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from interlock.api.who import Who
from interlock.core.canonical import canonical
from interlock.core.clock import SECOND_US, Clock
from interlock.core.principal import Principal
from interlock.errors import NotEntitled
from interlock.key_ring import KeyRing
from interlock.keys import CONSOLE
from interlock.ledger.chain import Entropy
from interlock.net.secrets import Box
from interlock.sign_ins import SignedIn

COOKIE: Final = "__Host-interlock"
"""Name of the cookie; its prefix has browsers refuse one that a neighbour or a page in clear set."""

ATTRIBUTES: Final = "Path=/; Secure; HttpOnly; SameSite=Strict"

AGAIN_S: Final = 60.0
"""Seconds after which a session that is used is written into its cookie anew."""

COOKIE_MAX: Final = 4096
"""Characters of a cookie's value."""

_PURPOSE: Final = "interlock/session/1"
_AHEAD_US: Final = 60 * SECOND_US

Means = Literal["key", "link", "oidc"]
"""By what somebody signed in: a key that they typed, a link for one use, an issuer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """That somebody is who they are.

    Attributes:
        principal: Who; of a person that an issuer knows, with the roles that it gave them.
        by: By what.
        key_id: Of the key that they typed, or whose link it was; empty for an issuer.
        issuer: Who knows them; empty for a key.
        since_us: When they showed who they are, microseconds UTC; 0 where that is not known.
        once: What this may be used by once, over all workers; empty for what is typed anew each time.
    """

    principal: Principal
    by: Means
    key_id: str = ""
    issuer: str = ""
    since_us: int = 0
    once: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One browser's, of one person.

    Attributes:
        id: Its name, as the ledger has it; opens nothing.
        principal: Whose, with the roles that they have now.
        by, key_id, issuer, since_us: As `Proof`.
        opened_us: When it was opened, microseconds UTC.
        seen_us: When its cookie was written last.
    """

    id: str
    principal: Principal
    by: Means
    key_id: str
    issuer: str
    since_us: int
    opened_us: int
    seen_us: int

    def who(self, approvers: Collection[str]) -> Who:
        """Whose a request in it is.

        Args:
            approvers: The groups that the policy in force lets approve anything.
        """
        return Who(
            principal=self.principal, scopes=frozenset({CONSOLE}), by="session", since_us=self.since_us,
            session_id=self.id, approvers=frozenset(approvers),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """For how long, and for whom.

    Attributes:
        life_s: Seconds after which it is over.
        idle_s: Seconds without a request after which it is over.
        issuer: Whose people sign in; empty for nobody's.
        roles: The roles that the settings let an issuer give.
    """

    life_s: float = 12 * 3600.0
    idle_s: float = 3600.0
    issuer: str = ""
    roles: frozenset[str] = frozenset()


class Sessions:
    """Opens, finds and ends them.

    Args:
        signed_in: What every worker knows of them.
        ring: The keys as they stand now.
        deployment_key: The deployment's secret; the keys that are used here are derived of it.
        entropy: Random bytes.
    """

    def __init__(
        self, signed_in: SignedIn, ring: KeyRing, deployment_key: bytes, clock: Clock, entropy: Entropy, terms: Terms
    ) -> None:  # fmt: skip
        self.terms = terms
        self._signed_in = signed_in
        self._ring = ring
        self._box = Box(deployment_key, _PURPOSE, entropy)
        self._key = hmac.digest(deployment_key, b"interlock/csrf/1", "sha256")
        self._clock = clock
        self._entropy = entropy

    async def open(self, proof: Proof) -> tuple[Session, str]:
        """Open one for somebody who showed who they are.

        Returns:
            It, and what its cookie holds.

        Raises:
            NotEntitled: They are nobody here (any more), or what they came with was used.
            LedgerError: It cannot be recorded; there is none then.
        """
        now_us = self._clock.wall_us()
        session = Session(
            id=_id(proof.once) if proof.once else f"session_{self._entropy(16).hex()}", principal=proof.principal,
            by=proof.by, key_id=proof.key_id, issuer=proof.issuer, since_us=proof.since_us, opened_us=now_us,
            seen_us=now_us,
        )  # fmt: skip
        session = replace(session, principal=await self._now(session))
        body = {"by": proof.by, "key": proof.key_id, "issuer": proof.issuer, "roles": sorted(session.principal.roles),
                "until_us": now_us + int(self.terms.life_s * SECOND_US)}  # fmt: skip
        if not await self._signed_in.opened(session.id, session.principal, body):
            raise NotEntitled("this was used already", code="auth.used", remedy="Sign in again.")
        return session, self._sealed(session)

    async def find(self, cookie: str) -> Session:
        """The session that a cookie holds, with who its person is now.

        Raises:
            NotEntitled: None, one that is over, or of somebody who may not sign in (any more).
            InterlockError: It cannot be found out.
        """
        session = self._opened(cookie)
        now_us = self._clock.wall_us()
        within = session.opened_us <= session.seen_us <= now_us + _AHEAD_US  # a clock set back opens nothing for longer
        if not within or now_us >= session.opened_us + self.terms.life_s * SECOND_US:
            raise _over()
        if now_us >= session.seen_us + self.terms.idle_s * SECOND_US:
            raise _over()
        known = await self._signed_in.now(session.principal.tenant)
        if known.over(session.id, session.principal.id, session.opened_us):
            raise _over()
        return replace(session, principal=await self._now(session))

    def again(self, session: Session) -> str | None:
        """What the cookie of a session that is used is to hold from now on; None for what it holds."""
        now_us = self._clock.wall_us()
        due = now_us - session.seen_us >= AGAIN_S * SECOND_US
        return self._sealed(replace(session, seen_us=now_us)) if due else None

    async def end(self, who: Who) -> None:
        """End the session that a request came in, in every worker.

        Raises:
            LedgerError: It cannot be recorded, and it goes on.
        """
        await self._signed_in.ended(who.session_id, who.principal, "signed out")

    async def end_all(self, person_id: str, by: Who) -> None:
        """End every session of a person of one's tenant, in every worker.

        Raises:
            NotEntitled: They are somebody else, and one is no administrator.
            LedgerError: It cannot be recorded, and they go on.
        """
        if person_id != by.principal.id:
            by.require("administer")
        await self._signed_in.all_ended(person_id, by.principal, "signed out everywhere")

    def csrf(self, session_id: str) -> str:
        """What every form of a session holds, and no other page can know."""
        return hmac.digest(self._key, session_id.encode(), "sha256").hex()

    async def _now(self, session: Session) -> Principal:
        """Its person with the roles that they have now.

        Raises:
            NotEntitled: They may not sign in (any more).
        """
        said = session.principal
        keys = await self._ring.of(said.id, said.tenant) or ()
        if session.by == "oidc":
            if not self.terms.issuer or session.issuer != self.terms.issuer:
                raise _over()
            if keys:
                raise NotEntitled(
                    f"{said.id!r} is somebody who has a key here", code="auth.taken",
                    remedy="An administrator revokes those keys, or you sign in with one.",
                )  # fmt: skip
            return replace(said, roles=said.roles & self.terms.roles)
        key = next((key for key in keys if key.id == session.key_id and CONSOLE in key.scopes), None)
        if key is None:
            raise _over()
        return key.principal

    def _sealed(self, session: Session) -> str:
        who = session.principal
        said = [
            session.id, who.tenant, who.id, sorted(who.roles) if session.by == "oidc" else [], session.by,
            session.key_id, session.issuer, session.since_us, session.opened_us, session.seen_us,
        ]  # fmt: skip
        return text_of(self._box.seal(canonical(said)))

    def _opened(self, cookie: str) -> Session:
        if not cookie:
            raise NotEntitled("nobody is signed in", code="session.missing", remedy="Sign in.")
        try:
            said: Any = json.loads(self._box.open(bytes_of(cookie)))
            session, tenant, person, roles, by, key_id, issuer, since_us, opened_us, seen_us = said
        except ValueError:
            raise _over() from None
        return Session(
            id=session, principal=Principal(person, tenant, frozenset(roles)), by=by, key_id=key_id, issuer=issuer,
            since_us=since_us, opened_us=opened_us, seen_us=seen_us,
        )  # fmt: skip


def reauthenticated(who: Who, now_us: int, within_s: float) -> bool:
    """Whether somebody showed who they are within so many seconds, as what is privileged asks for.

    A person's key shows it with every request; a token does not say when its bearer did.
    """
    return 0 <= now_us - who.since_us <= within_s * SECOND_US


def set_cookie(value: str) -> str:
    """`Set-Cookie` that gives a browser its session."""
    return f"{COOKIE}={value}; {ATTRIBUTES}"


def unset_cookie() -> str:
    """`Set-Cookie` that takes it away."""
    return f"{COOKIE}=; {ATTRIBUTES}; Max-Age=0"


def cookie_of(header: str, name: str = COOKIE) -> str:
    """The value of a cookie in a `Cookie` header; empty for none, and for one that stands twice."""
    found = [value for part in header.split(";") for key, _, value in [part.strip().partition("=")] if key == name]
    return found[0] if len(found) == 1 else ""


def text_of(sealed: bytes) -> str:
    """Bytes in the letters of a cookie or an address."""
    return base64.urlsafe_b64encode(sealed).decode("ascii").rstrip("=")


def bytes_of(text: str) -> bytes:
    """The bytes.

    Raises:
        ValueError: It is no such text, or another spelling of one.
    """
    if len(text) > COOKIE_MAX or not text.isascii():
        raise ValueError("no sealed text")
    sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if text_of(sealed) != text:
        raise ValueError("another spelling")
    return sealed


def _id(once: str) -> str:
    return f"session_{hashlib.sha256(once.encode()).hexdigest()[:32]}"


def _over() -> NotEntitled:
    """One sentence for every reason: which one it is helps only somebody who tries."""
    return NotEntitled("this session is over", code="session.over", remedy="Sign in.")
