"""Mutations of exported bundles: random damage, and forgers who make the digest anew and sign with another key."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from pathlib import Path
from typing import Any

from interlock.core.canonical import canonical
from interlock.core.principal import Principal
from interlock.ledger.archive import export
from interlock.ledger.offline import check
from interlock.ledger.seal import Sealer
from interlock.ledger.signing import Signer
from interlock.ledger.sqlite import SqliteStore
from interlock.private_files import SigningKeyFile
from interlock.testing import FrozenClock
from proof.tampering import forge
from proof.tampering.ledgers import KEY, LEDGER, Made, sinks_of
from proof.tampering.trial import BUNDLE, Trial

_DAMAGE = (ValueError, KeyError, TypeError, AttributeError, IndexError)


async def exported(made: Made, folder: Path) -> tuple[bytes, str]:
    """A bundle of every run of the ledger's first tenant, and the key to check it with."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(made.folder, folder)
    store = SqliteStore(folder / LEDGER, FrozenClock())
    try:
        sealer = Sealer(store, SigningKeyFile(folder / KEY), sinks_of(folder))
        await sealer.open()
        rows = await store.rows("run")
        tenant = rows[0]["tenant"]
        runs = [row["run_id"] for row in rows if row["tenant"] == tenant]
        person = Principal("opa", tenant, frozenset({"operator"}))
        written = await export(store, sealer, runs, folder / "bundle", person)
        return (folder / "bundle").read_bytes(), written.key
    finally:
        await store.close()


def try_bundle(made: Made, raw: bytes, key: str, number: int) -> Trial:
    """Change a bundle and let the one-file verifier look at it, with the key pinned."""
    drawn = random.Random(number)
    make = drawn.choice([_damaged, _damaged, _forged, _forged, _forged])
    changed = make(raw, drawn, forge.evil_signer(made.folder))
    if changed == raw:
        return Trial(BUNDLE, make.__name__, "nothing")
    try:
        check(changed, key)
    except _DAMAGE:
        return Trial(BUNDLE, make.__name__, "found", ("offline",), 1)
    return Trial(BUNDLE, make.__name__, "missed", (), 1)


def _damaged(raw: bytes, drawn: random.Random, signer: Signer) -> bytes:
    at = drawn.randrange(len(raw))
    match drawn.randrange(5):
        case 0:
            return raw[:at] + bytes([raw[at] ^ 1 << drawn.randrange(8)]) + raw[at + 1 :]
        case 1:
            return raw[:at]
        case 2:
            return raw[:at] + raw[at + drawn.randint(1, 2000) :]
        case 3:
            lines = raw.splitlines(keepends=True)
            one, other = drawn.sample(range(len(lines)), 2)
            lines[one], lines[other] = lines[other], lines[one]
            return b"".join(lines)
        case _:
            return raw[:at] + drawn.choice([b" ", b"\n", b"0", b"{}\n"]) + raw[at:]


def _forged(raw: bytes, drawn: random.Random, signer: Signer) -> bytes:
    """Change what it says, then make the last line anew, by a key that is not the log's."""
    lines: list[dict[str, Any]] = [json.loads(line) for line in raw.splitlines()]
    events = [index for index, line in enumerate(lines) if "header" in line]
    at = drawn.choice(events)
    match drawn.randrange(6):
        case 0:
            del lines[at]
        case 1:
            lines[at].pop("payload", None)
            lines[at].pop("salt", None)
        case 2:
            fields = json.loads(lines[at]["header"])
            lines[at]["header"] = canonical({**fields, "at": fields["at"] + 1}).decode()
        case 3:
            lines[at]["payload"] = '{"forged":true}'
        case 4:
            del lines[events[-drawn.randint(1, 2)] : -1]
        case _:
            keys = [line for line in lines if "key" in line]
            keys[-1]["key"] = signer.public.text
    body = b"".join(canonical(line) + b"\n" for line in lines[:-1])
    count = sum("header" in line for line in lines)
    digest = hashlib.sha256(body).digest()
    end = {"events": count, "sha256": digest.hex(), "signature": signer.vouch(digest, count)}
    return body + canonical(end) + b"\n"
