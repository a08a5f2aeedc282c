"""A bundle is checked by one file and plain Python, and no change of it goes unseen (spec: Interface, T27)."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock.core.canonical import canonical
from interlock.core.event import Event, Fact, Kind
from interlock.ledger.bundle import Sealed, bundle, verifier
from interlock.ledger.chain import chain_hash, read_event
from interlock.ledger.merkle import Tree, leaf_hash
from interlock.ledger.note import Checkpoint
from interlock.ledger.offline import Bad, check, main, signature_holds
from interlock.ledger.redact import redact_fact
from interlock.ledger.signing import Signer
from tests.ledger.makers import chained, intent, proposed, read_call, result, started

ORIGIN = "example.com/ledger"
OLD, NEW, EVIL = (Signer(ORIGIN, bytes([n]) * 32) for n in (1, 2, 3))


def sealed_by(events: Sequence[Event], signer: Signer, keys: Sequence[Signer]) -> Sealed:
    tree = Tree(0, lambda level, no: b"")
    tree.extend(leaf_hash(event.hash) for event in events)
    words = ["", *(before.hand_over(after.public) for before, after in pairwise(keys))]
    note = signer.note(Checkpoint(ORIGIN, tree.size, tree.root()))
    known = [(key.public, word) for key, word in zip(keys, words, strict=True)]
    return Sealed(note, known, lambda index: tree.prove_inclusion(index, tree.size))


def whole_log() -> list[Event]:
    """Two runs in one log; of the first, two payloads are erased with a record."""
    first = [started(words="für «Zoë»\n"), *read_call("call_1"), proposed("call_2", 2, amount=2**63, rate=0.1)]
    first += [intent("call_2", 2), result("call_2", "failed", 2), Fact(Kind.RUN_FINISHED, {"reason": "left"})]
    one = chained([*first, redact_fact([], [2, 3], "asked for it", "opa")], "run_1")
    one[1:3] = [read_event(event.header, None, None) for event in one[1:3]]
    other = chained([started(), *read_call("call_9")], "run_2")
    return [event for pair in zip(one, other, strict=False) for event in pair] + one[len(other) :]


def exported(signer: Signer = NEW, keys: Sequence[Signer] = (OLD, NEW)) -> bytes:
    events = whole_log()
    return b"".join(bundle(enumerate(events, 1), sealed_by(events, signer, keys), signer))


def run_alone(tmp_path: Path, raw: bytes, *more: str) -> subprocess.CompletedProcess[str]:
    """The verifier as a stranger runs it: one file, isolated, without the packages of this environment."""
    (tmp_path / "offline.py").write_text(verifier(), encoding="utf-8")
    (tmp_path / "bundle.jsonl").write_bytes(raw)
    bare = Path(sys.base_prefix) / "bin" / "python3"
    command = [str(bare if bare.exists() else sys.executable), "-I", "-S", "offline.py", "bundle.jsonl", *more]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, encoding="utf-8")


def test_plain_python_and_one_file_say_what_was_verified_and_under_which_key(tmp_path: Path) -> None:
    done = run_alone(tmp_path, exported(), "--key", NEW.public.text)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("VERIFIED.\n")
    for said in (
        "run_1: events 1 to 8, the last one says redact; 2 payloads erased, with a record by opa",
        "run_2: events 1 to 3, the last one says call.result",
        "head over 11 events has\n  the root ",
        f"a signature of the key {NEW.public.text}",
        "The key is the one that you gave.",
    ):
        assert said in done.stdout


def test_without_a_key_it_says_that_nothing_is_pinned_and_does_not_exit_with_0(tmp_path: Path) -> None:
    done = run_alone(tmp_path, exported())
    assert done.returncode == 3
    assert "UNPINNED" in done.stdout


def test_an_earlier_key_vouches_for_those_that_it_handed_over_to(tmp_path: Path) -> None:
    assert run_alone(tmp_path, exported(), "--key", OLD.public.text).returncode == 0


def test_it_imports_nothing_of_interlock() -> None:
    assert "import interlock" not in verifier() and "from interlock" not in verifier()


def test_another_key_is_found_out_whoever_signed_everything_anew() -> None:
    """Substituted key, and a key that nobody handed over to."""
    for raw in (exported(EVIL, [EVIL]), exported(NEW, [OLD, NEW]).replace(OLD.hand_over(NEW.public).encode(), b"")):
        with pytest.raises(Bad):
            check(raw, OLD.public.text)
    forged = exported(EVIL, [OLD, EVIL])
    word = OLD.hand_over(EVIL.public)
    with pytest.raises(Bad, match=r"changed after it was exported|did not hand over"):
        check(forged.replace(word.encode(), OLD.hand_over(NEW.public).encode()), OLD.public.text)


def test_an_unrecorded_erasure_is_found_although_the_operator_signed_the_file() -> None:
    events = whole_log()
    events[0] = read_event(events[0].header, None, None)
    raw = b"".join(bundle(enumerate(events, 1), sealed_by(events, NEW, [NEW]), NEW))
    with pytest.raises(Bad, match="event 1 of run_1 is missing, and no record"):
        check(raw)


def test_what_is_wrong_is_found_although_the_operator_signed_the_file() -> None:
    """Payload with another salt, another payload, headers of another spelling, gaps, another order, another leaf."""
    good = whole_log()
    sealed = sealed_by(good, NEW, [NEW])

    def found(events: Sequence[tuple[int, Event]]) -> str:
        with pytest.raises(Bad) as bad:
            check(b"".join(bundle(events, sealed, NEW)))
        return str(bad.value)

    numbered = list(enumerate(good, 1))

    def with_first(**changed: object) -> list[tuple[int, Event]]:
        return [(1, good[0]._replace(**changed)), *numbered[1:]]  # type: ignore[arg-type]

    assert "payload of event 1" in found(with_first(salt=bytes(32)[:-1] + b"\1"))
    assert "payload of event 1" in found(with_first(payload=b"{}"))
    for header in (
        good[0].header.replace(b":", b": ", 1),
        good[0].header.replace(b'"seq":1', b'"seq":"1"'),
        good[0].header.replace(b'"v":1', b'"v":true'),
        good[0].header.replace(b'"v":1', b'"v":1,"v":1'),
    ):
        assert "header" in found(with_first(header=header)) or "not JSON" in found(with_first(header=header))
    assert "is not leaf 0" in found(with_first(header=good[0].header.replace(b"acme", b"evil")))
    assert "does not follow" in found(numbered[2:])
    assert "does not follow" in found([*numbered[:4], *numbered[5:]])
    assert "does not follow" in found([numbered[2], numbered[1], numbered[0], *numbered[3:]])
    assert "is not leaf" in found([(2, good[0]), *numbered[1:]])


def test_no_byte_of_a_bundle_can_be_changed_dropped_or_added() -> None:
    """Every kind of random damage, 400 times; the seed is the number."""
    raw = exported()
    pinned = NEW.public.text
    check(raw, pinned)
    lines = raw.splitlines(keepends=True)
    for seed in range(400):
        drawn = random.Random(seed)
        at, kind = drawn.randrange(len(raw)), seed % 6
        if kind == 0:
            changed = raw[:at] + bytes([raw[at] ^ 1 << drawn.randrange(8)]) + raw[at + 1 :]
        elif kind == 1:
            changed = raw[:at]
        elif kind == 2:
            changed = raw[:at] + raw[at + drawn.randint(1, 50) :]
        elif kind == 3:
            one, other = drawn.sample(range(len(lines)), 2)
            mixed = list(lines)
            mixed[one], mixed[other] = mixed[other], mixed[one]
            changed = b"".join(mixed)
        elif kind == 4:
            changed = b"".join(line for line in lines if line is not drawn.choice(lines))
        else:
            changed = raw[:at] + drawn.choice([b" ", b"\n", b"0", b'"', lines[5]]) + raw[at:]
        if changed == raw:
            continue
        with pytest.raises((Bad, KeyError, TypeError, ValueError, AttributeError, IndexError)):
            check(changed, pinned)


def test_a_line_that_is_left_out_is_found_although_its_digest_was_made_anew() -> None:
    lines = exported().splitlines(keepends=True)
    body = b"".join(lines[:-2])
    end = json.loads(lines[-1]) | {"events": 10, "sha256": hashlib.sha256(body).hexdigest()}
    with pytest.raises(Bad, match="not signed"):
        check(body + canonical(end) + b"\n")


def test_a_wrong_command_line_or_file_is_told_from_a_wrong_bundle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "odd").write_bytes(b"\xff{}\n[]\n1\n{}\n{}\n")
    assert main([]) == 2
    assert main([str(tmp_path / "none")]) == 2
    assert main([str(tmp_path / "odd")]) == 1
    assert "NOT VERIFIED" in capsys.readouterr().out


RFC_8032 = [
    # TEST 1, 2, 3 and SHA(abc) of RFC 8032, 7.1: public key, message, signature
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe"
        "24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302a"
        "eeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed2"
        "8dc027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e"
        "2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17a"
        "d9bef1177331a704",
    ),
]  # fmt: skip


@pytest.mark.parametrize("public, message, signature", RFC_8032)
def test_the_verifiers_ed25519_agrees_with_the_rfc(public: str, message: str, signature: str) -> None:
    key, text, signed = bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature)
    assert signature_holds(key, text, signed)
    assert not signature_holds(key, text + b"x", signed)
    assert not signature_holds(key, text, signed[:-1] + bytes([signed[-1] ^ 1]))


def test_the_verifiers_ed25519_agrees_with_another_ones() -> None:
    """Differential: made by OpenSSL, each also with one bit flipped, and with S beyond the order (malleable)."""
    order = 2**252 + 27742317777372353535851937790883648493
    for seed in range(12):
        drawn = random.Random(seed)
        key = Ed25519PrivateKey.from_private_bytes(drawn.randbytes(32))
        public, message = key.public_key().public_bytes_raw(), drawn.randbytes(drawn.randrange(200))
        signed = key.sign(message)
        assert signature_holds(public, message, signed)
        at = drawn.randrange(64)
        flipped = signed[:at] + bytes([signed[at] ^ 1 << drawn.randrange(8)]) + signed[at + 1 :]
        assert not signature_holds(public, message, flipped)
        beyond = (int.from_bytes(signed[32:], "little") + order).to_bytes(32, "little")
        assert not signature_holds(public, message, signed[:32] + beyond)


def test_a_key_or_point_that_is_none_holds_nothing() -> None:
    for public in (b"", bytes(31), b"\xff" * 32, (2).to_bytes(32, "little"), b"\1" + bytes(30) + b"\x80"):
        assert not signature_holds(public, b"", bytes(64))


def test_leaf_and_chain_hash_are_the_ledgers_own() -> None:
    [event] = chained([started()])
    assert chain_hash(event.prev_hash, event.header) == event.hash
