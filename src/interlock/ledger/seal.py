"""The sealer: takes what is committed and not sealed, adds it to the tree, signs the head, and sends it out.

It works beside the path, never on it: it reads and hashes in a thread, and its one small write shares a transaction
with whatever is appended then. Of several sealers on one ledger the first one to write wins; the others read again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress

import anyio
import anyio.to_thread

from interlock.core.event import Fact, Kind
from interlock.core.principal import Principal
from interlock.errors import Conflict, DuplicateFact, LedgerError, SettingsError, StoreUnavailable
from interlock.ledger.chain import Entropy, chain_hash
from interlock.ledger.checkpoint import ACCEPT_RESTORE, SENT_AT_ONCE, compare, refusal
from interlock.ledger.merkle import leaf_hash
from interlock.ledger.note import Checkpoint, PublicKey
from interlock.ledger.sealing import KeyHolder, SealOptions, SinkState, Standing, Stored
from interlock.ledger.signing import SEED_BYTES, KeyHistory, Signer, is_signed, read_signer, rotation
from interlock.ledger.sinks import Sink, readable
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.sqlite_log import Log, Sealing
from interlock.ledger.store import DEPLOYMENT, Append

_AT_ONCE = 4096
"""Events of one checkpoint at most: about as long as the disk takes for a commit."""

_TENANT = "default"
"""Whose the deployment's own facts are."""

_PREV = b',"prev_hash":"'
"""In a canonical header nothing but the key itself is spelled so: within a string a quote is escaped."""


class Sealer:
    """Seals one ledger: a `Seals`."""

    def __init__(
        self, store: SqliteStore, keys: KeyHolder, sinks: Sequence[Sink], options: SealOptions | None = None,
        entropy: Entropy = os.urandom,
    ) -> None:  # fmt: skip
        self.problems: dict[str, str] = {}
        self._store = store
        self._keys = keys
        self._sinks = tuple(sinks)
        self._options = options or SealOptions()
        self._entropy = entropy
        self._history = KeyHistory()
        self._signer: Signer | None = None
        self._own: Signer | None = None
        self._key_why = ""
        self._refused: StoreUnavailable | None = None
        self._one_at_a_time = anyio.Lock()
        self._fresh = 0
        self._seen = -1

    async def open(self) -> None:
        """See `Seals.open`."""
        states = await self._store.log(lambda log: compare(log, self._sinks))
        if (error := refusal(states)) is not None:
            raise error
        await self._bring_in_key()
        await self._store.log(self._check_newest)

    async def run(self) -> None:
        """See `Seals.run`."""
        wake, loop = anyio.Event(), asyncio.get_running_loop()

        def appended(events: int) -> None:
            before, self._fresh = self._fresh, self._fresh + events
            if before < self._options.every_events <= self._fresh:
                loop.call_soon_threadsafe(lambda: wake.set())

        self._store.appended = appended
        try:
            while True:
                with anyio.move_on_after(self._options.every_s):
                    await wake.wait()
                wake = anyio.Event()
                await self._tend()
        finally:
            self._store.appended = None

    async def seal(self) -> Stored | None:
        """See `Seals.seal`."""
        async with self._one_at_a_time:
            self._fresh = 0
            # What is committed meanwhile is for the next time: under load there is always something.
            upto = await self._store.log(lambda log: log.events)
            while True:
                sealing = await self._store.log(lambda log: self._prepare(log, upto))
                if sealing is not None:
                    with suppress(Conflict):  # somebody else has sealed: what they left is next
                        await self._store.seal(sealing)
                elif self._signer is not None or await self._key() is None:
                    break
            self._report_key()
            await self.send()
            return await self._store.log(lambda log: log.newest)

    async def send(self) -> list[SinkState]:
        """Send the sinks what they have not; how the ledger stands towards each afterwards.

        A sink that fails is told in `problems`, and gets what waits the next time. One that has more than this
        ledger, or other roots, ends all writing.
        """
        states: list[SinkState] = []
        again = True
        while again:
            states = await self._store.log(lambda log: compare(log, self._sinks, quick=True))
            again = False
            for number, (sink, state) in enumerate(zip(self._sinks, states, strict=True)):
                if state.standing is Standing.BEHIND:
                    states[number], more = await self._send(sink, state)
                    again = again or more
        for state in states:
            if state.standing in (Standing.UNREACHABLE, Standing.ROLLBACK, Standing.FORK):
                self.problems[state.sink] = state.why
            elif state.standing is Standing.CURRENT:
                self.problems.pop(state.sink, None)
        if (error := refusal(states)) is not None:
            self._refused = error
            self._store.halt(error)
        return states

    async def rotate(self, person: Principal) -> str:
        """See `Seals.rotate`."""
        await self.seal()
        before = await self.signer()
        after = Signer(before.public.name, self._entropy(SEED_BYTES))
        key_id = after.public.key_id.hex()
        await anyio.to_thread.run_sync(self._keys.stage, key_id, after.text)
        fact = rotation(after, before, len(self._history.eras) + 1)._replace(principal_id=person.id)
        try:
            await self._store.append(Append(DEPLOYMENT, _TENANT, [fact]))
        except DuplicateFact:
            await anyio.to_thread.run_sync(self._keys.discard, key_id)
            raise Conflict("the key was rotated meanwhile", code="ledger.rotated", remedy="Look at it again.") from None
        await self.seal()
        return after.public.text

    async def accept_restore(self, person: Principal, reason: str) -> list[SinkState]:
        """See `Seals.accept_restore`."""
        states = await self._store.log(lambda log: compare(log, self._sinks))
        refused = [state for state in states if state.standing in (Standing.ROLLBACK, Standing.FORK)]
        if not refused:
            raise Conflict("no sink knows of a later or another ledger", code="ledger.no_restore",
                           remedy="There is nothing to accept.")  # fmt: skip
        await self._bring_in_key(foreign=True)
        heads = {(state.newest.size, state.newest.root.hex()) for state in refused if state.newest is not None}
        size = await self._store.log(lambda log: log.events)
        body = {
            "act": ACCEPT_RESTORE, "by": person.id, "reason": reason, "size": size,
            "given_up": [{"size": head_size, "root": root} for head_size, root in sorted(heads)],
        }  # fmt: skip
        fact = Fact(Kind.OPERATOR, body, principal_id=person.id)
        await self._store.append(Append(DEPLOYMENT, _TENANT, [fact]))
        await self.seal()
        return states

    async def signer(self) -> Signer:
        """The key that signs now.

        Raises:
            StoreUnavailable: It is missing.
        """
        async with self._one_at_a_time:  # while it is read, a sealing would find none
            signer = await self._key()
        if signer is None:
            raise self._missing()
        return signer

    async def look_for_key(self) -> dict[str, str]:
        """The public key that the ledger names, as `public`, and as `problem` why it cannot sign; each may be empty."""
        async with self._one_at_a_time:
            signer = await self._key()
        named = self._history.newest
        problem = str(self._missing().args[0]) if signer is None and named is not None else ""
        return {"public": named.text if named is not None else "", "problem": problem}

    async def close(self) -> None:
        """See `Seals.close`."""
        try:
            await self.seal()
        except LedgerError as error:
            self.problems["ledger"] = str(error)

    async def _tend(self) -> None:
        """Seal, where there can be something to seal; keep what fails for the next time."""
        changes = self._store.changes()
        if not self._fresh and changes == self._seen and not self.problems:
            return
        self._seen = changes
        try:
            await self.seal()
        except LedgerError as error:
            self.problems["ledger"] = str(error)
        else:
            self.problems.pop("ledger", None)

    async def _bring_in_key(self, *, foreign: bool = False) -> None:
        """Make sure that the ledger names the key that is there: the first one, made here where there is none.

        Args:
            foreign: Bring in a key that the ledger does not know, as after a restore from before its rotation. Its
                file vouches for it.

        Raises:
            StoreUnavailable: The key that the ledger names is missing, and `unsigned` was not chosen.
        """
        await self._key()
        eras = self._history.eras
        if not eras and self._own is None and not self._key_why:
            name = f"interlock/{self._entropy(8).hex()}"
            text = Signer(name, self._entropy(SEED_BYTES)).text
            await anyio.to_thread.run_sync(self._keys.write_first, text)
            await self._key()
        if (own := self._own) is not None and (not eras or (foreign and self._signer is None)):
            with suppress(DuplicateFact):  # another process has brought it in
                await self._store.append(Append(DEPLOYMENT, _TENANT, [rotation(own, None, len(eras) + 1)]))
            await self._key()
        self._report_key()

    def _prepare(self, log: Log, upto: int) -> Sealing | None:
        """The next checkpoint; None where so many events are sealed or the key is missing. In a thread.

        Raises:
            StoreUnavailable: The tree's tiles are damaged.
        """
        older = log.sealed
        if older >= upto or (signer := self._read_key(log)) is None:
            return None
        # What was there when the key changed is signed by the key that came: nobody has the other one any more.
        headers = log.headers(older, max(_AT_ONCE, self._history.eras[-1][0] - older))
        try:
            tree = log.tree(older)
            tree.extend([leaf_hash(_hash(header)) for header in headers])
            note = signer.note(Checkpoint(signer.public.name, tree.size, tree.root()))
        except (LookupError, ValueError) as error:
            raise StoreUnavailable(
                f"the log cannot be sealed: {error}", code="ledger.damaged", remedy="Run `interlock ledger verify`."
            ) from error
        return Sealing(older, tree.size, tree.changed, note.text)

    async def _key(self) -> Signer | None:
        """The key that the ledger names; None where it is missing. Looked for twice: another process may rotate now."""
        return await self._store.log(self._read_key) or await self._store.log(self._read_key)

    def _read_key(self, log: Log) -> Signer | None:
        """The key that the ledger names, from its file; a rotation that was cut off is brought to its end first."""
        self._signer, self._own, self._key_why = None, None, ""
        try:
            text = self._keys.read()
            self._own = own = read_signer(text) if text else None
            self._history = read_history(log, () if own is None else (own.public,))
            wanted = self._history.newest
            if wanted is None or (own is not None and own.public == wanted):
                self._signer = own
            elif text := self._keys.staged(wanted.key_id.hex()):
                self._signer = read_signer(text)
                self._keys.promote(wanted.key_id.hex())
        except (SettingsError, OSError) as error:
            self._key_why = str(error.args[0] if isinstance(error, SettingsError) else error)
        return self._signer

    def _report_key(self) -> None:
        """Say whether the key is there, and end or allow all writing by that.

        Raises:
            StoreUnavailable: It is missing, and `unsigned` was not chosen.
        """
        if self._signer is not None:
            if self.problems.pop("key", None):
                self._store.halt(self._refused)
            return
        error = self._missing()
        self.problems["key"] = str(error.args[0])
        if not self._options.unsigned:
            self._store.halt(error)
            raise error

    def _missing(self) -> StoreUnavailable:
        why = self._key_why or "no file has the key that the ledger names"
        return StoreUnavailable(
            f"the ledger's signing key is missing: {why}", code="ledger.signing_key",
            remedy="Restore its file; or set `unsigned = true` under [seal], and what is written then is not sealed.",
        )  # fmt: skip

    def _check_newest(self, log: Log) -> None:
        """Whether the newest checkpoint is what a sealer left there.

        Raises:
            StoreUnavailable: It is not.
        """
        newest = log.newest
        if newest is None:
            return
        note, key = readable(newest.note), self._history.at(newest.size)
        whole = note is not None and key is not None and note.checkpoint.size == newest.size and is_signed(note, key)
        try:
            whole = whole and note is not None and log.tree().root() == note.checkpoint.root
        except LookupError:
            whole = False
        if not whole:
            raise StoreUnavailable(
                f"the checkpoint over {newest.size} events is not what was signed", code="ledger.signature",
                remedy="Run `interlock ledger verify`, and restore the newest backup.",
            )  # fmt: skip

    async def _send(self, sink: Sink, state: SinkState) -> tuple[SinkState, bool]:
        """Send a sink some of what it has not; how it stands then, and whether to look again at once."""
        waiting = await self._store.log(lambda log: log.checkpoints(state.after, SENT_AT_ONCE))
        notes = [stored.note for stored in waiting]
        if not notes:
            return state, False
        try:
            taken = await anyio.to_thread.run_sync(sink.send, notes, state.text)
        except LedgerError as error:
            self.problems[sink.name] = str(error.args[0])
            return state, False
        if not taken or len(notes) == SENT_AT_ONCE:  # another process sent meanwhile, or there is more
            return state, True
        return state._replace(standing=Standing.CURRENT), False


def read_history(log: Log, vouched: Sequence[PublicKey] = ()) -> KeyHistory:
    """The keys that the log names.

    Args:
        vouched: As for `KeyHistory`.
    """
    history = KeyHistory(vouched)
    for said in log.said(Kind.KEY_ROTATED):
        history.absorb(said.pos, said.step, said.body)
    return history


def _hash(header: bytes) -> bytes:
    """The event's hash, which is over the hash of the one before it, as its header has that."""
    at = header.index(_PREV) + len(_PREV)
    return chain_hash(bytes.fromhex(header[at : header.index(b'"', at)].decode()), header)
