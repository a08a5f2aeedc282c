"""Checkpoints as text, and who signed them."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.errors import BadInput, SettingsError
from interlock.ledger.note import Checkpoint, Note, PublicKey, read_note, read_public
from interlock.ledger.signing import KeyHistory, Signer, handed_over, is_signed, read_signer, rotation

ORIGIN = "interlock/0123456789abcdef"
HEAD = Checkpoint(ORIGIN, 15_368_405, bytes(range(32)))


def signer(number: int = 1) -> Signer:
    return Signer(ORIGIN, bytes([number]) * 32)


def test_a_signed_checkpoint_is_written_as_the_specification_says() -> None:
    """C2SP tlog-checkpoint and signed-note: three lines, an empty one, and a line for each signature."""
    key = signer()
    text = key.note(HEAD).text
    body, _, line = text.partition("\n\n")
    assert body == f"{ORIGIN}\n15368405\n{base64.b64encode(HEAD.root).decode()}"
    dash, name, encoded = line.removesuffix("\n").split(" ")
    raw = base64.b64decode(encoded)
    assert (dash, name, len(raw)) == ("—", ORIGIN, 4 + 64)
    assert raw[:4] == hashlib.sha256(ORIGIN.encode() + b"\n\x01" + key.public.raw).digest()[:4]
    assert read_note(text) == key.note(HEAD)


def test_a_signature_is_the_keys_over_exactly_this_checkpoint() -> None:
    note = signer().note(HEAD)
    assert is_signed(note, signer().public)
    assert not is_signed(note, signer(2).public)
    for other in (HEAD._replace(size=7), HEAD._replace(root=bytes(32)), HEAD._replace(origin="interlock/other")):
        assert not is_signed(Note(other, note.signatures), signer().public)
    named_alike = note.signatures[0]._replace(key_id=signer(2).public.key_id)
    assert not is_signed(Note(HEAD, (named_alike,)), signer(2).public)


@given(st.integers(0, 400), st.characters())
def test_a_changed_text_is_another_note_or_none(at: int, character: str) -> None:
    text = signer().note(HEAD).text
    changed = text[: at % len(text)] + character + text[at % len(text) + 1 :]
    if changed == text:
        return
    try:
        note = read_note(changed)
    except BadInput:
        return
    assert not is_signed(note, signer().public)


@pytest.mark.parametrize(
    "wrong",
    [
        "", "\n\n", "a\n1\nAAAA\n\n", f"{ORIGIN}\n01\n{base64.b64encode(bytes(32)).decode()}\n\n— a AAAAAAAA\n",
        f"{ORIGIN}\n-1\n{base64.b64encode(bytes(32)).decode()}\n\n— a AAAAAAAA\n",
        f"{ORIGIN}\n1\n{base64.b64encode(bytes(31)).decode()}\n\n— a AAAAAAAA\n",
        f"{ORIGIN}\n1\n{base64.b64encode(bytes(32)).decode()}\n\n- a AAAAAAAA\n",
        f"{ORIGIN}\n1\n{base64.b64encode(bytes(32)).decode()}\n\n— a AAAA\n",
        f"{ORIGIN}\n1\n{base64.b64encode(bytes(32)).decode()}\nmore\n\n— a AAAAAAAA\n",
        f"{ORIGIN}\n99999999999999999999\n{base64.b64encode(bytes(32)).decode()}\n\n— a AAAAAAAA\n",
        "x" * 70_000,
    ],
)  # fmt: skip
def test_what_is_no_note_is_refused(wrong: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_note(wrong)
    assert refused.value.code == "ledger.note"


def test_a_public_key_is_read_back_and_another_text_is_none() -> None:
    text = signer().public.text
    assert read_public(text + "\n") == signer().public
    for wrong in ("", "a+b", text[:-4], text.replace("+", " ", 1), text.replace(ORIGIN, "other"), "x" + text):
        with pytest.raises(BadInput):
            read_public(wrong)


def test_a_secret_is_read_back_and_never_shown() -> None:
    key = signer()
    assert read_signer(key.text).public == key.public
    assert key.text.strip()[-20:] not in repr(key)
    for wrong in ("", "PRIVATE+KEY+", key.text[:-9], key.text.replace("PRIVATE", "PUBLIC"), key.public.text):
        with pytest.raises(SettingsError):
            read_signer(wrong)


def history(*rotations: tuple[int, Signer, Signer | None]) -> tuple[KeyHistory, list[str]]:
    found = KeyHistory()
    said = []
    for number, (pos, key, before) in enumerate(rotations, 1):
        said.append(found.absorb(pos, number, rotation(key, before, number).body))
    return found, said


def test_each_key_signs_from_its_own_event_on_and_the_first_one_all_before_it() -> None:
    first, second = signer(1), signer(2)
    keys, said = history((5, first, None), (9, second, first))
    assert said == ["", ""]
    assert [keys.at(size) for size in (1, 5, 8)] == [first.public] * 3
    assert [keys.at(size) for size in (9, 100)] == [second.public] * 2


def test_a_key_that_the_one_before_did_not_hand_over_to_is_none() -> None:
    """Mutations: substitute a key, sign with another key."""
    first, second, thief = signer(1), signer(2), signer(3)
    for word in (second, thief):
        keys, said = history((5, first, None), (9, thief, word))
        assert said[1]
        assert keys.newest == first.public
    keys = KeyHistory(vouched=[second.public])
    assert not keys.absorb(5, 1, rotation(first, None, 1).body)
    assert not keys.absorb(9, 2, rotation(second, None, 2).body), "vouched for from outside"
    assert keys.absorb(12, 4, rotation(thief, second, 4).body), "one number was left out"
    assert keys.absorb(12, 3, {"key": 7}), "no key at all"
    assert not handed_over(first.public, second.public, "no base64!")


def test_a_log_without_keys_has_none() -> None:
    assert KeyHistory().at(10) is KeyHistory().newest is None
    assert isinstance(signer().public, PublicKey)
