"""Runs as a bundle that is downloaded: one file for whoever must believe them and has neither ledger nor Interlock.

It is made in a file that has no name, in the folder of the ledger, which has all of it in clear anyway. The file is
gone once it was sent, once whoever asked is gone, and once this process is, however it ends.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from tempfile import TemporaryFile
from typing import IO, Final

import anyio.to_thread

from interlock.api.site import Site
from interlock.api.who import Who
from interlock.errors import Conflict, MissingExtra, NotFound, StoreUnavailable
from interlock.ledger.archive import Exported, export_to, started_in
from interlock.ledger.pages import VALUES_MAX
from interlock.ledger.seal import Sealer
from interlock.ledger.sqlite import SqliteStore

try:
    from starlette.responses import StreamingResponse
    from starlette.types import Receive, Scope, Send
except ImportError:
    raise MissingExtra("the API needs an extra", remedy="Install `interlock[server]`.") from None

BYTES_MAX: Final = 64 << 20
"""Of a bundle that is made while a request waits: about 30,000 events."""

RUNS_MAX: Final = 10_000
"""Runs of a time that go into one bundle."""

NAMED_MAX: Final = VALUES_MAX
"""Runs that are named one by one."""

MEDIA: Final = "application/jsonl"
FILE: Final = "evidence.jsonl"

KEY: Final = "interlock-log-key"
"""Header with the public key that the bundle is to be checked with."""

_PART: Final = 256 << 10


async def runs_named(site: Site, who: Who, run_ids: Sequence[str]) -> list[str]:
    """Those runs of this tenant.

    Raises:
        NotFound: One of them is none.
    """
    wanted = sorted(set(run_ids))
    rows = await site.store.rows("run", {"run_id": tuple(wanted), "tenant": who.tenant}, NAMED_MAX)
    if missing := set(wanted) - {row["run_id"] for row in rows}:
        raise NotFound(f"no run {min(missing)!r} here", code="run.not_found", remedy="See the list of runs.")
    return wanted


async def runs_started(site: Site, who: Who, between_us: tuple[int, int]) -> list[str]:
    """Every run of this tenant that started in a time: from the first moment on, before the second.

    Raises:
        NotFound: None did.
        Conflict: Too many did.
    """
    found = await started_in(kept_ledger(site), who.tenant, between_us, RUNS_MAX + 1)
    if not found:
        raise NotFound("no run started then", code="archive.nothing", remedy="Take another time.")
    if len(found) > RUNS_MAX:
        raise Conflict(
            f"more than {RUNS_MAX:,} runs started then", code="archive.large",
            remedy="Take a shorter time, or run `interlock ledger export`.",
        )  # fmt: skip
    return found


def kept_ledger(site: Site) -> SqliteStore:
    """The ledger's file.

    Raises:
        Conflict: This process keeps none.
    """
    if not isinstance(site.store, SqliteStore):
        raise Conflict("this ledger is in memory", code="ledger.in_memory", remedy="Set `ledger` in the settings.")
    return site.store


def sealer_of(site: Site) -> Sealer:
    """What seals the ledger, and has its key.

    Raises:
        Conflict: Nothing does (`ledger.unsealed`), or this process keeps no ledger.
    """
    kept_ledger(site)
    if not isinstance(site.plane.sealer, Sealer):
        raise Conflict("sealing is off", code="ledger.unsealed", remedy="Set `on = true` under [seal].")
    return site.plane.sealer


async def download(site: Site, who: Who, run_ids: Sequence[str]) -> Download:
    """Those runs as a file: sealed first, one at a time in each process.

    Raises:
        NotEntitled, NotFound, Conflict, StoreUnavailable: As `archive.export_to`, and `sealer_of`; or there is no room
            for the file.
    """
    store, sealer = kept_ledger(site), sealer_of(site)
    with _on_disk():
        out = await anyio.to_thread.run_sync(lambda: TemporaryFile(dir=store.path.parent))  # noqa: SIM115  # see `Download`
        try:
            made = await site.heavy.awaited(
                partial(export_to, store, sealer, run_ids, nullcontext(out), who.principal, BYTES_MAX)
            )
            await anyio.to_thread.run_sync(out.flush)
        except BaseException:
            out.close()
            raise
        return Download(out, made)


class Download(StreamingResponse):
    """A bundle as it is sent. Its file is closed, and with that gone, however the sending ends."""

    media_type = MEDIA

    def __init__(self, file: IO[bytes], made: Exported) -> None:
        self._file = file
        digest = b64encode(bytes.fromhex(made.sha256)).decode()
        head = {
            "content-disposition": f'attachment; filename="{FILE}"', "content-length": str(file.tell()),
            "repr-digest": f"sha-256=:{digest}:", KEY: made.key,
        }  # fmt: skip
        super().__init__(_parts(file), headers=head)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `StreamingResponse`."""
        with self._file:
            await super().__call__(scope, receive, send)


@contextmanager
def _on_disk() -> Iterator[None]:
    """What writes the file.

    Raises:
        StoreUnavailable: It cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"the bundle cannot be written: {error.strerror}", code="archive.disk",
            remedy="See to the disk of the ledger, or run `interlock ledger export` on another.",
        ) from error  # fmt: skip


async def _parts(file: IO[bytes]) -> AsyncIterator[bytes]:
    file.seek(0)
    while part := await anyio.to_thread.run_sync(file.read, _PART):
        yield part
