"""Bundles of a real ledger, and runs that are let go of with their proof kept (spec: Keeping and restoring)."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import anyio.lowlevel
import anyio.to_thread
import pytest

from interlock.core.event import Fact, Kind
from interlock.core.principal import Principal
from interlock.errors import BadInput, Conflict, NotEntitled, NotFound
from interlock.ledger.archive import archive, export, export_to, started_in
from interlock.ledger.offline import check
from interlock.ledger.rebuild import differences
from interlock.ledger.redact import recorded, redact
from interlock.ledger.replay import replay
from interlock.ledger.seal import Sealer
from interlock.ledger.signing import Signer, rotation
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.store import DEPLOYMENT, Append
from interlock.private_files import SigningKeyFile
from tests.ledger.makers import TENANT, intent, read_call, result, started, to
from tests.ledger.sealing import Deployment

OPA = Principal("opa", TENANT, frozenset({"operator"}))


class Kept:
    """A ledger with a run that is over, an open one, and one with a call that is unknown."""

    def __init__(self, place: Deployment, store: SqliteStore, sealer: Sealer) -> None:
        self.place, self.store, self.sealer = place, store, sealer

    async def fill(self) -> None:
        over = Fact(Kind.RUN_FINISHED, {"reason": "left"})
        await self.store.append(to("run_old", started(words="secret words"), *read_call("call_1"), over))
        await self.store.append(to("run_open", started(), *read_call("call_2")))
        lost = [*proposed_and_lost("call_3"), over]
        await self.store.append(to("run_lost", started(), *lost))


def proposed_and_lost(call_id: str) -> list[Fact]:
    return [*read_call(call_id)[:-1], intent(call_id), result(call_id, "unknown", kind=Kind.CALL_UNKNOWN)]


@pytest.fixture
async def kept(anyio_backend: str, tmp_path: Path) -> AsyncIterator[Kept]:
    place = Deployment(tmp_path)
    store = await place.store()
    sealer = place.sealer(store)
    await sealer.open()
    found = Kept(place, store, sealer)
    await found.fill()
    yield found
    await store.close()


@pytest.mark.anyio
async def test_an_exported_run_is_checked_with_its_key_and_is_private(kept: Kept, tmp_path: Path) -> None:
    written = await export(kept.store, kept.sealer, ["run_old", "run_open"], tmp_path / "b", OPA)
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600
    said = check((tmp_path / "b").read_bytes(), written.key)
    assert said[0] == f"{written.events} events of 2 chains, each from its first event on:"
    assert "run_old" in said[1] and "run.finished" in said[1]


@pytest.mark.anyio
async def test_a_key_that_was_rotated_is_handed_over_in_the_bundle(kept: Kept, tmp_path: Path) -> None:
    before = (await kept.sealer.signer()).public.text
    await kept.sealer.rotate(OPA)
    written = await export(kept.store, kept.sealer, ["run_old"], tmp_path / "b", OPA)
    assert written.key != before
    assert check((tmp_path / "b").read_bytes(), before)


@pytest.mark.anyio
async def test_runs_are_found_by_when_they_started(kept: Kept) -> None:
    now_us = kept.place.clock.wall_us()
    found = await started_in(kept.store, TENANT, (now_us, now_us + 1))
    assert sorted(found) == ["run_lost", "run_old", "run_open"]
    for between_us in ((0, now_us), (now_us + 1, 1 << 60)):
        assert await started_in(kept.store, TENANT, between_us) == []
    assert await started_in(kept.store, "other", (0, 1 << 60)) == []
    assert len(await started_in(kept.store, TENANT, (0, 1 << 60), 2)) == 2


@pytest.mark.anyio
async def test_an_export_needs_a_role_a_new_file_and_runs_of_the_tenant(kept: Kept, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("x")
    eve = Principal("eve", "other", frozenset({"admin"}))
    for error, names, file, person in (
        (NotEntitled, ["run_old"], "b", Principal("ana", TENANT)),
        (BadInput, ["run_old"], "there", OPA),
        (NotFound, ["run_old"], "b", eve),
        (NotFound, ["none"], "b", OPA),
        (NotFound, [], "b", OPA),
    ):
        with pytest.raises(error):
            await export(kept.store, kept.sealer, names, tmp_path / file, person)
    assert not (tmp_path / "b").exists()


@pytest.mark.anyio
async def test_a_bundle_that_would_be_too_large_is_refused(kept: Kept) -> None:
    whole = io.BytesIO()
    await export_to(kept.store, kept.sealer, ["run_old"], nullcontext(whole), OPA)
    size = len(whole.getvalue())
    again = await export_to(kept.store, kept.sealer, ["run_old"], nullcontext(io.BytesIO()), OPA, size)
    assert (again.events, len(again.chains)) == (len(await kept.store.read("run_old")), 1)
    with pytest.raises(Conflict) as refused:
        await export_to(kept.store, kept.sealer, ["run_old"], nullcontext(io.BytesIO()), OPA, size - 1)
    assert refused.value.code == "archive.large"


class Interrupted(Sealer):
    """A sealer while which something else happens, between its sealing and the reading of what it sealed."""

    meanwhile: Callable[[], Awaitable[object]]
    late: bool

    async def signer(self) -> Signer:
        if not self.late:
            await self.meanwhile()
        found = await super().signer()
        if self.late:
            await self.meanwhile()
        return found


async def exported(kept: Kept, meanwhile: Callable[[], Awaitable[object]], *, late: bool = False) -> bytes:
    """A bundle of two runs, while which something else happens: before its key is read, or after."""
    sealer = Interrupted(kept.store, SigningKeyFile(kept.place.key), kept.place.sinks)
    sealer.meanwhile, sealer.late = meanwhile, late
    out = io.BytesIO()
    await export_to(kept.store, sealer, ["run_old", "run_open"], nullcontext(out), OPA)
    return out.getvalue()


@pytest.mark.anyio
async def test_what_is_written_while_runs_are_exported_is_not_in_their_bundle(kept: Kept) -> None:
    whole = await exported(kept, partial(kept.store.append, to("run_open", *read_call("call_9"))))
    assert check(whole)
    assert b"call_2" in whole
    assert b"call_9" not in whole


@pytest.mark.anyio
async def test_what_a_bundle_could_not_show_ends_the_export(kept: Kept) -> None:
    """The record of an erasure stands after what is sealed; another key has not signed what is sealed."""

    keys = 1

    async def half_rotated() -> None:
        nonlocal keys
        keys += 1
        before = await kept.sealer.signer()
        after = Signer(before.public.name, bytes([keys] * 32))
        file = SigningKeyFile(kept.place.key)
        await anyio.to_thread.run_sync(file.stage, after.public.key_id.hex(), after.text)
        await kept.store.append(Append(DEPLOYMENT, "default", [rotation(after, before, keys)]))

    erased = partial(redact, kept.store, "run_old", None, "asked for it", OPA)
    for meanwhile, late in ((erased, True), (half_rotated, False), (half_rotated, True)):
        with pytest.raises(Conflict) as refused:
            await exported(kept, meanwhile, late=late)
        assert refused.value.code == "archive.meanwhile"
        assert check(await exported(kept, anyio.lowlevel.checkpoint)), "asked again, it is there"


@pytest.mark.anyio
async def test_what_is_archived_stands_in_the_file_alone_and_every_proof_still_holds(
    kept: Kept, tmp_path: Path
) -> None:
    """Only runs that are wholly over go; headers stay; the record names the file."""
    before = await kept.store.read("run_old")
    kept.place.clock.advance(100)
    written = await archive(kept.store, kept.sealer, kept.place.clock.wall_us(), tmp_path / "b", OPA)
    assert list(written.chains) == ["run_old"]
    after = await kept.store.read("run_old")
    assert [event.header for event in after[:-1]] == [event.header for event in before]
    assert not any(event.payload for event in after[:-1])
    assert recorded(after) == {event.seq for event in before}
    assert after[-1].fact.body["bundle"] == written.sha256
    assert b"secret words" in (tmp_path / "b").read_bytes()
    assert not any(b"secret words" in file.read_bytes() for file in tmp_path.glob("ledger.db*"))
    assert await differences(kept.store) == []
    assert [step.text for step in replay(after)][-1].startswith("opa has the content of event")
    assert check((tmp_path / "b").read_bytes(), written.key)
    await export(kept.store, kept.sealer, ["run_old", "run_lost"], tmp_path / "again", OPA)
    assert check((tmp_path / "again").read_bytes(), written.key)


@pytest.mark.anyio
async def test_there_is_nothing_to_archive_twice_or_too_early(kept: Kept, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await archive(kept.store, kept.sealer, 1, tmp_path / "b", OPA)
    kept.place.clock.advance(100)
    now_us = kept.place.clock.wall_us()
    await archive(kept.store, kept.sealer, now_us, tmp_path / "b", OPA)
    with pytest.raises(NotFound):
        await archive(kept.store, kept.sealer, now_us, tmp_path / "c", OPA)


@pytest.mark.anyio
async def test_a_file_that_cannot_be_written_erases_nothing(kept: Kept, tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        await archive(kept.store, kept.sealer, 1 << 60, tmp_path / "none" / "b", OPA)
    assert all(event.payload for event in await kept.store.read("run_old"))
