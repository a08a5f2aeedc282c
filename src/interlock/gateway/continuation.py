"""What a client comes back with for a held call: sealed, for one principal and one call, once, for a while.

It opens nothing but the recorded outcome: whoever bears it still passes the door as themselves, and no answer of a
client approves anything.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256

from interlock.core.canonical import canonical
from interlock.core.clock import SECOND_US, Clock
from interlock.core.principal import Principal
from interlock.errors import BadInput
from interlock.ledger.chain import Entropy

LIFE_S = 24 * 3600.0
"""Seconds that one may be used: as long as a request for approval stands, but for those that an operator prolongs."""

STATE = "server:"
"""What stands before the state of a server behind, so that it is no other continuation."""

_USED_MAX = 100_000
"""Used ones that are remembered until they are past; the oldest is forgotten first."""


@dataclass(frozen=True, slots=True)
class Ref:
    """Which call a client comes back for."""

    run_id: str
    call_id: str


class Continuations:
    """Seals and opens them, under a key that is derived from the deployment's.

    One that was used is remembered by this process alone: another process, or the next one, would take it once more,
    and tell the same principal the same outcome of the same call.

    Args:
        deployment_key: The deployment's secret.
        entropy: Random bytes, for what makes each one different.
    """

    def __init__(self, deployment_key: bytes, clock: Clock, entropy: Entropy) -> None:
        self._key = hmac.digest(deployment_key, b"interlock/continuation/1", "sha256")
        self._clock = clock
        self._entropy = entropy
        self._used: OrderedDict[str, int] = OrderedDict()

    def seal(self, ref: Ref, principal: Principal, proposal: str) -> str:
        """A fresh one for a call, for the principal and exactly that proposal (`core.proposal.proposal_digest`)."""
        until_us = self._clock.wall_us() + int(LIFE_S * SECOND_US)
        said = canonical([ref.run_id, ref.call_id, until_us, self._entropy(12).hex()])
        return _text(self._mac(said, principal, proposal) + said)

    def open(self, text: str, principal: Principal, proposal: str) -> Ref:
        """The call that it is for; it is used up by that.

        Raises:
            BadInput: It is not for this principal and this proposal, was changed, is past, or was used.
        """
        mac, said = _parts(text)
        if not hmac.compare_digest(mac, self._mac(said, principal, proposal)):
            raise _not_ours()
        run_id, call_id, until_us, once = json.loads(said)
        now_us = self._clock.wall_us()
        self._forget(now_us)
        if until_us <= now_us or once in self._used:
            raise _not_ours()
        self._used[once] = until_us
        return Ref(run_id, call_id)

    def seal_state(self, state: str, principal: Principal, proposal: str) -> str:
        """What a server wants to see again, for a client to bring it back with its answers to the server."""
        until_us = self._clock.wall_us() + int(LIFE_S * SECOND_US)
        said = canonical([state, until_us])
        return STATE + _text(self._mac(b"state" + said, principal, proposal) + said)

    def open_state(self, text: str, principal: Principal, proposal: str) -> str:
        """What the server gave. Whether it may come twice is the server's to say.

        Raises:
            BadInput: It is not for this principal and this proposal, was changed, or is past.
        """
        mac, said = _parts(text.removeprefix(STATE))
        if not hmac.compare_digest(mac, self._mac(b"state" + said, principal, proposal)):
            raise _not_ours()
        state, until_us = json.loads(said)
        if until_us <= self._clock.wall_us():
            raise _not_ours()
        return str(state)

    def _mac(self, said: bytes, principal: Principal, proposal: str) -> bytes:
        return hmac.digest(self._key, canonical([principal.tenant, principal.id, proposal]) + said, "sha256")

    def _forget(self, now_us: int) -> None:
        while self._used and (len(self._used) > _USED_MAX or next(iter(self._used.values())) <= now_us):
            self._used.popitem(last=False)


def _parts(text: str) -> tuple[bytes, bytes]:
    """The code of a sealed text and what it is over."""
    try:
        sealed = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
    except ValueError:
        raise _not_ours() from None
    if _text(sealed) != text:  # another spelling of the same bytes
        raise _not_ours()
    return sealed[: sha256().digest_size], sealed[sha256().digest_size :]


def _text(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).decode("ascii")


def _not_ours() -> BadInput:
    """One sentence for every reason: which one it is helps only somebody who tries."""
    return BadInput(
        "this continuation is not for you and this call, or is used or past", code="gateway.continuation",
        remedy="Call the tool again with the same arguments, and go on with what that answers.",
    )  # fmt: skip
