"""One event read as a verifier reads it: nothing is believed, and nothing makes it fall over.

The reader is the standard library's, on purpose: it is what the canonical form was defined by (docs/adr/0002), and a
faster one that reads a text otherwise would be a hole.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from interlock.core.canonical import canonical, keyed
from interlock.core.event import Fact, Kind
from interlock.errors import BadInput
from interlock.ledger.chain import SALT_BYTES, chain_hash
from interlock.ledger.merkle import leaf_hash

_TEXTS = frozenset({"call_id", "principal_id", "tool_hash", "policy_hash", "decision", "outcome", "approval_id",
                    "trace_id", "kind", "tenant", "run_id", "payload_commit", "prev_hash"})  # fmt: skip
_NUMBERS = frozenset({"v", "seq", "at", "step", "attempt"})
_ALWAYS = frozenset({"v", "tenant", "run_id", "seq", "at", "kind", "prev_hash", "payload_commit"})
_MAY_BE_EMPTY = frozenset({"tenant", "prev_hash"})
_KINDS = frozenset(Kind)
_HASH = re.compile(r"[0-9a-f]{64}")
_OPTIONAL = tuple(Fact._field_defaults)


class Read(NamedTuple):
    """An event whose header can be read.

    Attributes:
        fields: The header.
        hash, leaf: What its bytes make.
        why: What is wrong with the header; empty where nothing is.
    """

    fields: dict[str, Any]
    hash: bytes
    leaf: bytes
    why: str

    @property
    def chain(self) -> str:
        """Its chain; empty where the header does not say."""
        found = self.fields.get("run_id")
        return found if isinstance(found, str) else ""

    @property
    def seq(self) -> int:
        """Its number; 0 where the header does not say."""
        found = self.fields.get("seq")
        return found if type(found) is int else 0

    def fact(self, body: dict[str, Any]) -> Fact:
        """The fact that it is, for a header that is sound."""
        rest = {name: self.fields[name] for name in _OPTIONAL if name in self.fields}
        return Fact(Kind(self.fields["kind"]), body, **rest)


def read_strictly(header: object) -> Read:
    """The header's fields, and what is wrong with them."""
    if not isinstance(header, bytes):
        return Read({}, b"", b"", "its header is no bytes")
    try:
        fields = json.loads(header)
        spelled = canonical(fields)
    except (ValueError, RecursionError, BadInput):
        return Read({}, b"", leaf_hash(chain_hash(b"", header)), "its header is no JSON")
    if not isinstance(fields, dict):
        return Read({}, b"", leaf_hash(chain_hash(b"", header)), "its header is no object")
    prev = fields.get("prev_hash")
    sound = isinstance(prev, str) and (prev == "" or _HASH.fullmatch(prev) is not None)
    found = chain_hash(bytes.fromhex(prev) if sound and isinstance(prev, str) else b"", header)
    why = _wrong(fields) or ("" if spelled == header else "its header is spelled in another way than the one there is")
    if not why and not sound:
        why = "its header has no hash of the event before it"
    return Read(fields, found, leaf_hash(found), why)


def payload_is_wrong(fields: dict[str, Any], salt: object, body: object) -> str:
    """What is wrong with a payload that is there; empty where its header commits to it."""
    if not isinstance(salt, bytes) or not isinstance(body, bytes) or len(salt) != SALT_BYTES:
        return "its payload is none"
    if keyed(salt, body).hex() != fields.get("payload_commit"):
        return "its payload is not what its header commits to"
    return "" if read_body(body) is not None else "its payload is no object"


def read_body(body: object) -> dict[str, Any] | None:
    """The body that a payload has; None where it has none."""
    try:
        found = json.loads(body) if isinstance(body, bytes) else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _wrong(fields: dict[str, Any]) -> str:
    """What is wrong with the fields of a header, each by itself."""
    if missing := _ALWAYS - fields.keys():
        return f"its header has no {min(missing)}"
    for name, value in fields.items():
        if name in _TEXTS:
            if type(value) is not str or (not value and name not in _MAY_BE_EMPTY):
                return f"{name} of its header is no text"
        elif name in _NUMBERS:
            if type(value) is not int or (value < 1 and name != "at"):
                return f"{name} of its header is no number"
        else:
            return f"its header says {name!r}, which no header does"
    if fields["v"] != 1 or fields["kind"] not in _KINDS:
        return "its header is of a kind that this release does not know"
    return "" if _HASH.fullmatch(fields["payload_commit"]) else "its header commits to no payload"
